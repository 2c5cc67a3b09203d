package mabeam

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A busy agent is suspended as soon as it has finished what it is at: the rest of what
// it has taken out of its mailbox waits, and so do signals and events.
func TestBusyAgentIsSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		done := 0
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			init: func(self *Agent) error { _, err := self.Subscribe("e"); return err },
			action: func(context.Context, *Agent, string, any) (any, error) {
				time.Sleep(time.Second)
				done++
				return nil, nil
			},
			signal: func(*Agent, Signal) { done++ },
			event:  func(*Agent, Event) { done++ },
		}})
		info := func() Info {
			info, err := s.Agent(id)
			if err != nil {
				t.Fatal(err)
			}
			return info
		}
		if err := s.SuspendAgent(id); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if err := s.Tell(t.Context(), id, "work", nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // the second of five
		synctest.Wait()
		if err := s.SuspendAgent(id); err != nil {
			t.Fatalf("while busy: %v", err)
		}
		if err := s.SuspendAgent(id); err == nil {
			t.Error("suspended twice")
		}
		err := errors.Join(s.Signal(Signal{Type: "s"}, id), s.Bus().Publish(t.Context(), Event{Type: "e"}))
		if err != nil {
			t.Fatal(err)
		}
		if l := info().Lifecycle; l != Busy {
			t.Errorf("%v while it finishes", l)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := info(); now.Lifecycle != Suspended || done != 2 || now.Mailbox < 3 {
			t.Errorf("%v, %d done, %d wait", now.Lifecycle, done, now.Mailbox)
		}
		if depth := s.Telemetry().MailboxDepth; depth != int64(info().Mailbox) {
			t.Errorf("the gauge says %d", depth)
		}
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := info(); now.Lifecycle != Ready || done != 7 || now.Mailbox != 0 {
			t.Errorf("%v, %d done, %d wait", now.Lifecycle, done, now.Mailbox)
		}
	})
}

// The wish that a busy agent be suspended can be taken back, and does not outlive a stop.
func TestWishToSuspendIsTakenBack(t *testing.T) {
	for _, how := range []string{"resume", "stop"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				done := 0
				id := startAgent(t, s, Spec{Behaviour: &scripted{
					action: func(context.Context, *Agent, string, any) (any, error) {
						time.Sleep(time.Second)
						done++
						return nil, nil
					},
				}})
				for range 2 {
					if err := s.Tell(t.Context(), id, "work", nil); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if err := s.SuspendAgent(id); err != nil {
					t.Fatal(err)
				}
				var err error
				if how == "resume" {
					err = s.ResumeAgent(id)
				} else {
					err = s.StopAgent(t.Context(), id)
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if done != 2 {
					t.Errorf("%d done, want 2", done)
				}
			})
		})
	}
}

// What is left of a batch does not go back into the mailbox of an agent that was killed
// meanwhile: nobody would answer it.
func TestNothingIsPutBackAfterTheEnd(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{}})
	a := s.agents.Get(id)
	left := &batch{messages: []workItem{{action: "x"}}}
	a.mailbox.unhandled.Add(2)
	if !a.mailbox.requeue(a, left, 0) {
		t.Error("not put back while the agent lives")
	}
	s.KillAgent(id)
	if a.mailbox.requeue(a, left, 0) || !a.mailbox.empty() {
		t.Error("put back after the agent's end")
	}
}
