package mabeam

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A panic in any callback costs its agent, or its subscription, and nobody
// else; so does the end of the goroutine that a callback runs on, as a failing
// check of a test does it.
func TestCallbackThatDoesNotReturn(t *testing.T) {
	for _, callback := range []string{"init", "execute", "execute with a deadline", "tell", "event", "terminate", "bus handler"} {
		for name, die := range map[string]func(){"panic": func() { panic(errOwn) }, "goexit": runtime.Goexit} {
			t.Run(callback+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := start(t, Options{BusQueue: 4, History: -1})
					dieDuring(t, s, callback, die)
				})
			})
		}
	}
}

func dieDuring(t *testing.T, s *System, callback string, die func()) {
	ctx := context.Background()
	deadline, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	var events atomic.Int32
	neighbour := startAgent(t, s, Spec{Behaviour: &scripted{
		init:   func(self *Agent) error { _, err := self.Subscribe("x"); return err },
		action: func(context.Context, *Agent, string, any) (any, error) { return "well", nil },
		event:  func(*Agent, Event) { events.Add(1) },
	}})
	dieAt := func(here string) {
		if here == callback {
			die()
		}
	}
	victim := Spec{ID: "victim", Behaviour: &scripted{
		init: func(self *Agent) error {
			_, err := self.Subscribe("x")
			dieAt("init")
			return err
		},
		action:    func(_ context.Context, _ *Agent, action string, _ any) (any, error) { dieAt(action); return nil, nil },
		event:     func(*Agent, Event) { dieAt("event") },
		terminate: func(*Agent) { dieAt("terminate") },
	}}
	// A caller may lose its goroutine to the callback, so each has its own.
	do := func(f func()) {
		go f()
		synctest.Wait()
	}
	var err error
	do(func() { _, err = s.StartAgent(ctx, victim) })
	if callback != "init" && err != nil {
		t.Fatal(err)
	}
	if callback == "bus handler" {
		if _, err := s.Bus().Subscribe("x", func(context.Context, Event) { dieAt("bus handler") }, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	behind := make(chan error, 1)
	switch callback {
	case "execute":
		do(func() { _, _ = s.Execute(ctx, "victim", callback, nil) })
	case "execute with a deadline", "tell":
		// Both wait until the agent is resumed.
		if err := s.SuspendAgent("victim"); err != nil {
			t.Fatal(err)
		}
		do(func() {
			if callback == "tell" {
				err = s.Tell(ctx, "victim", callback, nil)
			} else {
				_, err = s.Execute(deadline, "victim", callback, nil)
			}
		})
		do(func() { _, err := s.Execute(deadline, "victim", "behind", nil); behind <- err })
		if err := s.ResumeAgent("victim"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := <-behind; !errors.Is(got, ErrCrashed) {
			t.Errorf("who waited behind it was told %v", got)
		}
		if callback != "tell" && err == nil {
			t.Error("who asked for it was not told")
		}
	case "terminate":
		do(func() { err = s.StopAgent(deadline, "victim") })
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	for range 20 { // more than a queue: nobody may be waited for in vain
		if err := s.Bus().Publish(deadline, Event{Type: "x"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	if n := events.Load(); n != 20 {
		t.Errorf("the neighbour got %d of 20 events", n)
	}
	if v, err := s.Execute(ctx, neighbour, "how are you", nil); v != "well" || err != nil {
		t.Errorf("the neighbour answers %v, %v", v, err)
	}
	_, lives := s.Registry().Lookup("victim")
	tel := s.Telemetry()
	want := Telemetry{Agents: 1, AgentsStarted: 2, AgentsCrashed: 1, Subscriptions: 1}
	switch callback {
	case "init":
		want.AgentsStarted, want.AgentsCrashed = 1, 0
	case "bus handler":
		want.Agents, want.AgentsCrashed, want.Subscriptions = 2, 0, 2
	}
	got := Telemetry{
		Agents: tel.Agents, AgentsStarted: tel.AgentsStarted, AgentsCrashed: tel.AgentsCrashed,
		Subscriptions: tel.Subscriptions, MailboxDepth: tel.MailboxDepth,
	}
	if lives != (callback == "bus handler") || got != want {
		t.Errorf("the victim lives: %v; counted %+v, want %+v", lives, got, want)
	}
	due := int64(20) // of the neighbour, and what else was subscribed for the first or all of them
	switch callback {
	case "event":
		due++
	case "bus handler":
		due += 20 + 1
	}
	if tel.EventsDelivered+tel.EventsDropped != due {
		t.Errorf("%d events are counted as delivered and %d as dropped, of %d", tel.EventsDelivered, tel.EventsDropped, due)
	}
	actions := int64(1)
	switch callback {
	case "execute":
		actions = 2
	case "execute with a deadline", "tell":
		actions = 3
	}
	if tel.ActionsDone != 1 || tel.ActionsDone+tel.ActionsFailed != actions {
		t.Errorf("%d actions are counted as done and %d as failed, of %d", tel.ActionsDone, tel.ActionsFailed, actions)
	}
}

// Whatever is refused after it was accepted is counted as failed, whether
// somebody waits for it or not.
func TestRefusedActionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		id := startAgent(t, s, DemoSpec())
		if err := s.SuspendAgent(id); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for range 3 {
			if err := s.Tell(ctx, id, "ping", nil); err != nil {
				t.Fatal(err)
			}
			go func() {
				if _, err := s.Execute(ctx, id, "ping", nil); !errors.Is(err, ErrKilled) {
					t.Errorf("refused with %v", err)
				}
			}()
		}
		synctest.Wait()
		if n := s.Telemetry().MailboxDepth; n != 6 {
			t.Fatalf("%d messages wait, want 6", n)
		}
		s.KillAgent(id)
		synctest.Wait()
		if tel := s.Telemetry(); tel.ActionsDone != 0 || tel.ActionsFailed != 6 {
			t.Errorf("%d done and %d failed of 6", tel.ActionsDone, tel.ActionsFailed)
		}
	})
}
