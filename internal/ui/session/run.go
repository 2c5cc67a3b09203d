// Package session follows a run, or the replay of one, for the screens and the line
// mode. It also has what can be run, and what was run before.
package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A Runner starts runs for the UI.
type Runner interface {
	// Start begins a run and returns it as a source of events. It returns without
	// waiting for anything slow.
	Start(Order) (stream.Source, error)
	// Check returns what is wrong with settings of a scenario, by the settings'
	// names. An error about several settings has the name "".
	Check(scenario string, s Settings) map[string]error
}

// An Order is what to run.
type Order struct {
	// Scenarios are names, in the order in which they run.
	Scenarios []string
	// Settings are the changed values of the scenarios, by their names.
	Settings map[string]Settings
}

// Settings are the values that differ from a scenario for one run, as scenario
// files write them, by the names of their Fields.
type Settings map[string]string

// errNoReport is the error of a run whose stream ends early.
var errNoReport = errors.New("the run ended without a report")

// A Run is a run that is measured, or the replay of a recorded one.
type Run struct {
	Order Order
	// Replay is the source of a replay, and Recording what it plays; nil for a
	// run that is measured.
	Replay    *stream.Replay
	Recording *stream.Recording
	// Timeline is the state of the run so far.
	Timeline fold.Timeline

	open   func() (stream.Source, error)
	cancel context.CancelFunc
	done   chan struct{}
	// steerable is the source while it takes commands; nil before the source is
	// open, after it has ended, and for sources that take none.
	steerable atomic.Pointer[stream.Steerable]
	// stopped belongs to the goroutine of the caller.
	stopped bool
	// outcome of a run that is measured is written before done is closed, and read
	// only after. Of a replay, only its error is.
	outcome Outcome
}

// New returns a run of an order. It begins with Start.
func New(o Order, runner Runner) *Run {
	return &Run{Order: o, open: func() (stream.Source, error) { return runner.Start(o) }}
}

// NewReplay returns the replay of a recording under a name.
func NewReplay(recording *stream.Recording, name string) *Run {
	replay := stream.NewReplay(recording)
	result := fold.ReportOf(recording)
	return &Run{
		Order: Order{Scenarios: []string{name}}, Replay: replay, Recording: recording,
		outcome: Outcome{Report: &result},
		open:    func() (stream.Source, error) { return replay, nil },
	}
}

// Name is the name of the run until its stream reports a better one.
func (r *Run) Name() string { return strings.Join(r.Order.Scenarios, ", ") }

// Start begins the run, which lasts until its stream ends. The caller waits for
// it with Wait.
func (r *Run) Start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		defer r.cancel()
		r.run(ctx)
	}()
}

func (r *Run) run(ctx context.Context) {
	var collector fold.Collector
	keeper := fold.Timeline{Samples: fold.WholeRun}
	var caught atomic.Pointer[error]
	err := r.follow(ctx, func(e stream.Event) {
		// The source calls from its own goroutines, in which nobody else recovers
		// from a panic here.
		defer func() {
			if p := recover(); p != nil {
				err := Panicked("follow "+r.Name(), p)
				caught.CompareAndSwap(nil, &err)
				r.cancel()
			}
		}()
		r.Timeline.Add(e)
		if r.Replay == nil {
			collector.Add(e)
			keeper.Add(e)
		}
	})
	if p := caught.Load(); p != nil {
		err = *p
	}
	if r.Replay != nil {
		r.outcome.Err = err
		return
	}
	r.outcome = Outcome{Order: r.Order, Err: err}
	if r.Timeline.Snapshot().Events == 0 {
		return
	}
	switch {
	case ctx.Err() != nil && caught.Load() == nil:
		err = context.Canceled // whatever the source made of it
	case err != nil:
		err = errors.New(theme.FirstLine(err)) // the stack of a panic does not belong in a report
	}
	result := collector.Finish(err)
	r.outcome.Report, r.outcome.Course = &result, keeper.Snapshot().Timeline()
}

func (r *Run) follow(ctx context.Context, take func(stream.Event)) (err error) {
	// A panic would leave the terminal in raw mode. Bubble Tea recovers only in its
	// own goroutines.
	defer func() {
		if p := recover(); p != nil {
			err = Panicked("run "+r.Name(), p)
		}
	}()
	source, err := r.open()
	if err != nil {
		return fmt.Errorf("start %s: %w", r.Name(), err)
	}
	if s, ok := source.(stream.Steerable); ok {
		r.steerable.Store(&s)
	}
	err = source.Run(ctx, take)
	r.steerable.Store(nil)
	finished := r.Timeline.Snapshot().Report != nil
	switch {
	case ctx.Err() != nil && (finished || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))):
		return nil // it stopped because it was asked to
	case err == nil && !finished:
		err = errNoReport
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", r.Name(), err)
	}
	return nil
}

// Panicked turns a recovered panic into an error that contains its stack.
func Panicked(attempt string, p any) error {
	return fmt.Errorf("%s: panic: %v\n%s", attempt, p, debug.Stack())
}

// Steerable reports whether the run takes commands now.
func (r *Run) Steerable() bool { return r.steerable.Load() != nil }

// Command sends a command to the source.
func (r *Run) Command(c stream.Command) error {
	s := r.steerable.Load()
	if s == nil {
		return stream.ErrNotSteerable
	}
	return (*s).Command(c)
}

// Stop asks the run to end. It does not wait for the end.
func (r *Run) Stop() {
	r.stopped = true
	r.cancel()
}

// Stopped reports whether Stop was called.
func (r *Run) Stopped() bool { return r.stopped }

// Ended reports whether the run is over.
func (r *Run) Ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Outcome returns the result of a run that has ended, or of the recorded run
// during a replay.
func (r *Run) Outcome() Outcome {
	if r.Replay == nil {
		return r.outcome
	}
	o := Outcome{Report: r.outcome.Report, Course: fold.TimelineOf(r.Recording), Order: r.Order}
	if r.Ended() {
		o.Err = r.outcome.Err
	}
	return o
}

// Wait stops the run, waits for its end and returns its result.
func (r *Run) Wait() Outcome {
	r.cancel()
	<-r.done
	return r.outcome
}
