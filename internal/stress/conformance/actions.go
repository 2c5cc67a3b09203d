package conformance

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/resources"
)

// checkActionCalls checks what callers, event subscribers and inspectors learn of actions.
func (f *fixture) checkActionCalls(ctx context.Context) {
	f.checkDeadlock(ctx)
	f.checkCrashWithCallers(ctx)
	f.checkActionEvents(ctx)
	f.checkAgentSubscriptions(ctx)
	f.Expect(f.receivesOwnSignal(ctx), "a signal from an agent lacks its type, data, source, id or time")
	f.checkInspection(ctx)
}

// forward passes a call on to the first of the ids in its parameters, with the others as
// parameters. The last agent returns its own id.
func forward(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	next := params.([]string)
	if len(next) == 0 {
		return self.ID(), nil
	}
	return self.Execute(ctx, next[0], action, next[1:])
}

// checkDeadlock lets agents call each other in a row, then in a ring, which must fail, and
// then in a row in the opposite direction.
func (f *fixture) checkDeadlock(ctx context.Context) {
	ids := make([]string, 3)
	for i := range ids {
		var err error
		ids[i], err = f.system.StartAgent(ctx, mabeam.Spec{Type: "forwarder", Behaviour: actionAgent{handle: forward}})
		f.Expect(err == nil, "an agent did not start")
	}
	for range 2 { // the second time after a deadlock was found
		answer, err := f.execute(ctx, ids[0], "forward", ids[1:])
		f.Expect(err == nil && answer == ids[2], "a chain of three agents did not return the answer of the last one")
		_, err = f.execute(ctx, ids[0], "forward", []string{ids[1], ids[2], ids[0]})
		var ring *mabeam.DeadlockError
		f.Expect(errors.As(err, &ring) && len(ring.Ring) == len(ids) && !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(ring.Ring, id) }),
			"a ring of waiting agents did not get a DeadlockError that names all of them")
	}
	answer, err := f.execute(ctx, ids[2], "forward", []string{ids[1], ids[0]})
	f.Expect(err == nil && answer == ids[0], "agents that had their answer were treated as still waiting when they were called back")
	f.expectStop(ctx, ids...)
}

// checkCrashWithCallers lets an agent panic while actions and a caller wait for it.
func (f *fixture) checkCrashWithCallers(ctx context.Context) {
	id, s := f.startSpy(ctx)
	before := f.system.Telemetry()
	release, _ := f.block(ctx, id)
	defer release()
	f.Expect(f.system.Tell(ctx, id, "panic", nil) == nil, "an agent with free mailbox capacity did not accept an action")
	f.fill(ctx, id, queuedActions)
	waiting := make(chan error, 1)
	go func() { _, err := f.execute(ctx, id, "note", 0); waiting <- err }()
	resources.WaitWhile(ctx, func() bool { info, err := f.system.Agent(id); return err == nil && info.Mailbox < queuedActions+3 })
	release()
	f.Expect(errors.Is(<-waiting, mabeam.ErrCrashed), "a queued action of an agent that panicked did not return ErrCrashed")
	f.checkGone(id)
	resources.WaitWhile(ctx, func() bool { return s.terminates.Load() == 0 })
	f.Expect(len(s.takeNotes()) == 0 && s.terminates.Load() == 1, "an agent that had panicked handled an action, or its Terminate did not run exactly once")
	const failed = 1 + queuedActions + 1 // the panic, the queued actions and the call
	miscounts := func() bool {
		now := f.system.Telemetry()
		return now.ActionsFailed-before.ActionsFailed != failed || now.ActionsDone-before.ActionsDone != 1 || now.MailboxDepth != before.MailboxDepth
	}
	resources.WaitWhile(ctx, miscounts)
	f.Expect(!miscounts(), "the telemetry does not match the done, failed and queued actions of an agent that panicked")
}

// checkActionEvents compares the events about actions with the actions.
func (f *fixture) checkActionEvents(ctx context.Context) {
	for _, kind := range []struct {
		eventType, action string
		times             int64
		fails             bool
	}{
		{mabeam.EventActionExecuted, "note", 7, false},
		{mabeam.EventActionFailed, "fail", 3, true},
	} {
		var received atomic.Int64
		subscription, err := f.system.Bus().Subscribe(kind.eventType, func(_ context.Context, e mabeam.Event) {
			data, ok := e.Data.(mabeam.ActionData)
			if ok && e.Source == f.ids[0] && data.AgentID == f.ids[0] && data.Action == kind.action && (data.Error != "") == kind.fails {
				received.Add(1)
			}
		}, mabeam.SubscribeOptions{})
		if !f.Expect(err == nil, "subscribing to the events about actions failed") {
			return
		}
		for i := range kind.times {
			_, _ = f.execute(ctx, f.ids[0], kind.action, i)
		}
		resources.WaitWhile(ctx, func() bool { return received.Load() < kind.times })
		f.Expect(received.Load() == kind.times, "the events about done and failed actions are not one for each action")
		subscription.Unsubscribe()
	}
	f.spies[0].takeNotes()
}

// checkAgentSubscriptions checks which events an agent with two subscriptions receives
// while these end one after the other.
func (f *fixture) checkAgentSubscriptions(ctx context.Context) {
	s, before := &eventSpy{pattern: "spy.*"}, f.system.Telemetry().Subscriptions
	id, ok := f.startEventSpy(ctx, s)
	if !ok {
		return
	}
	receives := func(n int64) bool {
		s.received.Store(0)
		f.Expect(f.system.Bus().Publish(ctx, mabeam.Event{Type: eventSpyType}) == nil, "an event was not published")
		resources.WaitWhile(ctx, func() bool { return s.received.Load() < n })
		Pause(ctx)
		return s.received.Load() == n
	}
	info, err := f.system.Agent(id)
	f.Expect(err == nil && slices.Equal(slices.Sorted(slices.Values(info.Subscriptions)), []string{"spy.*", eventSpyType}), "System.Agent does not show the subscriptions of an agent")
	f.Expect(receives(2), "an agent did not handle an event once for each matching subscription")
	f.Expect(f.restart(ctx, id) == nil && receives(2), "a restarted agent did not handle an event once for each matching subscription")
	f.Expect(f.receivesAgentEvent(ctx, s), "an event from an agent lacks its type, data, source, id or time")
	s.byType.Unsubscribe()
	Pause(ctx)
	f.Expect(receives(1), "an agent that ended one of two subscriptions did not handle an event for exactly the other")
	f.Expect(f.stop(ctx, id) == nil && receives(0), "a stopped agent handled an event")
	f.Expect(f.system.Telemetry().Subscriptions == before, "the telemetry counts subscriptions that have ended")
}

// receivesAgentEvent reports whether an event that an agent publishes reaches a spy with
// two matching subscriptions, complete.
func (f *fixture) receivesAgentEvent(ctx context.Context, s *eventSpy) bool {
	s.received.Store(0)
	began := time.Now()
	_, err := f.execute(ctx, f.ids[0], "publish", mabeam.Event{Type: eventSpyType, Data: 7})
	resources.WaitWhile(ctx, func() bool { return s.received.Load() < 2 })
	e := s.last.Load()
	return err == nil && e != nil && e.Type == eventSpyType && e.Source == f.ids[0] && e.Data == 7 && e.ID != 0 && isBetween(e.Timestamp, began)
}

// receivesOwnSignal reports whether a signal that an agent sends to itself arrives,
// complete.
func (f *fixture) receivesOwnSignal(ctx context.Context) bool {
	f.spies[0].takeSignals()
	began := time.Now()
	_, err := f.execute(ctx, f.ids[0], "signal", mabeam.Signal{Type: "noted", Data: 7, Target: f.ids[0]})
	idle := f.awaitIdle(ctx, f.ids[0])
	got := f.spies[0].takeSignals()
	return err == nil && idle && len(got) == 1 && got[0].Type == "noted" && got[0].Source == f.ids[0] && got[0].Data == 7 && got[0].ID != "" &&
		isBetween(got[0].Timestamp, began)
}

// checkInspection inspects a busy agent.
func (f *fixture) checkInspection(ctx context.Context) {
	inspector := f.system.Inspect()
	defer inspector.Close()
	id, _ := f.startSpy(ctx)
	_, _ = f.execute(ctx, id, "note", 0)
	release, _ := f.block(ctx, id)
	defer release()
	f.fill(ctx, id, queuedActions)
	views, total := inspector.Agents(1, mabeam.ByMailbox)
	if f.Expect(len(views) == 1 && total == 1+len(f.ids), "an inspector does not return the requested number of agents and their total") {
		v := views[0]
		f.Expect(v.ID == id && v.Type == "fresh" && v.Lifecycle == mabeam.Busy && v.Mailbox == queuedActions+1 && v.MailboxCapacity == fixtureMailbox && v.MemoryBytes > 0,
			"an inspector shows wrong data of the busiest agent")
	}
	release()
	f.awaitIdle(ctx, id)
	r, found := inspector.Agent(id)
	f.Expect(found && r.ActionsDone == queuedActions+2 && slices.Equal(r.Capabilities, []string{"fresh"}), "an inspector shows wrong counts of an agent's actions")
	f.expectStop(ctx, id)
	_, found = inspector.Agent(id)
	f.Expect(!found, "an inspector shows a stopped agent")
}
