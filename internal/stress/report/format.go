package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// A Format is a form that a report can be written in, by its name.
type Format string

// The formats.
const (
	FormatText     Format = "text"
	FormatJSON     Format = "json"
	FormatJUnit    Format = "junit"
	FormatMarkdown Format = "markdown"
	FormatHTML     Format = "html"
	FormatCSV      Format = "csv"
)

// formats are the formats and the endings of their files, in the order in
// which they are told.
var formats = []struct {
	format Format
	ending string
}{
	{FormatText, ".txt"},
	{FormatJSON, ".json"},
	{FormatJUnit, ".xml"},
	{FormatMarkdown, ".md"},
	{FormatHTML, ".html"},
	{FormatCSV, ".csv"},
}

// Formats returns the names of all formats.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f.format))
	}
	return names
}

// Endings returns the endings of file names that tell a format, each with its
// dot.
func Endings() []string {
	var endings []string
	for _, f := range formats {
		endings = append(endings, f.ending)
	}
	return endings
}

// FormatOf returns the format that a file's name ends in, in capitals or not,
// and false if it ends in none.
func FormatOf(path string) (Format, bool) {
	i := slices.Index(Endings(), strings.ToLower(filepath.Ext(path)))
	if i < 0 {
		return "", false
	}
	return formats[i].format, true
}

// NeedsCourse says whether the format tells more if it is given the run's
// course.
func (f Format) NeedsCourse() bool { return f == FormatHTML || f == FormatCSV }

// Write writes the report in the format. The course is for the formats that
// need it, the options for text.
func (f Format) Write(w io.Writer, r Report, c Timeline, o TextOptions) error {
	switch f {
	case FormatText:
		return Text(w, r, o)
	case FormatJSON:
		return Write(w, r)
	case FormatJUnit:
		return JUnit(w, r)
	case FormatMarkdown:
		return Markdown(w, r)
	case FormatHTML:
		return HTML(w, r, c)
	case FormatCSV:
		return CSV(w, r, c)
	}
	return fmt.Errorf("unknown format %q; expected one of %s", f, strings.Join(Formats(), ", "))
}
