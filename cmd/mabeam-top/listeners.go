package main

import (
	"context"
	"errors"
	"fmt"

	"mabeam-top/internal/atomicfile"
	"mabeam-top/internal/openmetrics"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
)

// listeners receive the events of a run in addition to the UI or the progress output:
// the time series for reports, the recording, and the metrics page. If the UI has
// several runs, the last one counts. They are not safe for concurrent use.
type listeners struct {
	wantsCourse bool
	timeline    fold.Timeline // for the reports; empty unless wantsCourse
	recording   *recording
	page        *openmetrics.Page
	// endPage stops the page and returns its error.
	endPage func() error
}

// listen starts the listeners that the flags request.
func (a *app) listen() (*listeners, error) {
	l := &listeners{timeline: fold.Timeline{Samples: fold.WholeRun}}
	for _, path := range a.flags.outputs {
		if format, _ := format.Of(path); format.NeedsTimeline() {
			l.wantsCourse = true
		}
	}
	var errs []error
	if a.flags.record != "" {
		l.recording = &recording{path: a.flags.record}
		errs = append(errs, l.recording.begin())
	}
	if a.flags.metrics != "" {
		errs = append(errs, l.serve(a))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// serve serves the metrics page until close is called.
func (l *listeners) serve(a *app) error {
	page, err := openmetrics.Listen(context.Background(), a.flags.metrics)
	if err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	if !a.flags.quiet {
		a.writeError("mabeam-top: serving metrics on " + page.URL())
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

// add adds the next event of the run.
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

// close closes the listeners after the last run and returns their errors.
func (l *listeners) close() error {
	var errs []error
	if l.recording != nil {
		errs = append(errs, l.recording.close())
	}
	if l.page != nil {
		errs = append(errs, l.endPage())
	}
	return errors.Join(errs...)
}

// A recording writes the event stream of a run to a file.
type recording struct {
	path string
	file *atomicfile.File
	out  *stream.Writer
	// used reports whether a run was written to the file.
	used bool
	err  error
}

// begin creates the file, so that an error occurs before the run.
func (r *recording) begin() error {
	file, err := atomicfile.Create(r.path)
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
	// Also after a signal, because a recording needs its end.
	r.out.Emit(context.Background(), e)
}

// end commits the file, or removes it if it is incomplete.
func (r *recording) end() error {
	if r.out == nil {
		return nil
	}
	err := r.out.Close()
	r.out = nil
	switch {
	case err != nil:
		return fmt.Errorf("--record %s: discard the incomplete recording: %w", r.path, errors.Join(err, r.file.Discard()))
	case !r.used:
		return r.file.Discard()
	}
	return r.file.Commit()
}

func (r *recording) close() error { return errors.Join(r.err, r.end()) }
