package runtime

import (
	"context"
)

// executeGuarded is Ref.Execute within the rate of actions and the agent's
// circuit. The agent is nil if there is none of that id.
func (s *System) executeGuarded(ctx context.Context, id string, a *Agent, action string, params any) (result any, err error) {
	err = s.actionRate.take()
	if err == nil {
		attempt := func(ctx context.Context) (err error) {
			if a == nil {
				return ErrUnknownAgent
			}
			result, err = a.execute(ctx, action, params)
			return err
		}
		switch {
		case s.breaker == nil:
			err = attempt(ctx)
		case ctx.Err() != nil: // the agent is not to blame
			err = callError(ctx)
		default:
			err = s.breaker.do(ctx, id, attempt, func(err error) verdict { return judgeAgent(ctx, err) })
		}
	}
	if err != nil {
		return nil, &ActionError{Agent: id, Action: action, Err: err}
	}
	return result, nil
}

// judgeAgent says what the end of an action tells about whether its agent
// works. An agent that fails at what it was asked does, whatever its error
// wraps; the runtime's own reasons come as they are.
func judgeAgent(ctx context.Context, err error) verdict {
	if err == nil {
		return success
	}
	for _, reason := range []error{ErrMailboxFull, ErrUnknownAgent, ErrStopping, ErrKilled, ErrCrashed, ErrTimeout} {
		if err == reason { //nolint:errorlint // one that is wrapped is the action's own
			return failure
		}
	}
	switch ctx.Err() {
	case context.DeadlineExceeded: // the agent was too slow, whatever it says
		return failure
	case context.Canceled:
		return inconclusive
	}
	if _, ok := err.(*PanicError); ok { //nolint:errorlint // one that is wrapped is another agent's
		return failure
	}
	return success
}

// announceCircuit publishes what became of a circuit.
func (s *System) announceCircuit(ctx context.Context, c CircuitChange) {
	eventType := EventCircuitClosed
	switch c.State {
	case CircuitOpen:
		eventType = EventCircuitOpened
	case CircuitHalfOpen:
		eventType = EventCircuitHalfOpen
	}
	s.announce(ctx, eventType, c.Target, c)
}
