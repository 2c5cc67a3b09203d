package mabeam

import (
	"fmt"
	"sync/atomic"

	"mabeam-top/internal/runtime/guard"
)

// limits are the limits on the agents of a system and on the memory of the process. A mailbox has a limit of
// its own.
//
// An agent uses room from before its Init until its end. The room of a supervisor's child belongs to its
// Reservation, from its first start until no restart is due, so a restart needs no room. An abandoned
// callback uses room until it returns.
type limits struct {
	agents  int64              // 0: no limit
	inUse   atomic.Int64       // counted only if there is a limit on agents
	memory  *guard.MemoryLimit // nil: no limit
	refused atomic.Int64       // how many agents were refused
}

func newLimits(o Options) *limits {
	l := &limits{agents: int64(o.MaxAgents)}
	if o.MemoryLimit > 0 {
		l.memory = guard.NewMemoryLimit(o.MemoryLimit)
	}
	return l
}

// acquire takes room for a new agent, or returns an error that names the limit that is reached.
func (l *limits) acquire() error {
	if l.memory != nil {
		if err := l.memory.Check(); err != nil {
			l.refused.Add(1)
			return err
		}
	}
	if l.agents == 0 {
		return nil
	}
	// Adding one and subtracting it again if that is too many could refuse another agent that has
	// room.
	for {
		n := l.inUse.Load()
		if n >= l.agents {
			l.refused.Add(1)
			return fmt.Errorf("%w: agents: %d of %d", ErrLimitReached, n, l.agents)
		}
		if l.inUse.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// acquireAnyway takes room for what exists already, even beyond the limit.
func (l *limits) acquireAnyway() {
	if l.agents != 0 {
		l.inUse.Add(1)
	}
}

// release frees room.
func (l *limits) release() {
	if l.agents != 0 {
		l.inUse.Add(-1)
	}
}
