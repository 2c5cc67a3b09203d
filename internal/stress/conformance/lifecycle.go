package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress/resources"
)

// queuedActions is how many actions wait for an agent that is suspended or stopped.
const queuedActions = 10

// CheckLifecycle checks the documented rules of an agent's life and mailbox, and reports
// agent_rules_broken, unless rounds is 0.
func CheckLifecycle(ctx context.Context, r Recorder, rounds int) error {
	if rounds == 0 {
		return nil
	}
	violations := NewChecker(r, "agent_rules_broken")
	err := withFixture(ctx, violations, 1, func(ctx context.Context, f *fixture) error {
		for range rounds {
			before := f.system.Telemetry()
			for _, check := range []func(context.Context){
				f.checkSuspension, f.checkCapacity, f.checkStop, f.checkKill, f.checkPanic, f.checkRestart, f.checkState, f.checkErrors,
			} {
				if ctx.Err() != nil {
					f.Add(1, fmt.Sprintf("the rounds did not finish within %v", fixtureTimeout))
					return nil
				}
				check(ctx)
			}
			now := f.system.Telemetry()
			f.Expect(now.AgentsStarted-before.AgentsStarted == 7 && now.AgentsStopped-before.AgentsStopped == 6 && now.AgentsCrashed-before.AgentsCrashed == 1 &&
				now.AgentsRestarted-before.AgentsRestarted == 1 && now.Agents == before.Agents, "the telemetry does not match the agents started, stopped, crashed and restarted")
		}
		f.checkTermination(ctx)
		f.checkActionCalls(ctx)
		return nil
	})
	if err == nil {
		err = withFixture(ctx, violations, 1, func(ctx context.Context, f *fixture) error {
			f.checkKillReplies(ctx)
			f.checkKillEndsContext(ctx)
			return nil
		})
	}
	violations.Report()
	return err
}

func (f *fixture) checkSuspension(ctx context.Context) {
	id, s := f.startSpy(ctx)
	var transition *mabeam.TransitionError
	f.Expect(errors.As(f.system.ResumeAgent(id), &transition), "ResumeAgent of an agent that is not suspended did not return a TransitionError")
	f.suspend(ctx, id)
	f.Expect(errors.As(f.system.SuspendAgent(id), &transition), "SuspendAgent of a suspended agent did not return a TransitionError")
	f.fill(ctx, id, queuedActions)
	f.Expect(f.system.Signal(mabeam.Signal{Type: "waits"}, id) == nil, "a suspended agent did not accept a signal")
	Pause(ctx)
	info, err := f.system.Agent(id)
	f.Expect(err == nil && info.Lifecycle == mabeam.Suspended && info.Mailbox == queuedActions, "System.Agent does not show a suspended agent as suspended with its queued actions")
	f.Expect(len(s.takeNotes()) == 0 && len(s.takeSignals()) == 0, "a suspended agent handled an action or a signal")
	f.Expect(f.system.ResumeAgent(id) == nil, "a suspended agent could not be resumed")
	f.awaitIdle(ctx, id)
	f.Expect(inOrder(s.takeNotes(), queuedActions) && len(s.takeSignals()) == 1, "a resumed agent did not handle its queue exactly once and in order")
	f.expectStop(ctx, id)
}

func (f *fixture) checkCapacity(ctx context.Context) {
	id, s := f.startSpy(ctx)
	f.suspend(ctx, id)
	f.fill(ctx, id, fixtureMailbox)
	_, err := f.execute(ctx, id, "note", -1)
	f.Expect(errors.Is(err, mabeam.ErrMailboxFull), "Execute to a full mailbox did not return ErrMailboxFull")
	limited, cancel := context.WithTimeout(ctx, time.Millisecond)
	err = f.system.Tell(limited, id, "note", -1)
	cancel()
	f.Expect(errors.Is(err, mabeam.ErrTimeout), "Tell to a full mailbox did not return ErrTimeout at its deadline")
	f.Expect(f.system.ResumeAgent(id) == nil, "a suspended agent could not be resumed")
	f.awaitIdle(ctx, id)
	f.Expect(inOrder(s.takeNotes(), fixtureMailbox), "an agent did not handle the actions of a full mailbox exactly once and in order")
	f.expectStop(ctx, id)
}

func (f *fixture) checkStop(ctx context.Context) {
	id, s := f.startSpy(ctx)
	release, _ := f.block(ctx, id)
	defer release()
	f.fill(ctx, id, queuedActions)
	stopped := f.beginStop(ctx, id)
	_, err := f.execute(ctx, id, "note", -1)
	f.Expect(errors.Is(err, mabeam.ErrStopping), "a stopping agent did not refuse an action with ErrStopping")
	release()
	f.Expect(<-stopped == nil, "an agent did not stop")
	f.Expect(inOrder(s.takeNotes(), queuedActions), "a stopped agent did not handle its queue exactly once and in order")
	f.Expect(s.terminates.Load() == 1 && s.inits.Load() == 1, "Terminate did not run exactly once when an agent was stopped")
	f.checkGone(id)
	f.Expect(f.stop(ctx, id) == nil, "StopAgent of an unknown agent returned an error")
}

func (f *fixture) checkKill(ctx context.Context) {
	id, s := f.startSpy(ctx)
	release, _ := f.block(ctx, id)
	defer release()
	waiting := make(chan error, 1)
	go func() { _, err := f.execute(ctx, id, "note", 0); waiting <- err }()
	resources.WaitWhile(ctx, func() bool { info, err := f.system.Agent(id); return err == nil && info.Mailbox < 2 })
	f.system.KillAgent(id)
	f.checkGone(id)
	f.Expect(errors.Is(<-waiting, mabeam.ErrKilled), "a queued action of a killed agent did not return ErrKilled")
	release()
	Pause(ctx)
	f.Expect(len(s.takeNotes()) == 0 && s.terminates.Load() == 0, "a killed agent handled an action, or its Terminate ran")
}

func (f *fixture) checkPanic(ctx context.Context) {
	id, s := f.startSpy(ctx)
	_, err := f.execute(ctx, id, "panic", nil)
	var panicked *mabeam.PanicError
	f.Expect(errors.As(err, &panicked), "an action that panics did not return a PanicError")
	resources.WaitWhile(ctx, func() bool { _, err := f.system.Ref(id); return err == nil })
	f.checkGone(id)
	resources.WaitWhile(ctx, func() bool { return s.terminates.Load() == 0 })
	f.Expect(s.terminates.Load() == 1, "Terminate did not run exactly once after a panic")
	_, err = f.execute(ctx, f.ids[0], "note", 0)
	f.Expect(err == nil && len(f.spies[0].takeNotes()) == 1, "an agent stopped answering after another agent panicked")
}

func (f *fixture) checkRestart(ctx context.Context) {
	id, err := f.system.StartAgent(ctx, agents.Demo())
	f.Expect(err == nil, "an agent did not start")
	_, err = f.execute(ctx, id, "increment", map[string]any{"amount": 3})
	f.Expect(err == nil, "an agent did not handle an action")
	before, _ := f.system.Agent(id)
	f.Expect(f.restart(ctx, id) == nil, "an agent could not be restarted")
	after, err := f.system.Agent(id)
	state, _ := after.State.(agents.DemoState)
	f.Expect(err == nil && state.Counter == 3 && after.Version == before.Version && after.Type == before.Type && len(after.Capabilities) == len(before.Capabilities) && len(after.Subscriptions) == 1,
		"a restarted agent did not keep its state, version, type, capabilities and subscriptions")
	f.expectStop(ctx, id)
}

func (f *fixture) checkState(ctx context.Context) {
	id, err := f.system.StartAgent(ctx, agents.Demo())
	f.Expect(err == nil, "an agent did not start")
	before, _ := f.system.Agent(id)
	for i := 1; i <= queuedActions; i++ {
		result, err := f.execute(ctx, id, "increment", map[string]any{"amount": 2})
		f.Expect(err == nil && result == 2*i, "increment did not return the sum so far")
		info, err := f.system.Agent(id)
		f.Expect(err == nil && info.Version == before.Version+uint64(i), "a change of the state did not increase its version by one")
	}
	f.expectStop(ctx, id)
}

func (f *fixture) checkErrors(ctx context.Context) {
	id := f.ids[0]
	for _, c := range []struct {
		agent, action string
		want          error
	}{
		{id, "there is no such action", mabeam.ErrUnknownAction},
		{id, "fail", errSpy},
		{unknownAgent, "note", mabeam.ErrUnknownAgent},
	} {
		_, err := f.execute(ctx, c.agent, c.action, nil)
		var action *mabeam.ActionError
		f.Expect(errors.Is(err, c.want) && errors.As(err, &action) && action.Agent == c.agent && action.Action == c.action,
			"the error of an action is not an ActionError that names the agent and the action, and wraps: "+c.want.Error())
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := f.system.Execute(cancelled, id, "note", 0)
	f.Expect(errors.Is(err, context.Canceled), "Execute with a cancelled context did not return context.Canceled")
	f.awaitIdle(ctx, id)
	f.spies[0].takeNotes() // the agent may have run the action nevertheless
	f.Expect(errors.Is(f.system.Tell(ctx, unknownAgent, "note", 0), mabeam.ErrUnknownAgent), "Tell to an unknown agent did not return ErrUnknownAgent")
	f.Expect(errors.Is(f.system.SuspendAgent(unknownAgent), mabeam.ErrUnknownAgent), "SuspendAgent of an unknown agent did not return ErrUnknownAgent")
	_, err = f.system.StartAgent(ctx, mabeam.Spec{ID: id, Type: "spy", Behaviour: &spy{}})
	f.Expect(errors.Is(err, mabeam.ErrAlreadyRegistered), "a second agent with the same id was not refused with ErrAlreadyRegistered")
}

// killedCallers is how many callers wait for an agent that is killed.
const killedCallers = 3

// checkKillReplies kills an agent during the first of several actions that it took from
// its mailbox together. All callers must get their error while that action still runs.
func (f *fixture) checkKillReplies(ctx context.Context) {
	id, s := f.startSpy(ctx)
	take, ok := f.block(ctx, id)
	defer take()
	work := newBlockRequest(fixtureTimeout)
	defer close(work.release)
	replies := make(chan error, killedCallers)
	execute := func(action string, params any) {
		_, err := f.system.Execute(ctx, id, action, params)
		replies <- err
	}
	go execute("block", work)
	started := f.awaitDepth(ctx, id, 2)
	for range killedCallers - 1 {
		go execute("note", 0)
	}
	started = f.awaitDepth(ctx, id, 1+killedCallers) && started
	take()
	select {
	case <-work.entered:
	case <-ctx.Done():
		started = false
	}
	f.Expect(ok && started, "an agent did not start the actions that it had accepted")
	f.system.KillAgent(id)
	for range killedCallers {
		f.Expect(errors.Is(<-replies, mabeam.ErrKilled), "a caller of a killed agent did not get ErrKilled while the agent's action still ran")
	}
	f.Expect(len(s.takeNotes()) == 0, "a killed agent handled an action")
}

// checkKillEndsContext kills an agent whose action waits for the end of its context.
func (f *fixture) checkKillEndsContext(ctx context.Context) {
	id, _ := f.startSpy(ctx)
	w := newContextWaiter()
	f.Expect(f.system.Tell(ctx, id, "wait", w) == nil, "an agent with free mailbox capacity did not accept an action")
	var cause error
	select {
	case <-w.entered:
		f.system.KillAgent(id)
	case <-ctx.Done():
	}
	select {
	case cause = <-w.ended:
	case <-ctx.Done():
	}
	f.Expect(errors.Is(cause, mabeam.ErrKilled), "the context of an action did not end with ErrKilled when its agent was killed")
}
