package measure

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// checkActionCalls holds what is told of actions: to agents that ask each other in a ring, to
// callers of an agent that dies, to who listens to events, and to who inspects.
func checkActionCalls(ctx context.Context, o *fixture, broken *checker) {
	checkDeadlock(ctx, o, broken)
	checkCrashWithCallers(ctx, o, broken)
	checkActionEvents(ctx, o, broken)
	checkAgentSubscriptions(ctx, o, broken)
	broken.expect(o.signalled(ctx), "a signal that an agent sent does not have its type, data, source, id and time")
	checkInspection(ctx, o, broken)
}

// An asker is an agent that passes a question on to the first of the agents that it is
// given, with the others of them; the last one answers with its own id.
type forwarder struct{ mabeam.Defaults }

func (forwarder) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	next := params.([]string)
	if len(next) == 0 {
		return self.ID(), nil
	}
	return self.Execute(ctx, next[0], action, next[1:])
}

// checkDeadlock has agents ask each other in a row, which ends, in a ring, which cannot, and
// then in a row the other way round.
func checkDeadlock(ctx context.Context, o *fixture, broken *checker) {
	ids := make([]string, 3)
	for i := range ids {
		var err error
		ids[i], err = o.system.StartAgent(ctx, mabeam.Spec{Type: "asker", Behaviour: forwarder{}})
		broken.expect(err == nil, "an agent did not start")
	}
	for range 2 { // the second time after a ring was found
		answer, err := o.ask(ctx, ids[0], "pass", ids[1:])
		broken.expect(err == nil && answer == ids[2], "the last of three agents that ask each other did not answer the first one's caller")
		_, err = o.ask(ctx, ids[0], "pass", []string{ids[1], ids[2], ids[0]})
		var ring *mabeam.DeadlockError
		broken.expect(errors.As(err, &ring) && len(ring.Ring) == len(ids) && !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(ring.Ring, id) }),
			"agents that wait for each other in a ring were not told with a DeadlockError that names them all")
	}
	answer, err := o.ask(ctx, ids[2], "pass", []string{ids[1], ids[0]})
	broken.expect(err == nil && answer == ids[0], "agents that were answered, and are asked back, were taken for ones that still wait")
	for _, id := range ids {
		broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
	}
}

// checkCrashWithCallers has an agent panic while actions, and a caller, wait for it.
func checkCrashWithCallers(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	before := o.system.Telemetry()
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok && o.system.Tell(ctx, id, "panic", nil) == nil, "an agent did not accept an action although it had room")
	o.fill(ctx, id, queuedActions, broken)
	waiting := make(chan error, 1)
	go func() { _, err := o.ask(ctx, id, "note", 0); waiting <- err }()
	waitWhile(ctx, func() bool { info, err := o.system.Agent(id); return err == nil && info.Mailbox < queuedActions+3 })
	release()
	broken.expect(errors.Is(<-waiting, mabeam.ErrCrashed), "an action that waited for an agent that panicked was not refused with ErrCrashed")
	o.checkGone(id, broken)
	waitWhile(ctx, func() bool { return b.terminates.Load() == 0 })
	broken.expect(len(b.takeNotes()) == 0 && b.terminates.Load() == 1, "an agent that has panicked did something, or its Terminate did not run exactly once")
	const failed = 1 + queuedActions + 1 // the panic, what was told, what was asked
	miscounts := func() bool {
		now := o.system.Telemetry()
		return now.ActionsFailed-before.ActionsFailed != failed || now.ActionsDone-before.ActionsDone != 1 || now.MailboxDepth != before.MailboxDepth
	}
	waitWhile(ctx, miscounts)
	broken.expect(!miscounts(), "the telemetry does not count the actions that an agent which panicked has done, failed and left")
}

// checkActionEvents compares the events that tell of actions with the actions.
func checkActionEvents(ctx context.Context, o *fixture, broken *checker) {
	for _, kind := range []struct {
		eventType, action string
		times             int64
		fails             bool
	}{
		{mabeam.EventActionExecuted, "note", 7, false},
		{mabeam.EventActionFailed, "fail", 3, true},
	} {
		var heard atomic.Int64
		s, err := o.system.Bus().Subscribe(kind.eventType, func(_ context.Context, e mabeam.Event) {
			data, ok := e.Data.(mabeam.ActionData)
			if ok && e.Source == o.ids[0] && data.AgentID == o.ids[0] && data.Action == kind.action && (data.Error != "") == kind.fails {
				heard.Add(1)
			}
		}, mabeam.SubscribeOptions{})
		if !broken.expect(err == nil, "nobody could subscribe to the events that tell of actions") {
			return
		}
		for i := range kind.times {
			_, _ = o.ask(ctx, o.ids[0], kind.action, i)
		}
		waitWhile(ctx, func() bool { return heard.Load() < kind.times })
		broken.expect(heard.Load() == kind.times, "the events that tell of actions done and failed are not one for each action")
		s.Unsubscribe()
	}
	o.spies[0].takeNotes()
}

// checkAgentSubscriptions has an agent hear events that others and agents publish, and
// ends its subscriptions one after the other.
func checkAgentSubscriptions(ctx context.Context, o *fixture, broken *checker) {
	h, before := &eventSpy{pattern: "heard.*"}, o.system.Telemetry().Subscriptions
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "hearer", Behaviour: h})
	if !broken.expect(err == nil, "an agent that subscribes did not start") {
		return
	}
	hears := func(n int64) bool {
		h.received.Store(0)
		broken.expect(o.system.Bus().Publish(ctx, mabeam.Event{Type: eventSpyType}) == nil, "an event was not published")
		waitWhile(ctx, func() bool { return h.received.Load() < n })
		pause(ctx)
		return h.received.Load() == n
	}
	info, err := o.system.Agent(id)
	broken.expect(err == nil && slices.Equal(slices.Sorted(slices.Values(info.Subscriptions)), []string{"heard.*", eventSpyType}), "an agent does not show what it has subscribed to")
	broken.expect(hears(2), "an agent did not handle an event once for each of its subscriptions that match it")
	broken.expect(o.restart(ctx, id) == nil && hears(2), "an agent that was restarted did not handle an event once for each of its subscriptions that match it")
	broken.expect(o.published(ctx, h), "an event that an agent published does not have its type, data, source, id and time")
	h.byType.Unsubscribe()
	pause(ctx)
	broken.expect(hears(1), "an agent that has ended one of two subscriptions did not handle an event just for the other one")
	broken.expect(o.stop(ctx, id) == nil && hears(0), "an agent that has stopped handled an event")
	broken.expect(o.system.Telemetry().Subscriptions == before, "the telemetry counts subscriptions that have ended")
}

// published says whether an event that an agent publishes reaches one with two
// subscriptions that match it as it should.
func (o *fixture) published(ctx context.Context, h *eventSpy) bool {
	h.received.Store(0)
	began := time.Now()
	_, err := o.ask(ctx, o.ids[0], "publish", mabeam.Event{Type: eventSpyType, Data: 7})
	waitWhile(ctx, func() bool { return h.received.Load() < 2 })
	e := h.last.Load()
	return err == nil && e != nil && e.Type == eventSpyType && e.Source == o.ids[0] && e.Data == 7 && e.ID != 0 && isBetween(e.Timestamp, began)
}

// signalled says whether a signal that an agent sends to itself reaches it as it should.
func (o *fixture) signalled(ctx context.Context) bool {
	o.spies[0].takeSignals()
	began := time.Now()
	_, err := o.ask(ctx, o.ids[0], "signal", mabeam.Signal{Type: "noted", Data: 7, Target: o.ids[0]})
	synced := o.awaitIdle(ctx, o.ids[0])
	got := o.spies[0].takeSignals()
	return err == nil && synced && len(got) == 1 && got[0].Type == "noted" && got[0].Source == o.ids[0] && got[0].Data == 7 && got[0].ID != "" &&
		isBetween(got[0].Timestamp, began)
}

// checkInspection looks at a busy agent as who watches the system does.
func checkInspection(ctx context.Context, o *fixture, broken *checker) {
	inspector := o.system.Inspect()
	defer inspector.Close()
	id, _ := o.startSpy(ctx, broken)
	_, _ = o.ask(ctx, id, "note", 0)
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	o.fill(ctx, id, queuedActions, broken)
	views, total := inspector.Agents(1, mabeam.ByMailbox)
	if broken.expect(len(views) == 1 && total == 1+len(o.ids), "an inspector does not show as many agents as it is asked for, or not how many there are") {
		v := views[0]
		broken.expect(v.ID == id && v.Type == "fresh" && v.Lifecycle == mabeam.Busy && v.Mailbox == queuedActions+1 && v.MailboxCapacity == fixtureMailbox && v.MemoryBytes > 0,
			"an inspector does not show the busiest agent as it is")
	}
	release()
	o.awaitIdle(ctx, id)
	r, found := inspector.Agent(id)
	broken.expect(found && r.ActionsDone == queuedActions+2 && slices.Equal(r.Capabilities, []string{"fresh"}), "an inspector does not show what an agent has done")
	broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
	_, found = inspector.Agent(id)
	broken.expect(!found, "an inspector shows an agent that has stopped")
}
