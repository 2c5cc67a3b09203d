package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mabeam-top/internal/atomicfile"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// An Outcome is the result of a run that has ended, or of a past one.
type Outcome struct {
	// Report is nil if the run ended before it reported anything.
	Report *report.Report
	// Course is how the run went over time. It is empty for a stored report, whose
	// Recording may have it.
	Course report.Timeline
	// Recording is the file of a past run's recording; empty for none.
	Recording string
	// Err is why the run broke off.
	Err error
	// Order is what was run. It has no scenarios if that is not known.
	Order Order
}

// courseFor returns how the run went, for a format that needs to know.
func (o Outcome) courseFor(f format.Format) (report.Timeline, error) {
	if len(o.Course.Times) > 0 || o.Recording == "" || !f.NeedsTimeline() {
		return o.Course, nil
	}
	recording, err := stream.LoadRecording(o.Recording)
	if err != nil {
		return report.Timeline{}, err
	}
	return fold.TimelineOf(recording), nil
}

// Export writes the report to a file, whole or not at all, and returns the file's
// absolute path. The error wraps fs.ErrExist if the file exists and replace is
// false.
func (o Outcome) Export(f format.Format, path string, replace bool, options format.Options) (string, error) {
	full, err := absolute(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && !replace {
		return full, &fs.PathError{Op: "export to", Path: full, Err: fs.ErrExist}
	}
	course, err := o.courseFor(f)
	if err != nil {
		return full, err
	}
	err = atomicfile.Write(full, func(w io.Writer) error { return f.Write(w, *o.Report, course, options) })
	if cause, ok := errors.AsType[syscall.Errno](err); ok { // the path is the one that was given
		err = fmt.Errorf("write %s: %w", path, cause)
	}
	return full, err
}

// ExportName is the name of an exported report without its extension, unless the
// user chooses another.
func (o Outcome) ExportName() string {
	name := strings.Map(func(c rune) rune {
		if c == filepath.Separator || c == '/' {
			return '-'
		}
		return c
	}, theme.Clean(o.name("report")))
	if at := o.Report.StartedAt; !at.IsZero() {
		name += "-" + at.Local().Format("20060102-150405")
	}
	return name
}

// BaselineName is the name of a baseline made of the report, unless the user
// chooses another.
func (o Outcome) BaselineName() string { return o.name("baseline") }

// name is the name of the only scenario of the report.
func (o Outcome) name(otherwise string) string {
	if len(o.Report.Scenarios) == 1 {
		return o.Report.Scenarios[0].Name
	}
	return otherwise
}

// absolute returns the absolute path of a file that the user named.
func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~"+string(filepath.Separator)); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the home directory: %w", err)
		}
		path = filepath.Join(home, rest)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", path, err)
	}
	return full, nil
}
