package conformance

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A spy is an agent that records its callbacks. Its actions are
//
//   - note: record the parameters and return them
//   - block: stay busy until a *blockRequest is released, even if the caller gives up
//   - wait: stay busy until the context of the action ends
//   - publish, signal: pass an event or a signal on
//   - fail, panic
type spy struct {
	mabeam.Defaults
	inside, overlaps  atomic.Int64
	inits, terminates atomic.Int64

	mu      sync.Mutex
	signals []mabeam.Signal
	notes   []any
}

// errSpy is the error of the action fail.
var errSpy = errors.New("fails on purpose")

// A blockRequest keeps a spy busy until it is released, but not for longer than within:
// a caller may wait for the spy past its deadline.
type blockRequest struct {
	entered, release chan struct{}
	within           time.Duration
}

func newBlockRequest(within time.Duration) *blockRequest {
	return &blockRequest{entered: make(chan struct{}), release: make(chan struct{}), within: within}
}

func (r *blockRequest) wait() {
	close(r.entered)
	end := time.NewTimer(r.within)
	defer end.Stop()
	select {
	case <-r.release:
	case <-end.C:
	}
}

// A contextWaiter keeps a spy busy until the context of its action ends, and sends the
// cause of that; nil if it has not ended within fixtureTimeout.
type contextWaiter struct {
	entered chan struct{}
	ended   chan error
}

func newContextWaiter() *contextWaiter {
	return &contextWaiter{entered: make(chan struct{}), ended: make(chan error, 1)}
}

func (w *contextWaiter) wait(ctx context.Context) {
	done := ctx.Done() // a context records its cause only for those that wait for it
	close(w.entered)
	end := time.NewTimer(fixtureTimeout)
	defer end.Stop()
	select {
	case <-done:
	case <-end.C:
	}
	w.ended <- context.Cause(ctx)
}

// enter detects concurrent callbacks. The caller defers the returned function.
func (s *spy) enter() (leave func()) {
	if s.inside.Add(1) > 1 {
		s.overlaps.Add(1)
	}
	runtime.Gosched() // give a concurrent callback the chance to run now
	return func() { s.inside.Add(-1) }
}

func (s *spy) Init(context.Context, *mabeam.Agent) error {
	defer s.enter()()
	s.inits.Add(1)
	return nil
}

func (s *spy) Terminate(context.Context, *mabeam.Agent, error) {
	defer s.enter()()
	s.terminates.Add(1)
}

func (s *spy) HandleSignal(_ context.Context, _ *mabeam.Agent, signal mabeam.Signal) {
	defer s.enter()()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signals = append(s.signals, signal)
}

func (s *spy) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	defer s.enter()()
	switch action {
	case "note":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.notes = append(s.notes, params)
		return params, nil
	case "block":
		params.(*blockRequest).wait()
		return nil, nil
	case "wait":
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
func (s *spy) takeSignals() []mabeam.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.signals
	s.signals = nil
	return taken
}

// takeNotes returns the parameters of the note actions since the last call.
func (s *spy) takeNotes() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.notes
	s.notes = nil
	return taken
}

// An actionFunc is the only callback of a stateless agent.
type actionFunc func(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error)

// An actionAgent is an agent that only handles actions.
type actionAgent struct {
	mabeam.Defaults
	handle actionFunc
}

func (a actionAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	return a.handle(ctx, self, action, params)
}
