package conformance

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// fixtureMailbox is the mailbox capacity of the agents of a fixture.
const fixtureMailbox = 64

// fixtureTimeout bounds all checks on one fixture, so that a system that loses accepted
// work costs a few seconds and no more. A healthy system needs a small part of it.
const fixtureTimeout = 4 * time.Second

// A fixture is a system with spies on which checks run. It counts violations with its
// checker.
type fixture struct {
	*Checker
	system *mabeam.System
	ids    []string // of the spies
	spies  []*spy
}

// newFixture starts a system with n spies.
func newFixture(ctx context.Context, violations *Checker, n int) (*fixture, error) {
	system, err := mabeam.Start(ctx, mabeam.Options{Mailbox: fixtureMailbox})
	if err != nil {
		return nil, err
	}
	f := &fixture{Checker: violations, system: system}
	for range n {
		if _, _, err := f.addSpy(ctx); err != nil {
			StopSystem(ctx, violations.recorder, system)
			return nil, err
		}
	}
	return f, nil
}

// withFixture runs a check on a new fixture with n spies.
func withFixture(ctx context.Context, violations *Checker, n int, check func(ctx context.Context, f *fixture) error) error {
	f, err := newFixture(ctx, violations, n)
	if err != nil {
		return err
	}
	defer StopSystem(ctx, violations.recorder, f.system)
	limited, cancel := context.WithTimeout(ctx, fixtureTimeout)
	defer cancel()
	if err := check(limited, f); err != nil {
		return err
	}
	return ctx.Err()
}

// addSpy starts one more spy.
func (f *fixture) addSpy(ctx context.Context) (string, *spy, error) {
	s := &spy{}
	id, err := f.system.StartAgent(ctx, mabeam.Spec{Type: "spy", Behaviour: s})
	if err == nil {
		f.ids, f.spies = append(f.ids, id), append(f.spies, s)
	}
	return id, s, err
}

// startSpy starts a spy that the caller stops, and checks its registration.
func (f *fixture) startSpy(ctx context.Context) (string, *spy) {
	s, began := &spy{}, time.Now()
	id, err := f.system.StartAgent(ctx, mabeam.Spec{
		Type: "fresh", Behaviour: s, Capabilities: []string{"fresh"}, ParentID: "parent", Metadata: map[string]any{"key": "value"},
	})
	f.Expect(err == nil && s.inits.Load() == 1, "an agent did not start, or its Init did not run exactly once")
	e, found := f.system.Registry().Lookup(id)
	f.Expect(found && e.ParentID() == "parent" && maps.Equal(e.Metadata(), map[string]any{"key": "value"}) && isBetween(e.CreatedAt(), began),
		"the registration of a new agent lacks its parent, metadata or start time")
	return id, s
}

// execute runs an action within resources.SettleTimeout.
func (f *fixture) execute(ctx context.Context, id, action string, params any) (any, error) {
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	return f.system.Execute(limited, id, action, params)
}

// fill queues n actions, which the agent must accept without blocking.
func (f *fixture) fill(ctx context.Context, id string, n int) {
	for i := range n {
		limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
		f.Expect(f.system.Tell(limited, id, "note", i) == nil, "an agent with free mailbox capacity did not accept an action")
		cancel()
	}
}

// block keeps a spy busy until release is called. It returns false, and counts a
// violation, if the spy does not start the action.
func (f *fixture) block(ctx context.Context, id string) (release func(), ok bool) {
	request := newBlockRequest(2 * resources.SettleTimeout)
	release = sync.OnceFunc(func() { close(request.release) })
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	if err := f.system.Tell(limited, id, "block", request); err == nil {
		select {
		case <-request.entered:
			ok = true
		case <-limited.Done():
		}
	}
	return release, f.Expect(ok, "an agent did not start an action that it had accepted")
}

// blockAll keeps all spies busy until release is called.
func (f *fixture) blockAll(ctx context.Context) (release func(), ok bool) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for _, id := range f.ids {
		one, ok := f.block(ctx, id)
		releases = append(releases, one)
		if !ok {
			return release, false
		}
	}
	return release, true
}

// awaitIdle waits until a spy has handled what it accepted before, for at most
// resources.SettleTimeout, and reports whether it has.
func (f *fixture) awaitIdle(ctx context.Context, id string) bool {
	var err error
	resources.WaitWhile(ctx, func() bool {
		_, err = f.execute(ctx, id, "sync", nil)
		return errors.Is(err, mabeam.ErrMailboxFull)
	})
	return errors.Is(err, mabeam.ErrUnknownAction)
}

// awaitDepth waits until an agent has n messages, including the one it handles.
func (f *fixture) awaitDepth(ctx context.Context, id string, n int) bool {
	has := func() bool { info, err := f.system.Agent(id); return err == nil && info.Mailbox == n }
	resources.WaitWhile(ctx, func() bool { return !has() })
	return has()
}

// suspend suspends an idle agent. An agent that has just started or replied may be busy
// for another moment.
func (f *fixture) suspend(ctx context.Context, id string) {
	var err error
	resources.WaitWhile(ctx, func() bool { err = f.system.SuspendAgent(id); return err != nil })
	f.Expect(err == nil, "an idle agent could not be suspended")
}

// restart restarts an agent within resources.SettleTimeout.
func (f *fixture) restart(ctx context.Context, id string) error {
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	return f.system.RestartAgent(limited, id)
}

// stop stops an agent gracefully within resources.SettleTimeout.
func (f *fixture) stop(ctx context.Context, id string) error {
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	return f.system.StopAgent(limited, id)
}

// expectStop stops agents and counts those that do not stop.
func (f *fixture) expectStop(ctx context.Context, ids ...string) {
	for _, id := range ids {
		f.Expect(f.stop(ctx, id) == nil, "an agent did not stop")
	}
}

// beginStop starts to stop a busy agent, and returns when the agent is terminating. The
// channel receives the result within resources.SettleTimeout.
func (f *fixture) beginStop(ctx context.Context, id string) <-chan error {
	stopped := make(chan error, 1)
	go func() { stopped <- f.stop(ctx, id) }()
	resources.WaitWhile(ctx, func() bool {
		info, err := f.system.Agent(id)
		return err == nil && info.Lifecycle != mabeam.Terminating
	})
	return stopped
}

// checkGone checks that the system no longer finds an agent of startSpy.
func (f *fixture) checkGone(id string) {
	LiveAgents{id: {Type: "fresh", Capabilities: []string{"fresh"}}}.CheckGone(f.Checker, f.system)
}

// overlaps is how often a spy was called during another of its callbacks.
func (f *fixture) overlaps() (n int64) {
	for _, s := range f.spies {
		n += s.overlaps.Load()
	}
	return n
}

// Pause gives a faulty system time to do what it must not do.
func Pause(ctx context.Context) { load.Sleep(ctx, 2*time.Millisecond) }

// isBetween reports whether at lies between began and now.
func isBetween(at, began time.Time) bool { return !at.Before(began) && !at.After(time.Now()) }

// inOrder reports whether the notes are the numbers from 0 to n-1.
func inOrder(notes []any, n int) bool {
	for i, note := range notes {
		if note != i {
			return false
		}
	}
	return len(notes) == n
}
