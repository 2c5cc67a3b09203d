package mabeam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// A DeadlockError means that agents wait for each other in a ring, so that none
// of them would ever answer.
type DeadlockError struct {
	// Ring is the ids of the agents, each waiting for the next and the last
	// for the first. It begins with the one that got the error.
	Ring []string
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("deadlock: %s → %s", strings.Join(e.Ring, " → "), e.Ring[0])
}

// A wait is that of one agent for another. It is over when the other answers, which
// the other notes before it does: an agent that has been answered, and asks back, is
// never taken for one that is still waited for.
type wait struct {
	asker, target *Agent
	next          *wait // what the same agent waits for besides
	over          atomic.Bool
}

// waitFor notes that the agent waits for another from now on, until the wait ends. A
// *DeadlockError means that the other one waits for this one already, directly or by
// way of more. There is no wait of who is no agent.
func (a *Agent) waitFor(other *Agent) (*wait, error) {
	if a == nil {
		return nil, nil
	}
	w := &wait{asker: a, target: other}
	for {
		head := a.waits.Load()
		w.next = head
		if a.waits.CompareAndSwap(head, w) {
			break
		}
	}
	// First tell, then look: of two that close a ring at the same time, at least
	// one sees the other.
	if ring := a.ringBy(w); ring != nil {
		w.end()
		return nil, &DeadlockError{ring}
	}
	return w, nil
}

// WaitFor notes that the agent whose callback ctx belongs to waits for the life r, until end
// is called: for what is waited for by other means than the runtime's own calls. A
// *DeadlockError means that it would never come, because that agent waits for this one
// already, directly or by way of more. Of a ctx that is no callback's nothing is noted. The
// zero Ref is ErrUnknownAgent.
func WaitFor(ctx context.Context, r Ref) (end func(), err error) {
	if r.agent == nil {
		return nil, ErrUnknownAgent
	}
	w, err := callbackOf(ctx).waitFor(r.agent)
	if err != nil {
		return nil, err
	}
	return w.end, nil
}

// end notes that what was waited for is there, or not waited for any longer; nil is no wait.
func (w *wait) end() {
	if w != nil && !w.over.Swap(true) {
		w.leave()
	}
}

// leave takes a wait that is over off the list of its asker.
func (w *wait) leave() {
	for {
		head := w.asker.waits.Load()
		left := head
		for left != nil && left.over.Load() {
			left = left.next
		}
		if head == left || w.asker.waits.CompareAndSwap(head, left) {
			return
		}
	}
}

// ringBy returns the ids of the agents that wait for each other in a ring by way of a
// wait of this agent; nil if there is none.
func (a *Agent) ringBy(w *wait) []string {
	if w.target != a && w.target.waits.Load() == nil {
		return nil // nearly always
	}
	path := a.pathFrom([]*wait{w}, map[*Agent]bool{})
	// What the agents were found to wait for one after the other, they wait for all
	// at once if they still do.
	if path == nil || slices.ContainsFunc(path, func(w *wait) bool { return w.over.Load() }) {
		return nil
	}
	ids := []string{a.ID()}
	for _, w := range path[:len(path)-1] {
		ids = append(ids, w.target.ID())
	}
	return ids
}

// pathFrom lengthens a path of waits until it leads to the agent; nil if it does not.
func (a *Agent) pathFrom(path []*wait, seen map[*Agent]bool) []*wait {
	at := path[len(path)-1].target
	switch {
	case at == a:
		return path
	case seen[at] || at.isOver():
		return nil
	}
	seen[at] = true
	for w := at.waits.Load(); w != nil; w = w.next {
		if w.over.Load() {
			continue
		}
		if ring := a.pathFrom(append(path, w), seen); ring != nil {
			return ring
		}
	}
	return nil
}

// Execute asks another agent to carry out an action on behalf of this one, as
// System.Execute does for whoever has the context of one of its callbacks. It fails at
// once, with a *DeadlockError, where the other one waits for this one already, directly
// or by way of more.
func (a *Agent) Execute(ctx context.Context, id, action string, params any) (any, error) {
	other := a.system.agents.Get(id)
	if other == nil {
		return a.system.executeGuarded(ctx, a, id, nil, action, params)
	}
	return other.executeFor(ctx, a, action, params)
}

// InCallback reports whether ctx is that of an agent's callback, or was made of it.
func InCallback(ctx context.Context) bool { return callbackOf(ctx) != nil }
