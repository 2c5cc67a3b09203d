package main

import (
	"context"
	"errors"
	"fmt"

	"mabeam-top/internal/openmetrics"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// listeners are those who hear a run's events besides whoever shows it: what
// the reports need to draw it, the recording, and the metrics page. The UI may
// have several runs, of which the last one counts. They are not safe for
// several goroutines.
type listeners struct {
	wantsCourse bool
	timeline    fold.Timeline // for the reports; empty unless wantsCourse
	recording   *recording
	page        *openmetrics.Page
	// endPage ends the page and returns what went wrong with it.
	endPage func() error
}

// listen gets the listeners ready that the flags ask for.
func (a *app) listen() (*listeners, error) {
	l := &listeners{timeline: fold.Timeline{Samples: fold.WholeRun}}
	for _, path := range a.flags.outputs {
		if format, _ := report.FormatOf(path); format.NeedsCourse() {
			l.wantsCourse = true
		}
	}
	var faults []error
	if a.flags.record != "" {
		l.recording = &recording{path: a.flags.record}
		faults = append(faults, l.recording.begin())
	}
	if a.flags.metrics != "" {
		faults = append(faults, l.serve(a))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// serve begins to serve the metrics page, until close is called.
func (l *listeners) serve(a *app) error {
	page, err := openmetrics.Listen(context.Background(), a.flags.metrics)
	if err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	if !a.flags.quiet {
		a.writeError("mabeam-top: metrics are on " + page.URL())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- page.Run(ctx) }()
	l.page = page
	l.endPage = func() error {
		cancel()
		return <-ended
	}
	return nil
}

// add takes the next event of the run.
func (l *listeners) add(e stream.Event) {
	if l.wantsCourse {
		l.timeline.Add(e)
	}
	if l.recording != nil {
		l.recording.add(e)
	}
	if l.page != nil {
		l.page.Add(e)
	}
}

// close ends them after the last run. What went wrong is what they could not
// write.
func (l *listeners) close() error {
	var faults []error
	if l.recording != nil {
		faults = append(faults, l.recording.close())
	}
	if l.page != nil {
		faults = append(faults, l.endPage())
	}
	return errors.Join(faults...)
}

// A recording writes the event stream of a run to a file.
type recording struct {
	path string
	file *report.File
	out  *stream.Writer
	// used says that a run was written to the file.
	used bool
	err  error
}

// begin opens the file, so that one that cannot be written is known before
// anything runs.
func (r *recording) begin() error {
	file, err := report.CreateFile(r.path)
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	r.file, r.out, r.used = file, stream.NewWriter(file), false
	return nil
}

func (r *recording) add(e stream.Event) {
	if e.Type == stream.RunStarted && r.used {
		r.err = errors.Join(r.err, r.end(), r.begin())
	}
	if r.out == nil {
		return
	}
	r.used = true
	// Also after a signal: a recording without its end is none.
	r.out.Emit(context.Background(), e)
}

// end puts the file in its place, or removes it if it is not whole.
func (r *recording) end() error {
	if r.out == nil {
		return nil
	}
	err := r.out.Close()
	r.out = nil
	switch {
	case err != nil:
		return fmt.Errorf("--record %s: the recording is not whole, and is not kept: %w", r.path, errors.Join(err, r.file.Discard()))
	case !r.used:
		return r.file.Discard()
	}
	return r.file.Commit()
}

func (r *recording) close() error { return errors.Join(r.err, r.end()) }
