package mabeam

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A reviver begins a further life in its place whenever one has ended.
type reviver struct {
	s     *System
	place *Reservation
	spec  func() Spec
	begun atomic.Int64
	over  atomic.Bool
	lives sync.WaitGroup
}

// revive starts an agent that lives again and again, until the test ends.
func revive(t testing.TB, s *System, id string, spec func() Spec) *reviver {
	t.Helper()
	r := &reviver{s: s, spec: spec}
	var err error
	if r.place, err = s.Reserve(id, r); err != nil {
		t.Fatal(err)
	}
	if _, err := r.place.Start(t.Context(), spec(), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.over.Store(true)
		s.KillAgent(id)
		r.lives.Wait()
		r.place.Release()
	})
	return r
}

func (r *reviver) Ended(*Reservation, Ref) {
	if r.over.Load() || r.place.Dismissed() {
		return
	}
	r.lives.Add(1)
	r.s.Go(func() {
		defer r.lives.Done()
		if _, err := r.place.Start(context.Background(), r.spec(), "it ended"); err == nil {
			r.begun.Add(1)
		}
	})
}

func (r *reviver) Dismissed(*Reservation) {}

// An id that is held is nobody else's, whether there is a life or not, and free again when
// it is given up.
func TestPlaceHoldsItsID(t *testing.T) {
	s := start(t, Options{})
	r := revive(t, s, "a", func() Spec { return Spec{Behaviour: adder{}} })
	r.over.Store(true)
	taken := func() {
		t.Helper()
		inits := 0
		b := &scripted{init: func(*Agent) error { inits++; return nil }}
		if _, err := s.StartAgent(t.Context(), Spec{ID: "a", Behaviour: b}); !errors.Is(err, ErrAlreadyRegistered) || inits != 0 {
			t.Errorf("start: %v after %d calls of Init", err, inits)
		}
		if err := s.Registry().Register(Record{ID: "a"}); !errors.Is(err, ErrAlreadyRegistered) {
			t.Errorf("register: %v", err)
		}
		if _, err := s.Reserve("a", r); !errors.Is(err, ErrAlreadyRegistered) {
			t.Errorf("hold: %v", err)
		}
	}
	taken()
	s.KillAgent("a")
	taken()
	r.place.Release()
	startAgent(t, s, Spec{ID: "a", Behaviour: adder{}})
}

// A life can be ended while its Init runs: at once, and it never becomes ready. Its callback
// counts as abandoned until it returns. Meanwhile the next one can begin.
func TestKillDuringInit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{MaxAgents: 2})
		owner := &reviver{s: s}
		owner.over.Store(true)
		p, err := s.Reserve("a", owner)
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		var reasons []error
		slow := &terminating{init: func(context.Context) error { <-hold; return nil }, ended: func(reason error) { reasons = append(reasons, reason) }}
		ended := make(chan error, 1)
		go func() {
			_, err := p.Start(t.Context(), Spec{Behaviour: slow}, "")
			ended <- err
		}()
		synctest.Wait()
		p.Kill()
		if n := s.Telemetry(); n.HandlersAbandoned != 1 || n.Agents != 0 {
			t.Errorf("%d abandoned, %d agents", n.HandlersAbandoned, n.Agents)
		}
		life, err := p.Start(t.Context(), Spec{Behaviour: adder{}}, "")
		if err != nil {
			t.Fatal(err)
		}
		refused(t, s, "agents: 2 of 2")
		close(hold)
		if err := <-ended; !errors.Is(err, ErrKilled) {
			t.Errorf("the start that was given up: %v", err)
		}
		synctest.Wait()
		if len(reasons) != 1 || !errors.Is(reasons[0], ErrKilled) {
			t.Errorf("Terminate ran for %v", reasons)
		}
		if life.Err() != nil {
			t.Errorf("the next life has ended: %v", life.Err())
		}
		if n := s.Telemetry(); n.HandlersAbandoned != 0 || n.Agents != 1 || n.AgentsStarted != 1 {
			t.Errorf("%d abandoned, %d agents, %d started", n.HandlersAbandoned, n.Agents, n.AgentsStarted)
		}
		if err := life.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		p.Release()
	})
}

type terminating struct {
	Defaults
	init  func(context.Context) error
	ended func(error)
}

func (b *terminating) Init(ctx context.Context, _ *Agent) error { return b.init(ctx) }

func (b *terminating) HandleAction(context.Context, *Agent, string, any) (any, error) {
	return nil, nil
}

func (b *terminating) Terminate(_ context.Context, _ *Agent, reason error) { b.ended(reason) }

// That an agent was killed as soon as it was registered is told after it was told to have
// started, and its owner hears of it.
func TestKillWhileItStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		var told []string
		block := Block
		_, err := s.Bus().SubscribePattern("agent_lifecycle.*", func(_ context.Context, e Event) { told = append(told, e.Type) }, SubscribeOptions{Policy: &block})
		if err != nil {
			t.Fatal(err)
		}
		b := &scripted{init: func(self *Agent) error {
			go func() {
				for s.Registry().Count() == 0 {
					time.Sleep(0)
				}
				s.KillAgent(self.ID())
			}()
			return nil
		}}
		_, _ = s.StartAgent(t.Context(), Spec{Behaviour: b})
		synctest.Wait()
		if tel := s.Telemetry(); tel.Agents != 0 || tel.AgentsStarted != tel.AgentsStopped {
			t.Errorf("%+v", tel)
		}
		if len(told) == 2 && told[0] != EventAgentStarted {
			t.Errorf("told %v", told)
		}
	})
}
