package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

func lifecycleMetrics() []scenario.Metric {
	broken := mustBeZero("agent_rules_broken", "Rules of an agent's life and mailbox that did not hold in life_probes rounds: what waits while it is suspended, the capacity of its mailbox, who runs Init and Terminate how often, what a stop, a kill and a panic leave, the state's version, the kinds of errors, events that wait at a stop, goroutines of calls that ran out of time, batches of which some do not start, agents that ask each other in a ring, or back, callers of an agent that panics or is killed, the context of an action at a kill, the events that tell of actions, registrations, subscriptions, events and signals of agents, and what an inspector shows. The errors name each.")
	broken.Given = func(p scenario.Params) bool { return p.Int("life_probes") > 0 }
	return []scenario.Metric{broken}
}

// queuedActions is how many actions wait for an agent that is suspended or stopped.
const queuedActions = 10

// checkLifecycle holds the rules of an agent's life against agents.
func checkLifecycle(ctx context.Context, env *stress.Env) error {
	rounds := env.Params.Int("life_probes")
	if rounds == 0 {
		return nil
	}
	broken := newChecker(env, "agent_rules_broken")
	err := withFixture(ctx, env, 1, func(ctx context.Context, o *fixture) error {
		for range rounds {
			before := o.system.Telemetry()
			for _, rule := range []func(context.Context, *fixture, *checker){
				checkSuspension, checkCapacity, checkStop, checkKill, checkPanic, checkRestart, checkState, checkErrors,
			} {
				if ctx.Err() != nil {
					broken.add(1, fmt.Sprintf("the rounds were not over within %v", fixtureTimeout))
					return nil
				}
				rule(ctx, o, broken)
			}
			now := o.system.Telemetry()
			broken.expect(now.AgentsStarted-before.AgentsStarted == 7 && now.AgentsStopped-before.AgentsStopped == 6 && now.AgentsCrashed-before.AgentsCrashed == 1 &&
				now.AgentsRestarted-before.AgentsRestarted == 1 && now.Agents == before.Agents, "the telemetry does not count the agents that were started, stopped, crashed and restarted")
		}
		checkTermination(ctx, o, broken)
		checkActionCalls(ctx, o, broken)
		return nil
	})
	if err == nil {
		err = withFixture(ctx, env, 1, func(ctx context.Context, o *fixture) error {
			checkKillAtWork(ctx, o, broken)
			return nil
		})
	}
	broken.report()
	return err
}

func checkSuspension(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	var transition *mabeam.TransitionError
	broken.expect(errors.As(o.system.ResumeAgent(id), &transition), "to resume an agent that is not suspended did not return a TransitionError")
	o.suspend(ctx, id, broken)
	broken.expect(errors.As(o.system.SuspendAgent(id), &transition), "to suspend an agent again did not return a TransitionError")
	o.fill(ctx, id, queuedActions, broken)
	broken.expect(o.system.Signal(mabeam.Signal{Type: "waits"}, id) == nil, "a suspended agent did not accept a signal")
	pause(ctx)
	info, err := o.system.Agent(id)
	broken.expect(err == nil && info.Lifecycle == mabeam.Suspended && info.Mailbox == queuedActions, "a suspended agent does not show as suspended, with what waits in its mailbox")
	broken.expect(len(b.takeNotes()) == 0 && len(b.takeSignals()) == 0, "a suspended agent handled something")
	broken.expect(o.system.ResumeAgent(id) == nil, "a suspended agent could not be resumed")
	o.awaitIdle(ctx, id)
	broken.expect(inOrder(b.takeNotes(), queuedActions) && len(b.takeSignals()) == 1, "a resumed agent did not handle what had waited, each once and in order")
	broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
}

func checkCapacity(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	o.suspend(ctx, id, broken)
	o.fill(ctx, id, fixtureMailbox, broken)
	_, err := o.ask(ctx, id, "note", -1)
	broken.expect(errors.Is(err, mabeam.ErrMailboxFull), "an action more than there is room for was not refused with ErrMailboxFull")
	limited, cancel := context.WithTimeout(ctx, time.Millisecond)
	err = o.system.Tell(limited, id, "note", -1)
	cancel()
	broken.expect(errors.Is(err, mabeam.ErrTimeout), "to tell an agent that has no room did not return ErrTimeout at the deadline")
	broken.expect(o.system.ResumeAgent(id) == nil, "a suspended agent could not be resumed")
	o.awaitIdle(ctx, id)
	broken.expect(inOrder(b.takeNotes(), fixtureMailbox), "an agent did not carry out all that its mailbox had accepted, each once and in order")
	broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
}

func checkStop(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	o.fill(ctx, id, queuedActions, broken)
	stopped := o.beginStop(ctx, id)
	_, err := o.ask(ctx, id, "note", -1)
	broken.expect(errors.Is(err, mabeam.ErrStopping), "an agent that stops did not refuse an action with ErrStopping")
	release()
	broken.expect(<-stopped == nil, "an agent did not stop")
	broken.expect(inOrder(b.takeNotes(), queuedActions), "an agent that was stopped did not carry out all that it had accepted, each once and in order")
	broken.expect(b.terminates.Load() == 1 && b.inits.Load() == 1, "Terminate did not run exactly once when an agent was stopped")
	o.checkGone(id, broken)
	broken.expect(o.stop(ctx, id) == nil, "to stop an agent that is not there returned an error")
}

func checkKill(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	waiting := make(chan error, 1)
	go func() { _, err := o.ask(ctx, id, "note", 0); waiting <- err }()
	waitWhile(ctx, func() bool { info, err := o.system.Agent(id); return err == nil && info.Mailbox < 2 })
	o.system.KillAgent(id)
	o.checkGone(id, broken)
	broken.expect(errors.Is(<-waiting, mabeam.ErrKilled), "an action that waited for an agent that was killed was not refused with ErrKilled")
	release()
	pause(ctx)
	broken.expect(len(b.takeNotes()) == 0 && b.terminates.Load() == 0, "an agent that was killed did something, or its Terminate ran")
}

func checkPanic(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	_, err := o.ask(ctx, id, "panic", nil)
	var panicked *mabeam.PanicError
	broken.expect(errors.As(err, &panicked), "an action that panics did not return a PanicError")
	waitWhile(ctx, func() bool { _, err := o.system.Ref(id); return err == nil })
	o.checkGone(id, broken)
	waitWhile(ctx, func() bool { return b.terminates.Load() == 0 })
	broken.expect(b.terminates.Load() == 1, "Terminate did not run exactly once after a panic")
	_, err = o.ask(ctx, o.ids[0], "note", 0)
	broken.expect(err == nil && len(o.spies[0].takeNotes()) == 1, "an agent does not answer any more after another one panicked")
}

func checkRestart(ctx context.Context, o *fixture, broken *checker) {
	id, err := o.system.StartAgent(ctx, agents.Demo())
	broken.expect(err == nil, "an agent did not start")
	_, err = o.ask(ctx, id, "increment", map[string]any{"amount": 3})
	broken.expect(err == nil, "an agent did not carry out an action")
	before, _ := o.system.Agent(id)
	broken.expect(o.restart(ctx, id) == nil, "an agent could not be restarted")
	after, err := o.system.Agent(id)
	state, _ := after.State.(agents.DemoState)
	broken.expect(err == nil && state.Counter == 3 && after.Version == before.Version && after.Type == before.Type && len(after.Capabilities) == len(before.Capabilities) && len(after.Subscriptions) == 1,
		"an agent that was restarted does not have the state, version, type, capabilities and subscriptions that it had")
	broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
}

func checkState(ctx context.Context, o *fixture, broken *checker) {
	id, err := o.system.StartAgent(ctx, agents.Demo())
	broken.expect(err == nil, "an agent did not start")
	before, _ := o.system.Agent(id)
	for i := 1; i <= queuedActions; i++ {
		result, err := o.ask(ctx, id, "increment", map[string]any{"amount": 2})
		broken.expect(err == nil && result == 2*i, "an increment did not return the sum so far")
		info, err := o.system.Agent(id)
		broken.expect(err == nil && info.Version == before.Version+uint64(i), "the version did not grow by one with a change of the state")
	}
	broken.expect(o.stop(ctx, id) == nil, "an agent did not stop")
}

func checkErrors(ctx context.Context, o *fixture, broken *checker) {
	id := o.ids[0]
	for _, c := range []struct {
		agent, action string
		want          error
	}{
		{id, "there is no such action", mabeam.ErrUnknownAction},
		{id, "fail", errSpy},
		{"nobody", "note", mabeam.ErrUnknownAgent},
	} {
		_, err := o.ask(ctx, c.agent, c.action, nil)
		var action *mabeam.ActionError
		broken.expect(errors.Is(err, c.want) && errors.As(err, &action) && action.Agent == c.agent && action.Action == c.action,
			"the error of an action is not an ActionError with the agent, the action and: "+c.want.Error())
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := o.system.Execute(cancelled, id, "note", 0)
	broken.expect(errors.Is(err, context.Canceled), "an action whose caller has given up did not return context.Canceled")
	o.awaitIdle(ctx, id)
	o.spies[0].takeNotes() // it may have been carried out all the same
	broken.expect(errors.Is(o.system.Tell(ctx, "nobody", "note", 0), mabeam.ErrUnknownAgent), "to tell an agent that is not there did not return ErrUnknownAgent")
	broken.expect(errors.Is(o.system.SuspendAgent("nobody"), mabeam.ErrUnknownAgent), "to suspend an agent that is not there did not return ErrUnknownAgent")
	_, err = o.system.StartAgent(ctx, mabeam.Spec{ID: id, Type: "observer", Behaviour: &spy{}})
	broken.expect(errors.Is(err, mabeam.ErrAlreadyRegistered), "a second agent with the same id was not refused with ErrAlreadyRegistered")
}
