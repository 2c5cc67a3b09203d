// Package format writes a report as text, JSON, JUnit XML, Markdown, HTML or CSV.
//
// A new format is a function that writes a report, and its entry in the table of formats.
package format

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
)

// A Format is the name of a format.
type Format string

// The formats.
const (
	Text     Format = "text"
	JSON     Format = "json"
	JUnit    Format = "junit"
	Markdown Format = "markdown"
	HTML     Format = "html"
	CSV      Format = "csv"
)

// A writer writes one format. Only some use the timeline, and only text the options.
type writer func(io.Writer, report.Report, report.Timeline, Options) error

// formats is the table of formats with the endings of their files, in the order of help
// texts.
var formats = []struct {
	format Format
	ending string
	write  writer
}{
	{Text, ".txt", writeText},
	{JSON, ".json", func(w io.Writer, r report.Report, _ report.Timeline, _ Options) error { return report.Write(w, r) }},
	{JUnit, ".xml", writeJUnit},
	{Markdown, ".md", writeMarkdown},
	{HTML, ".html", writeHTML},
	{CSV, ".csv", writeCSV},
}

// Names returns the names of all formats.
func Names() []string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f.format))
	}
	return names
}

// Endings returns the endings of the files of all formats, each with its dot.
func Endings() []string {
	var endings []string
	for _, f := range formats {
		endings = append(endings, f.ending)
	}
	return endings
}

// Of returns the format of a file by the ending of its name, and false for an unknown
// ending. It ignores case.
func Of(path string) (Format, bool) {
	i := slices.Index(Endings(), strings.ToLower(filepath.Ext(path)))
	if i < 0 {
		return "", false
	}
	return formats[i].format, true
}

// NeedsTimeline reports whether the format shows the timeline of a run.
func (f Format) NeedsTimeline() bool { return f == HTML || f == CSV }

// Write writes the report in the format. The timeline is for the formats that need it;
// the options are for text.
func (f Format) Write(w io.Writer, r report.Report, t report.Timeline, o Options) error {
	for _, known := range formats {
		if known.format != f {
			continue
		}
		if err := known.write(w, r, t, o); err != nil {
			return fmt.Errorf("write report as %s: %w", f, err)
		}
		return nil
	}
	return fmt.Errorf("unknown format %q; want one of %s", f, strings.Join(Names(), ", "))
}
