package ui

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A Runner starts runs for the UI.
type Runner interface {
	// Start begins a run of the scenarios named and returns it as a source of
	// events. It does not wait for anything that could take long.
	Start(names []string) (stream.Source, error)
}

// errNoReport is what a run ends with whose stream broke off.
var errNoReport = errors.New("the run ended without a report")

// run is one run that the UI follows. Its goroutine ends before done is
// closed.
type run struct {
	names    []string
	timeline stream.Timeline
	cancel   context.CancelFunc
	done     chan struct{}
	// stopped says that somebody asked for the end. It belongs to the UI's
	// goroutine.
	stopped bool
	// report is what the run came to, told by itself or put together from what
	// it told; nil if it told nothing. err is why it could not be followed to
	// its end. Both are set before done is closed, and not read sooner.
	report *report.Report
	err    error
}

// startRun begins a run, which lasts until its stream ends. Whoever calls it
// waits for done.
func startRun(ctx context.Context, runner Runner, names []string) *run {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{names: names, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer cancel()
		var collector stream.Collector
		r.err = r.follow(ctx, runner, &collector)
		if r.timeline.Snapshot().Events > 0 {
			why := r.err
			switch {
			case ctx.Err() != nil:
				why = context.Canceled // whatever the source made of that
			case why != nil:
				// The stack of a panic is no part of a report.
				message, _, _ := strings.Cut(why.Error(), "\n")
				why = errors.New(message)
			}
			result := collector.Finish(why)
			r.report = &result
		}
	}()
	return r
}

func (r *run) follow(ctx context.Context, runner Runner, collector *stream.Collector) (err error) {
	// A panic here would leave the terminal in raw mode: only those of the
	// program's own goroutine are caught by Bubble Tea.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("run %s: panic: %v\n%s", strings.Join(r.names, ", "), p, debug.Stack())
		}
	}()
	source, err := runner.Start(r.names)
	if err != nil {
		return fmt.Errorf("start %s: %w", strings.Join(r.names, ", "), err)
	}
	err = source.Run(ctx, func(e stream.Event) {
		collector.Add(e)
		r.timeline.Add(e)
	})
	finished := r.timeline.Snapshot().Report != nil
	switch {
	case ctx.Err() != nil && (finished || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))):
		return nil // it was asked to stop, and did
	case err == nil && !finished:
		err = errNoReport
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", strings.Join(r.names, ", "), err)
	}
	return nil
}

// stop asks the run to end. Its report is still to come.
func (r *run) stop() {
	r.stopped = true
	r.cancel()
}

// ended says whether the run is over, and how it went wrong if it did.
func (r *run) ended() (bool, error) {
	select {
	case <-r.done:
		return true, r.err
	default:
		return false, nil
	}
}

// wait stops the run, waits for its end and returns what it came to.
func (r *run) wait() (*report.Report, error) {
	r.cancel()
	<-r.done
	return r.report, r.err
}
