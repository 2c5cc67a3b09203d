package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A Runner starts runs for the UI.
type Runner interface {
	// Start begins a run and returns it as a source of events. It does not wait
	// for anything that could take long.
	Start(Order) (stream.Source, error)
	// Check returns what is wrong with settings of a scenario, by their names;
	// what is about several of them has the name "".
	Check(scenario string, s Settings) map[string]error
}

// An Order says what is to be run.
type Order struct {
	// Scenarios are names, in the order in which they are to run.
	Scenarios []string
	// Settings are what is changed of the scenarios, by their names.
	Settings map[string]Settings
}

// Settings change a scenario for one run: a value in the notation of scenario
// files by the name of its Field. What is not in it stays as it is.
type Settings map[string]string

// errNoReport is what a run ends with whose stream broke off.
var errNoReport = errors.New("the run ended without a report")

// run is one run that the UI follows, or the replay of one. Its goroutine ends
// before done is closed.
type run struct {
	order Order
	// open returns the source.
	open func() (stream.Source, error)
	// replay is the source of a replay, and recording what it plays; nil for a
	// run that is measured.
	replay    *stream.Replay
	recording *stream.Recording

	timeline fold.Timeline
	cancel   context.CancelFunc
	done     chan struct{}
	// steer takes commands; nil before the source is open, and for one that
	// takes none.
	steer atomic.Pointer[stream.Steerable]
	// stopped says that somebody asked for the end. It belongs to the UI's
	// goroutine.
	stopped bool
	// report is what the run came to, told by itself or put together from what
	// it told; nil if it told nothing. course is how it went. err is why it
	// could not be followed to its end. They are set before done is closed, and
	// not read sooner.
	report *report.Report
	course report.Course
	err    error
}

// measured is a run of an order.
func measured(o Order, runner Runner) *run {
	return &run{order: o, open: func() (stream.Source, error) { return runner.Start(o) }}
}

// replayed is the replay of a recording under a name.
func replayed(recording *stream.Recording, name string) *run {
	replay := stream.NewReplay(recording)
	result := fold.ReportOf(recording)
	return &run{
		order: Order{Scenarios: []string{name}}, replay: replay, recording: recording, report: &result,
		open: func() (stream.Source, error) { return replay, nil },
	}
}

// start begins the run, which lasts until its stream ends. Whoever calls it
// waits for done.
func (r *run) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		defer r.cancel()
		var collector fold.Collector
		keeper := fold.Timeline{Samples: fold.WholeRun}
		var caught atomic.Pointer[error]
		r.err = r.follow(ctx, func(e stream.Event) {
			// The source calls from goroutines of its own, in which nobody
			// else would catch a panic of ours.
			defer func() {
				if p := recover(); p != nil {
					err := panicked("follow "+r.name(), p)
					caught.CompareAndSwap(nil, &err)
					r.cancel()
				}
			}()
			r.timeline.Add(e)
			if r.replay == nil {
				collector.Add(e)
				keeper.Add(e)
			}
		})
		if err := caught.Load(); err != nil {
			r.err = *err
		}
		if r.replay != nil || r.timeline.Snapshot().Events == 0 {
			return
		}
		why := r.err
		switch {
		case ctx.Err() != nil && caught.Load() == nil:
			why = context.Canceled // whatever the source made of that
		case why != nil:
			// The stack of a panic is no part of a report.
			why = errors.New(theme.FirstLine(why))
		}
		result := collector.Finish(why)
		r.report, r.course = &result, keeper.Snapshot().Course()
	}()
}

// name is what the run is called while its stream has not told more.
func (r *run) name() string { return strings.Join(r.order.Scenarios, ", ") }

func (r *run) follow(ctx context.Context, take func(stream.Event)) (err error) {
	// A panic here would leave the terminal in raw mode: only those of the
	// program's own goroutine are caught by Bubble Tea.
	defer func() {
		if p := recover(); p != nil {
			err = panicked("run "+r.name(), p)
		}
	}()
	source, err := r.open()
	if err != nil {
		return fmt.Errorf("start %s: %w", r.name(), err)
	}
	if s, ok := source.(stream.Steerable); ok {
		r.steer.Store(&s)
	}
	err = source.Run(ctx, take)
	r.steer.Store(nil)
	finished := r.timeline.Snapshot().Report != nil
	switch {
	case ctx.Err() != nil && (finished || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))):
		return nil // it was asked to stop, and did
	case err == nil && !finished:
		err = errNoReport
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", r.name(), err)
	}
	return nil
}

// command passes a command on to the source.
func (r *run) command(c stream.Command) error {
	s := r.steer.Load()
	if s == nil {
		return stream.ErrNotSteerable
	}
	return (*s).Command(c)
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
