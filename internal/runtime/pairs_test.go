package mabeam

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mabeam-top/internal/runtime/internal/scheduler"
)

// Two or three things that meet on one agent, over and over: what lies between
// the steps of one is where another may go wrong. An agent that is forgotten
// makes a pair hang.
func TestThingsThatMeet(t *testing.T) {
	ctx := context.Background()
	const id = "agent"
	// told holds what the agent was told first and second, in its order.
	var told []string
	spec := Spec{ID: id, Behaviour: &scripted{action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
		switch action {
		case "subscribe":
			_, err := self.Subscribe("x")
			return nil, err
		case "first", "second":
			told = append(told, action)
		}
		return nil, nil
	}}}
	for _, c := range []struct {
		name   string
		before func(*System)
		meet   []func(*System)
		after  func(*testing.T, *System)
	}{
		{
			name: "suspend, stop",
			meet: []func(*System){
				func(s *System) { _ = s.SuspendAgent(id) },
				func(s *System) { _ = s.StopAgent(ctx, id) },
			},
		},
		{
			name:   "resume, execute after tell",
			before: func(s *System) { _ = s.SuspendAgent(id); _ = s.Tell(ctx, id, "first", nil) },
			meet: []func(*System){
				func(s *System) { _ = s.ResumeAgent(id) },
				func(s *System) { _, _ = s.Execute(ctx, id, "second", nil) },
			},
			after: func(t *testing.T, _ *System) {
				if len(told) != 2 || told[0] != "first" {
					t.Errorf("the agent was told %v", told)
				}
			},
		},
		{
			name:   "start, tell",
			before: func(s *System) { _ = s.StopAgent(ctx, id) },
			meet: []func(*System){
				func(s *System) { _, _ = s.StartAgent(ctx, spec) },
				func(s *System) {
					for errors.Is(s.Tell(ctx, id, "x", nil), ErrUnknownAgent) {
						runtime.Gosched()
					}
				},
			},
		},
		{
			name:   "start, execute, kill",
			before: func(s *System) { _ = s.StopAgent(ctx, id) },
			meet: []func(*System){
				func(s *System) { _, _ = s.StartAgent(ctx, spec) },
				func(s *System) { _, _ = s.Execute(ctx, id, "x", nil) },
				func(s *System) { s.KillAgent(id) },
			},
		},
		{
			name: "subscribe, kill",
			meet: []func(*System){
				func(s *System) { _, _ = s.Execute(ctx, id, "subscribe", nil) },
				func(s *System) { s.KillAgent(id) },
			},
			after: func(t *testing.T, s *System) {
				if n := s.Telemetry().Subscriptions; n != 0 {
					t.Errorf("%d subscriptions outlive their agent", n)
				}
			},
		},
		{
			name: "stop, kill, tell",
			meet: []func(*System){
				func(s *System) { _ = s.StopAgent(ctx, id) },
				func(s *System) { s.KillAgent(id) },
				func(s *System) { _ = s.Tell(ctx, id, "x", nil) },
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Options{History: -1})
			for range 5000 {
				told = nil
				startAgent(t, s, spec)
				if c.before != nil {
					c.before(s)
				}
				var all sync.WaitGroup
				var here atomic.Int32
				for _, f := range c.meet {
					all.Go(func() {
						here.Add(1)
						for int(here.Load()) < len(c.meet) { // they shall begin at the same moment
							runtime.Gosched()
						}
						f(s)
					})
				}
				all.Wait()
				if c.after != nil {
					c.after(t, s)
				}
				if err := s.StopAgent(ctx, id); err != nil {
					t.Fatal(err)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// More agents at work than are run at once give way to each other, and none is
// forgotten. The time of the bubble stands still, so no more are run meanwhile.
func TestMoreAgentsThanRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{History: -1})
		open := make(chan struct{})
		const agents = 2*scheduler.MaxRunners + 100
		var ids []string
		for range agents {
			ids = append(ids, startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
				<-open
				return nil, nil
			}}}))
		}
		for range 3 {
			for _, id := range ids {
				if err := s.Tell(t.Context(), id, "x", nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		close(open)
		synctest.Wait()
		if n := s.Telemetry().ActionsDone; n != 3*agents {
			t.Errorf("%d of %d actions were done", n, 3*agents)
		}
	})
}

// Who has unsubscribed is forgotten: nothing is published for it any more.
func TestNothingIsPublishedForNobody(t *testing.T) {
	for policy := Block; policy.Known(); policy++ {
		s := start(t, Options{History: -1})
		for _, pattern := range []string{"agent_lifecycle.*", "*", EventAgentStarted} {
			subscribe := s.Bus().SubscribePattern
			if pattern == EventAgentStarted {
				subscribe = s.Bus().Subscribe
			}
			sub, err := subscribe(pattern, func(context.Context, Event) {}, SubscribeOptions{Policy: &policy})
			if err != nil {
				t.Fatal(err)
			}
			startAgent(t, s, DemoSpec())
			before := s.Telemetry().EventsPublished
			sub.Unsubscribe()
			startAgent(t, s, DemoSpec())
			if n := s.Telemetry().EventsPublished - before; before == 0 || n != 0 {
				t.Errorf("policy %v: %d events published after the unsubscription from %q, %d before", policy, n, pattern, before)
			}
		}
	}
}

// What an agent tells itself in Init waits until it is ready, and is refused
// if it never is.
func TestInitThatTellsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fails := range []bool{false, true} {
			s := start(t, Options{})
			spec := Spec{Behaviour: &scripted{
				init: func(self *Agent) error {
					if err := self.Ref().Tell(t.Context(), "x", nil); err != nil {
						t.Error(err)
					}
					if fails {
						return errOwn
					}
					return nil
				},
				action: func(context.Context, *Agent, string, any) (any, error) { return nil, nil },
			}}
			if _, err := s.StartAgent(t.Context(), spec); (err != nil) != fails {
				t.Errorf("start: %v", err)
			}
			synctest.Wait()
			tel := s.Telemetry()
			if int(tel.ActionsFailed) != count(fails) || int(tel.ActionsDone) != count(!fails) || tel.MailboxDepth != 0 {
				t.Errorf("init fails: %v; counted %+v", fails, tel)
			}
		}
	})
}
