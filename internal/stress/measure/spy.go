package measure

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// An observer is an agent that records what the runtime calls it for. Its actions are
// note, which records its parameters and returns them, block, which keeps the agent
// busy until a *blocker is released whatever becomes of the caller, heed, which keeps it
// busy until its context ends, publish and signal, which pass an event or a signal on, fail
// and panic.
type spy struct {
	mabeam.Defaults
	inside, overlaps  atomic.Int64
	inits, terminates atomic.Int64

	mu      sync.Mutex
	signals []mabeam.Signal
	notes   []any
}

// errSpy is what the action fail returns.
var errSpy = errors.New("fails on purpose")

// A blocker keeps an observer busy until it is released, and no longer than within: a
// caller may wait for it although its deadline has passed.
type blockRequest struct {
	entered, release chan struct{}
	within           time.Duration
}

func newBlockRequest(within time.Duration) *blockRequest {
	return &blockRequest{entered: make(chan struct{}), release: make(chan struct{}), within: within}
}

// A heeder keeps an observer busy until the context of its action ends, and tells why that
// has ended; nil if it has not within fixtureTimeout.
type contextWaiter struct {
	entered chan struct{}
	ended   chan error
}

func newContextWaiter() *contextWaiter {
	return &contextWaiter{entered: make(chan struct{}), ended: make(chan error, 1)}
}

func (h *contextWaiter) wait(ctx context.Context) {
	done := ctx.Done() // only who waits for the end is told why it came
	close(h.entered)
	end := time.NewTimer(fixtureTimeout)
	defer end.Stop()
	select {
	case <-done:
	case <-end.C:
	}
	h.ended <- context.Cause(ctx)
}

// enter notices callbacks that run at once; the caller defers what it returns.
func (o *spy) enter() (leave func()) {
	if o.inside.Add(1) > 1 {
		o.overlaps.Add(1)
	}
	runtime.Gosched() // who is wrong to come in meanwhile shall have the time to
	return func() { o.inside.Add(-1) }
}

func (o *spy) Init(context.Context, *mabeam.Agent) error {
	defer o.enter()()
	o.inits.Add(1)
	return nil
}

func (o *spy) Terminate(context.Context, *mabeam.Agent, error) {
	defer o.enter()()
	o.terminates.Add(1)
}

func (o *spy) HandleSignal(_ context.Context, _ *mabeam.Agent, s mabeam.Signal) {
	defer o.enter()()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signals = append(o.signals, s)
}

func (o *spy) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	defer o.enter()()
	switch action {
	case "note":
		o.mu.Lock()
		defer o.mu.Unlock()
		o.notes = append(o.notes, params)
		return params, nil
	case "block":
		h := params.(*blockRequest)
		close(h.entered)
		end := time.NewTimer(h.within)
		defer end.Stop()
		select {
		case <-h.release:
		case <-end.C:
		}
		return nil, nil
	case "heed":
		params.(*contextWaiter).wait(ctx)
		return nil, nil
	case "publish":
		e := params.(mabeam.Event)
		return nil, self.Publish(ctx, e.Type, e.Data)
	case "signal":
		return nil, self.Signal(params.(mabeam.Signal))
	case "fail":
		return nil, errSpy
	case "panic":
		panic("panics on purpose")
	}
	return nil, mabeam.ErrUnknownAction
}

// takeSignals returns the signals recorded since the last call.
func (o *spy) takeSignals() []mabeam.Signal {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.signals
	o.signals = nil
	return taken
}

// takeNotes returns the parameters of the note actions since the last call.
func (o *spy) takeNotes() []any {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.notes
	o.notes = nil
	return taken
}
