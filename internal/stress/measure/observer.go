package measure

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// An observer is an agent that records what the runtime calls it for. Its actions are
// note, which records its parameters and returns them, block, which keeps the agent
// busy until a *blocker is released whatever becomes of the caller, heed, which keeps it
// busy until its context ends, publish and signal, which pass an event or a signal on, fail
// and panic.
type observer struct {
	mabeam.Defaults
	inside, overlaps  atomic.Int64
	inits, terminates atomic.Int64

	mu      sync.Mutex
	signals []mabeam.Signal
	notes   []any
}

// errObserved is what the action fail returns.
var errObserved = errors.New("fails on purpose")

// A blocker keeps an observer busy until it is released, and no longer than within: a
// caller may wait for it although its deadline has passed.
type blocker struct {
	entered, release chan struct{}
	within           time.Duration
}

func newBlocker(within time.Duration) *blocker {
	return &blocker{entered: make(chan struct{}), release: make(chan struct{}), within: within}
}

// A heeder keeps an observer busy until the context of its action ends, and tells why that
// has ended; nil if it has not within observersWithin.
type heeder struct {
	entered chan struct{}
	ended   chan error
}

func newHeeder() *heeder {
	return &heeder{entered: make(chan struct{}), ended: make(chan error, 1)}
}

func (h *heeder) heed(ctx context.Context) {
	done := ctx.Done() // only who waits for the end is told why it came
	close(h.entered)
	end := time.NewTimer(observersWithin)
	defer end.Stop()
	select {
	case <-done:
	case <-end.C:
	}
	h.ended <- context.Cause(ctx)
}

// enter notices callbacks that run at once; the caller defers what it returns.
func (o *observer) enter() (leave func()) {
	if o.inside.Add(1) > 1 {
		o.overlaps.Add(1)
	}
	runtime.Gosched() // who is wrong to come in meanwhile shall have the time to
	return func() { o.inside.Add(-1) }
}

func (o *observer) Init(context.Context, *mabeam.Agent) error {
	defer o.enter()()
	o.inits.Add(1)
	return nil
}

func (o *observer) Terminate(context.Context, *mabeam.Agent, error) {
	defer o.enter()()
	o.terminates.Add(1)
}

func (o *observer) HandleSignal(_ context.Context, _ *mabeam.Agent, s mabeam.Signal) {
	defer o.enter()()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signals = append(o.signals, s)
}

func (o *observer) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	defer o.enter()()
	switch action {
	case "note":
		o.mu.Lock()
		defer o.mu.Unlock()
		o.notes = append(o.notes, params)
		return params, nil
	case "block":
		h := params.(*blocker)
		close(h.entered)
		end := time.NewTimer(h.within)
		defer end.Stop()
		select {
		case <-h.release:
		case <-end.C:
		}
		return nil, nil
	case "heed":
		params.(*heeder).heed(ctx)
		return nil, nil
	case "publish":
		e := params.(mabeam.Event)
		return nil, self.Publish(ctx, e.Type, e.Data)
	case "signal":
		return nil, self.Signal(params.(mabeam.Signal))
	case "fail":
		return nil, errObserved
	case "panic":
		panic("panics on purpose")
	}
	return nil, mabeam.ErrUnknownAction
}

// takeSignals returns the signals recorded since the last call.
func (o *observer) takeSignals() []mabeam.Signal {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.signals
	o.signals = nil
	return taken
}

// takeNotes returns the parameters of the note actions since the last call.
func (o *observer) takeNotes() []any {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.notes
	o.notes = nil
	return taken
}

// observerMailbox is the capacity of the observers' mailboxes.
const observerMailbox = 64

// observersWithin bounds all that is asked of one system of observers, so that a
// system which loses what it accepted costs some time and no more. A healthy one takes
// a small part of it.
const observersWithin = 4 * time.Second

// observation is a system with observers, to hold exact rules against.
type observation struct {
	system    *mabeam.System
	ids       []string
	observers []*observer
}

// observe starts a system with n observers.
func observe(ctx context.Context, env *stress.Env, n int) (*observation, error) {
	system, err := mabeam.Start(ctx, mabeam.Options{Mailbox: observerMailbox})
	if err != nil {
		return nil, err
	}
	o := &observation{system: system}
	for range n {
		if _, _, err := o.add(ctx); err != nil {
			stopSystem(ctx, env, system)
			return nil, err
		}
	}
	return o, nil
}

// add starts one more observer.
func (o *observation) add(ctx context.Context) (string, *observer, error) {
	b := &observer{}
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "observer", Behaviour: b})
	if err == nil {
		o.ids, o.observers = append(o.ids, id), append(o.observers, b)
	}
	return id, b, err
}

// ask has an observer carry out an action, and gives it settleWithin.
func (o *observation) ask(ctx context.Context, id, action string, params any) (any, error) {
	limited, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	return o.system.Execute(limited, id, action, params)
}

// block keeps an observer busy until release is called. It says false if the observer
// does not begin.
func (o *observation) block(ctx context.Context, id string) (release func(), ok bool) {
	h := newBlocker(2 * settleWithin)
	release = sync.OnceFunc(func() { close(h.release) })
	limited, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if o.system.Tell(limited, id, "block", h) != nil {
		return release, false
	}
	select {
	case <-h.entered:
		return release, true
	case <-limited.Done():
		return release, false
	}
}

// blockAll keeps all observers busy until release is called.
func (o *observation) blockAll(ctx context.Context) (release func(), ok bool) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for _, id := range o.ids {
		one, ok := o.block(ctx, id)
		releases = append(releases, one)
		if !ok {
			return release, false
		}
	}
	return release, true
}

// sync waits until an observer has handled what it accepted before, for settleWithin
// at most, and says whether it has.
func (o *observation) sync(ctx context.Context, id string) bool {
	var err error
	settle(ctx, func() bool {
		_, err = o.ask(ctx, id, "sync", nil)
		return errors.Is(err, mabeam.ErrMailboxFull)
	})
	return errors.Is(err, mabeam.ErrUnknownAction)
}

// overlaps is how often an observer was called while a callback of it ran.
func (o *observation) overlaps() (n int64) {
	for _, b := range o.observers {
		n += b.overlaps.Load()
	}
	return n
}

// observed carries out a check with n observers on a system of their own.
func observed(ctx context.Context, env *stress.Env, n int, check func(ctx context.Context, o *observation) error) error {
	o, err := observe(ctx, env, n)
	if err != nil {
		return err
	}
	defer stopSystem(ctx, env, o.system)
	limited, cancel := context.WithTimeout(ctx, observersWithin)
	defer cancel()
	if err := check(limited, o); err != nil {
		return err
	}
	return ctx.Err()
}

// pause gives others a chance to do what they must not do.
func pause(ctx context.Context) { load.Sleep(ctx, 2*time.Millisecond) }
