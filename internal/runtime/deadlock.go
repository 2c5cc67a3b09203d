package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A DeadlockError tells that agents wait for each other in a ring, so that none
// of them would ever answer.
type DeadlockError struct {
	// Ring is the ids of the agents, each waiting for the next and the last
	// for the first. It begins with the one that got the error.
	Ring []string
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("deadlock: %s → %s", strings.Join(e.Ring, " → "), e.Ring[0])
}

// Execute asks another agent to carry out an action on behalf of this one, as
// System.Execute does for those who are no agents. Where the other one waits
// for this one already, directly or by way of more, it fails at once with a
// *DeadlockError. It is for the agent's own callbacks, one call at a time: of
// several at once only one is known, and rings that the others close end with
// ErrTimeout.
func (a *Agent) Execute(ctx context.Context, id, action string, params any) (any, error) {
	other := a.system.registry.agent(id)
	if other == nil {
		return nil, &ActionError{Agent: id, Action: action, Err: ErrUnknownAgent}
	}
	// First tell, then look: of two that close a ring at the same time, at
	// least one sees the other.
	a.waitsFor.Store(other)
	defer a.waitsFor.Store(nil)
	if ring := a.waitRing(); ring != nil {
		return nil, &ActionError{Agent: id, Action: action, Err: &DeadlockError{ring}}
	}
	return Ref{other}.Execute(ctx, action, params)
}

// waitRing follows who waits for whom from this agent on. It returns the ids of all
// if that leads back to it, else nil.
func (a *Agent) waitRing() []string {
	seen := []*Agent{a}
	for next := a.waitsFor.Load(); next != nil; next = next.waitsFor.Load() {
		if next == a {
			ids := make([]string, len(seen))
			for i, s := range seen {
				ids[i] = s.ID()
			}
			return ids
		}
		if slices.Contains(seen, next) {
			return nil // a ring that others close and will be told of
		}
		seen = append(seen, next)
	}
	return nil
}
