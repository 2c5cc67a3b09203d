package measure

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// fixtureMailbox is the capacity of the observers' mailboxes.
const fixtureMailbox = 64

// fixtureTimeout bounds all that is asked of one system of observers, so that a
// system which loses what it accepted costs some time and no more. A healthy one takes
// a small part of it.
const fixtureTimeout = 4 * time.Second

// observation is a system with observers, to hold exact rules against.
type fixture struct {
	system *mabeam.System
	ids    []string
	spies  []*spy
}

// observe starts a system with n observers.
func newFixture(ctx context.Context, env *stress.Env, n int) (*fixture, error) {
	system, err := mabeam.Start(ctx, mabeam.Options{Mailbox: fixtureMailbox})
	if err != nil {
		return nil, err
	}
	o := &fixture{system: system}
	for range n {
		if _, _, err := o.add(ctx); err != nil {
			stopSystem(ctx, env, system)
			return nil, err
		}
	}
	return o, nil
}

// add starts one more observer.
func (o *fixture) add(ctx context.Context) (string, *spy, error) {
	b := &spy{}
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "observer", Behaviour: b})
	if err == nil {
		o.ids, o.spies = append(o.ids, id), append(o.spies, b)
	}
	return id, b, err
}

// ask has an observer carry out an action, and gives it settleTimeout.
func (o *fixture) ask(ctx context.Context, id, action string, params any) (any, error) {
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return o.system.Execute(limited, id, action, params)
}

// block keeps an observer busy until release is called. It says false if the observer
// does not begin.
func (o *fixture) block(ctx context.Context, id string) (release func(), ok bool) {
	h := newBlockRequest(2 * settleTimeout)
	release = sync.OnceFunc(func() { close(h.release) })
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
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
func (o *fixture) blockAll(ctx context.Context) (release func(), ok bool) {
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

// sync waits until an observer has handled what it accepted before, for settleTimeout
// at most, and says whether it has.
func (o *fixture) awaitIdle(ctx context.Context, id string) bool {
	var err error
	waitWhile(ctx, func() bool {
		_, err = o.ask(ctx, id, "sync", nil)
		return errors.Is(err, mabeam.ErrMailboxFull)
	})
	return errors.Is(err, mabeam.ErrUnknownAction)
}

// overlaps is how often an observer was called while a callback of it ran.
func (o *fixture) overlaps() (n int64) {
	for _, b := range o.spies {
		n += b.overlaps.Load()
	}
	return n
}

// observed carries out a check with n observers on a system of their own.
func withFixture(ctx context.Context, env *stress.Env, n int, check func(ctx context.Context, o *fixture) error) error {
	o, err := newFixture(ctx, env, n)
	if err != nil {
		return err
	}
	defer stopSystem(ctx, env, o.system)
	limited, cancel := context.WithTimeout(ctx, fixtureTimeout)
	defer cancel()
	if err := check(limited, o); err != nil {
		return err
	}
	return ctx.Err()
}

// pause gives others a chance to do what they must not do.
func pause(ctx context.Context) { load.Sleep(ctx, 2*time.Millisecond) }

// isBetween says whether a moment lies between an earlier one and now.
func isBetween(at, began time.Time) bool { return !at.Before(began) && !at.After(time.Now()) }

// fresh starts an observer that the caller ends.
func (o *fixture) startSpy(ctx context.Context, broken *checker) (string, *spy) {
	b, began := &spy{}, time.Now()
	id, err := o.system.StartAgent(ctx, mabeam.Spec{
		Type: "fresh", Behaviour: b, Capabilities: []string{"fresh"}, ParentID: "parent", Metadata: map[string]any{"key": "value"},
	})
	broken.expect(err == nil && b.inits.Load() == 1, "an agent did not start, or its Init did not run exactly once")
	e, found := o.system.Registry().Lookup(id)
	broken.expect(found && e.ParentID() == "parent" && maps.Equal(e.Metadata(), map[string]any{"key": "value"}) && isBetween(e.CreatedAt(), began),
		"an agent that was started is not registered with its parent, its metadata and the time of its start")
	return id, b
}

// stop stops an agent gracefully within settleTimeout.
func (o *fixture) stop(ctx context.Context, id string) error {
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return o.system.StopAgent(limited, id)
}

// restart restarts an agent within settleTimeout.
func (o *fixture) restart(ctx context.Context, id string) error {
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return o.system.RestartAgent(limited, id)
}

// beginStop begins to stop an agent that is busy, and returns when it has begun. What
// the channel gives is the result, within settleTimeout.
func (o *fixture) beginStop(ctx context.Context, id string) <-chan error {
	stopped := make(chan error, 1)
	go func() { stopped <- o.stop(ctx, id) }()
	waitWhile(ctx, func() bool {
		info, err := o.system.Agent(id)
		return err == nil && info.Lifecycle != mabeam.Terminating
	})
	return stopped
}

// suspend suspends an agent that has nothing to do. One that has just started, or
// answered, may still be busy for a moment.
func (o *fixture) suspend(ctx context.Context, id string, broken *checker) {
	var err error
	waitWhile(ctx, func() bool { err = o.system.SuspendAgent(id); return err != nil })
	broken.expect(err == nil, "an agent that has nothing to do could not be suspended")
}

// fill tells an agent n actions, which it must accept without waiting.
func (o *fixture) fill(ctx context.Context, id string, n int, broken *checker) {
	for i := range n {
		limited, cancel := context.WithTimeout(ctx, settleTimeout)
		broken.expect(o.system.Tell(limited, id, "note", i) == nil, "an agent did not accept an action although it had room")
		cancel()
	}
}

// inOrder says whether the notes are the numbers from 0 to n-1.
func inOrder(notes []any, n int) bool {
	for i, note := range notes {
		if note != i {
			return false
		}
	}
	return len(notes) == n
}

// ended checks that an agent is found nowhere any more.
func (o *fixture) checkGone(id string, broken *checker) {
	liveAgents{id: {Type: "fresh", Capabilities: []string{"fresh"}}}.checkGone(broken, o.system)
}

// awaitDepth waits until an agent has so many messages, at work and waiting.
func (o *fixture) awaitDepth(ctx context.Context, id string, n int) bool {
	has := func() bool { info, err := o.system.Agent(id); return err == nil && info.Mailbox == n }
	waitWhile(ctx, func() bool { return !has() })
	return has()
}
