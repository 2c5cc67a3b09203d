package mabeam

import (
	"fmt"
	"sync/atomic"

	"mabeam-top/internal/runtime/guard"
)

// The limits bound what a system takes on: agents, and the memory of the
// process. That on the messages of one mailbox is kept by the mailbox.
//
// An agent has a place from before its Init until its end. That of a supervisor's child
// is its supervisor's, who has it from the child's start until there is to be no further
// life: a restart needs no room. A callback that goes on after its agent's end has one
// until it returns.
type limits struct {
	agents  int64              // 0: none
	places  atomic.Int64       // those that are taken, if there is a limit on agents
	memory  *guard.MemoryLimit // nil: none
	refused atomic.Int64       // agents that were not started for want of room
}

func newLimits(o Options) *limits {
	l := &limits{agents: int64(o.MaxAgents)}
	if o.MemoryLimit > 0 {
		l.memory = guard.NewMemoryLimit(o.MemoryLimit)
	}
	return l
}

// enter takes a place for a new agent, or says which limit it meets.
func (l *limits) enter() error {
	if l.memory != nil {
		if err := l.memory.Check(); err != nil {
			l.refused.Add(1)
			return err
		}
	}
	if l.agents == 0 {
		return nil
	}
	// Adding one and taking it back if it is too many could make another
	// agent meet the limit that has room.
	for {
		n := l.places.Load()
		if n >= l.agents {
			l.refused.Add(1)
			return fmt.Errorf("%w: agents: %d of %d", ErrLimitReached, n, l.agents)
		}
		if l.places.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// enterAnyway takes a place for what is there already.
func (l *limits) enterAnyway() {
	if l.agents != 0 {
		l.places.Add(1)
	}
}

// leave gives a place back.
func (l *limits) leave() {
	if l.agents != 0 {
		l.places.Add(-1)
	}
}
