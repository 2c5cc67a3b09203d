package mabeam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// A DeadlockError means that agents wait for each other in a ring, so none of them would ever answer.
type DeadlockError struct {
	// Ring has the ids of the agents. Each waits for the next one, and the last for the first, which got
	// the error.
	Ring []string
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("deadlock: %s → %s", strings.Join(e.Ring, " → "), e.Ring[0])
}

// A wait is the wait of an agent for another. The other agent ends the wait before it answers. So an agent that asks back
// as soon as it has an answer does not seem to be waiting still.
type wait struct {
	asker, target *Agent
	next          *wait // another wait of the same agent
	over          atomic.Bool
}

// waitFor records that the agent waits for another one until the wait ends. A *DeadlockError means that the other one
// already waits for this one, directly or through others. For a nil agent, waitFor does nothing.
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
	// First record, then look: if two agents close a ring at the same time, at least one sees the other.
	if ring := a.ringBy(w); ring != nil {
		w.end()
		return nil, &DeadlockError{ring}
	}
	return w, nil
}

// WaitFor records that the agent whose callback has ctx waits for the life r until end is called. Use it for waits that do
// not go through the runtime's own calls. A *DeadlockError means that r already waits for this agent, directly or through
// others. If ctx does not belong to a callback, WaitFor records nothing. For the zero Ref it returns ErrUnknownAgent.
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

// end ends the wait. It may be nil.
func (w *wait) end() {
	if w != nil && !w.over.Swap(true) {
		w.leave()
	}
}

// leave removes the waits that are over from the front of the asker's list.
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

// ringBy returns the ids of the agents in a ring that a wait of this agent closes; nil if there is none.
func (a *Agent) ringBy(w *wait) []string {
	if w.target != a && w.target.waits.Load() == nil {
		return nil // nearly always
	}
	path := a.pathFrom([]*wait{w}, map[*Agent]bool{})
	// The waits were read one after the other. If none has ended since, they all exist now.
	if path == nil || slices.ContainsFunc(path, func(w *wait) bool { return w.over.Load() }) {
		return nil
	}
	ids := []string{a.ID()}
	for _, w := range path[:len(path)-1] {
		ids = append(ids, w.target.ID())
	}
	return ids
}

// pathFrom extends a path of waits until it leads to the agent; nil if it does not.
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

// Execute makes another agent carry out an action on behalf of this one, like System.Execute with the context of a
// callback. If the other agent already waits for this one, directly or through others, it fails at once with a
// *DeadlockError.
func (a *Agent) Execute(ctx context.Context, id, action string, params any) (any, error) {
	other := a.system.agents.Get(id)
	if other == nil {
		return a.system.executeGuarded(ctx, a, id, nil, action, params)
	}
	return other.executeFor(ctx, a, action, params)
}

// InCallback reports whether ctx is the context of an agent's callback, or is derived from one.
func InCallback(ctx context.Context) bool { return callbackOf(ctx) != nil }
