package mabeam

import (
	"context"

	"mabeam-top/internal/runtime/guard"

	"mabeam-top/internal/runtime/internal/failure"
)

// executeFor has the agent carry out an action on behalf of another one, or of who is none.
func (a *Agent) executeFor(ctx context.Context, asker *Agent, action string, params any) (any, error) {
	if s := a.system; s.actionRate != nil || s.breaker != nil {
		return s.executeGuarded(ctx, asker, a.ID(), a, action, params)
	}
	result, err := a.execute(ctx, asker, action, params)
	if err != nil {
		return nil, newActionError(a.ID(), action, err)
	}
	return result, nil
}

// executeGuarded is executeFor within the rate of actions and the agent's circuit. The agent is
// nil if there is none of that id.
func (s *System) executeGuarded(ctx context.Context, asker *Agent, id string, a *Agent, action string, params any) (any, error) {
	result, err := s.attempt(ctx, asker, id, a, action, params)
	if err != nil {
		return nil, newActionError(id, action, err)
	}
	return result, nil
}

func (s *System) attempt(ctx context.Context, asker *Agent, id string, a *Agent, action string, params any) (result any, err error) {
	if err := s.actionRate.Allow(); err != nil {
		return nil, notBegun{err}
	}
	attempted := false
	attempt := func(ctx context.Context) (err error) {
		attempted = true
		if a == nil {
			return notBegun{ErrUnknownAgent}
		}
		result, err = a.execute(ctx, asker, action, params)
		return err
	}
	switch {
	case s.breaker == nil:
		err = attempt(ctx)
	case ctx.Err() != nil: // the agent is not to blame
		err = failure.ContextError(ctx)
	default:
		err = s.breaker.DoJudged(ctx, id, attempt, judgeAgent)
	}
	if err != nil && !attempted {
		err = notBegun{err}
	}
	return result, err
}

// judgeAgent says what the end of an action tells about whether its agent
// works. An agent that fails at what it was asked does, whatever its error
// wraps; the runtime's own reasons come as they are.
func judgeAgent(ctx context.Context, err error) guard.Verdict {
	if err == nil {
		return guard.Success
	}
	if refused, is := err.(notBegun); is { //nolint:errorlint // one that is wrapped is the action's own
		err = refused.error
	}
	for _, reason := range []error{ErrMailboxFull, ErrUnknownAgent, ErrStopping, ErrKilled, ErrCrashed, ErrTimeout} {
		if err == reason { //nolint:errorlint // one that is wrapped is the action's own
			return guard.Failure
		}
	}
	switch ctx.Err() {
	case context.DeadlineExceeded: // the agent was too slow, whatever it says
		return guard.Failure
	case context.Canceled:
		return guard.Inconclusive
	}
	if _, ok := err.(*PanicError); ok { //nolint:errorlint // one that is wrapped is another agent's
		return guard.Failure
	}
	return guard.Success
}

// announceCircuit publishes what became of a circuit.
func (s *System) announceCircuit(c guard.StateChange) {
	eventType := EventCircuitClosed
	switch c.State {
	case guard.Open:
		eventType = EventCircuitOpened
	case guard.HalfOpen:
		eventType = EventCircuitHalfOpen
	}
	s.Announce(eventType, c.Target, c)
}
