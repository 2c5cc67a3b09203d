// Package mabeamtest helps to test agents and what is built of them: systems that clean up
// after themselves, behaviours written in place, probes that record what reached them, and
// listeners that record events.
//
// # Time
//
// The package has no clock of its own: synctest.Test of the standard library gives a test
// one. In its bubble, time passes at once as soon as every goroutine waits, so that a test
// of an hour takes no time, and time.Now tells exactly when something happened. Start the
// system inside the bubble; it is stopped there too, before the bubble ends:
//
//	synctest.Test(t, func(t *testing.T) {
//		system := mabeamtest.Start(t, mabeam.Options{})
//		...
//		time.Sleep(time.Hour) // all timers of an hour are due now
//		synctest.Wait()       // all that they caused is done
//	})
//
// synctest.Wait returns when every agent and subscriber has done what it had to do. After
// it, Probe.Rest and Listener.Rest are complete, which is how a test finds out that
// something did not happen. Outside a bubble, Next and End wait in real time.
package mabeamtest

import (
	"context"
	"fmt"
	"testing"

	mabeam "mabeam-top/internal/runtime"
)

// Start brings up a system that is stopped when the test ends, which fails if that takes
// force or leaves anything behind. The stop has no deadline: an agent that never finishes
// its work keeps the test from ending.
func Start(t testing.TB, o mabeam.Options) *mabeam.System {
	t.Helper()
	s, err := mabeam.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := Leftovers(s); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartAgent starts an agent that must start, and returns its id.
func StartAgent(t testing.TB, s *mabeam.System, spec mabeam.Spec) string {
	t.Helper()
	id, err := s.StartAgent(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Leftovers says what a system has left behind that was stopped: agents, messages,
// subscriptions, groups, goroutines, or lives that were not counted to their end.
func Leftovers(s *mabeam.System) error {
	tel := s.Telemetry()
	if n := s.Registry().Count() + len(s.Registry().All()) + len(s.Registry().ByNode(s.Node())); n != 0 ||
		tel.Agents != 0 || tel.Subscriptions != 0 || tel.MailboxDepth != 0 || tel.HandlersAbandoned != 0 || s.Goroutines() != 0 {
		return fmt.Errorf("left after stop: %d registrations, %d goroutines, %+v", n, s.Goroutines(), tel)
	}
	if groups := s.Groups(); len(groups) > 0 {
		return fmt.Errorf("left after stop: the groups %q", groups)
	}
	if tel.AgentsStarted != tel.AgentsStopped+tel.AgentsCrashed {
		return fmt.Errorf("%d agents were started, %d stopped and %d crashed", tel.AgentsStarted, tel.AgentsStopped, tel.AgentsCrashed)
	}
	return nil
}

// A Script is a behaviour that calls a function for each callback that is set.
type Script struct {
	OnInit      func(ctx context.Context, self *mabeam.Agent) error
	OnAction    func(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error)
	OnSignal    func(ctx context.Context, self *mabeam.Agent, signal mabeam.Signal)
	OnEvent     func(ctx context.Context, self *mabeam.Agent, event mabeam.Event)
	OnAnswer    func(ctx context.Context, self *mabeam.Agent, answer mabeam.AskResult)
	OnTerminate func(ctx context.Context, self *mabeam.Agent, reason error)
}

// Init calls OnInit.
func (b *Script) Init(ctx context.Context, self *mabeam.Agent) error {
	if b.OnInit == nil {
		return nil
	}
	return b.OnInit(ctx, self)
}

// HandleAction calls OnAction. Without it no action is known.
func (b *Script) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if b.OnAction == nil {
		return nil, mabeam.ErrUnknownAction
	}
	return b.OnAction(ctx, self, action, params)
}

// HandleSignal calls OnSignal.
func (b *Script) HandleSignal(ctx context.Context, self *mabeam.Agent, signal mabeam.Signal) {
	if b.OnSignal != nil {
		b.OnSignal(ctx, self, signal)
	}
}

// HandleEvent calls OnEvent.
func (b *Script) HandleEvent(ctx context.Context, self *mabeam.Agent, event mabeam.Event) {
	if b.OnEvent != nil {
		b.OnEvent(ctx, self, event)
	}
}

// HandleAnswer calls OnAnswer.
func (b *Script) HandleAnswer(ctx context.Context, self *mabeam.Agent, answer mabeam.AskResult) {
	if b.OnAnswer != nil {
		b.OnAnswer(ctx, self, answer)
	}
}

// Terminate calls OnTerminate.
func (b *Script) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	if b.OnTerminate != nil {
		b.OnTerminate(ctx, self, reason)
	}
}
