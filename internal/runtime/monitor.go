package mabeam

import (
	"container/list"
	"fmt"
	"sync/atomic"
)

// SignalEnded is the type of the signal that an agent gets when another one ends that it
// monitors, or that it is linked to if it traps ends. Its data is an End.
const SignalEnded = "agent_ended"

// An End is the end of a life.
type End struct {
	AgentID string
	// Err is why, as Ref.Err returns it; ErrUnknownAgent if there was no such agent.
	Err error
}

// A Monitor waits for the end of one life, and reports it once.
type Monitor struct {
	watched *Agent // nil if there was none
	watcher *Agent // nil if it is no agent
	link    bool   // the watcher is linked to the watched
	c       chan End
	told    atomic.Bool
}

// Bonds are what ends with a life, or waits for its end: few have any.
type bonds struct {
	of   map[*Monitor]struct{} // those that wait for its end
	made map[*Monitor]struct{} // those that it has made
	// traps says that it is told of the ends of those it is linked to.
	traps  bool
	timers map[*Timer]struct{}
	asking int                      // questions of its own that are under way
	groups map[string]*list.Element // its place in each group; nil if it is in none
}

func newBonds() *bonds {
	return &bonds{of: map[*Monitor]struct{}{}, made: map[*Monitor]struct{}{}, timers: map[*Timer]struct{}{}}
}

// C gets the end, once. It is nil for a monitor that an agent has made: the agent gets a
// signal.
func (m *Monitor) C() <-chan End { return m.c }

// Stop ends the watch. Nothing is reported from then on; what was reported before can still
// be received.
func (m *Monitor) Stop() {
	m.told.Store(true)
	m.watched.unbind(func(b *bonds) { delete(b.of, m) })
	m.watcher.unbind(func(b *bonds) { delete(b.made, m) })
}

// Monitor reports on a channel that the present life of an agent has ended; at once if
// there is no agent of the id. It costs the agent nothing while it lives. A watch that is
// not wanted any longer has to be stopped.
func (s *System) Monitor(id string) *Monitor {
	m := &Monitor{watched: s.registry.agent(id), c: make(chan End, 1)}
	m.begin(id)
	return m
}

// Monitor sends this agent a signal of type SignalEnded when the present life of another
// one has ended; at once if there is no agent of the id. It is undone when this
// agent ends, or begins anew. The signal has room also when as many wait as the agent
// takes.
func (a *Agent) Monitor(id string) *Monitor {
	m := &Monitor{watched: a.system.registry.agent(id), watcher: a}
	m.begin(id)
	return m
}

// Link ties the present lives of two agents: when one crashes or is killed, the other is
// killed too, with a *LinkError. One that stops leaves the other alone. The other may be
// gone already, which counts as killed. The tie ends when an agent begins anew.
func (a *Agent) Link(id string) {
	other := a.system.registry.agent(id)
	(&Monitor{watched: other, watcher: a, link: true}).begin(id)
	if other != nil {
		(&Monitor{watched: a, watcher: other, link: true}).begin(a.ID())
	}
}

// Unlink unties the agent from another one.
func (a *Agent) Unlink(id string) {
	for _, m := range a.linksWith(id) {
		m.Stop()
	}
}

// TrapEnds says whether the agent gets a signal of type SignalEnded when an agent that it
// is linked to ends, in whatever way, instead of being killed with it. It does not outlast
// RestartAgent: call it in Init.
func (a *Agent) TrapEnds(traps bool) {
	a.bind(func(b *bonds) { b.traps = traps })
}

// A LinkError means that an agent was killed because one that it was linked to ended.
type LinkError struct {
	AgentID string
	Err     error // why that one ended
}

func (e *LinkError) Error() string { return fmt.Sprintf("linked to agent %q: %v", e.AgentID, e.Err) }

func (e *LinkError) Unwrap() error { return e.Err }

// begin has the monitor wait, or tell at once.
func (m *Monitor) begin(id string) {
	if m.watcher != nil && !m.watcher.bind(func(b *bonds) { b.made[m] = struct{}{} }) {
		return // it has ended itself
	}
	switch {
	case m.watched == nil:
		m.tell(End{AgentID: id, Err: ErrUnknownAgent})
	case !m.watched.bind(func(b *bonds) { b.of[m] = struct{}{} }):
		m.tell(End{AgentID: id, Err: m.watched.err()})
	}
}

// tell tells the end, unless that was done or is not wanted any longer.
func (m *Monitor) tell(end End) {
	if m.told.Swap(true) {
		return
	}
	if m.watcher == nil {
		m.c <- end
		return
	}
	traps := false
	m.watcher.unbind(func(b *bonds) {
		delete(b.made, m)
		traps = b.traps
	})
	if m.link && !traps {
		if isAbnormal(end.Err) {
			m.watcher.end(ErrKilled, &LinkError{AgentID: end.AgentID, Err: end.Err})
		}
		return
	}
	m.watcher.signalAnyway(&Signal{Type: SignalEnded, Source: end.AgentID, Target: m.watcher.ID(), Priority: High, Data: end})
}

// bind changes the bonds of a life, which are made if there are none. It says false if
// the life is over.
func (a *Agent) bind(change func(*bonds)) bool {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.isOver() {
		return false
	}
	if a.bonds == nil {
		a.bonds = newBonds()
	}
	change(a.bonds)
	return true
}

// unbind changes the bonds of a life if it has any; nil is no agent.
func (a *Agent) unbind(change func(*bonds)) {
	if a == nil {
		return
	}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.bonds != nil {
		change(a.bonds)
	}
}

// linksWith returns both halves of the links with an agent.
func (a *Agent) linksWith(id string) (links []*Monitor) {
	a.unbind(func(b *bonds) {
		for m := range b.made {
			if m.link && m.watched != nil && m.watched.ID() == id {
				links = append(links, m)
			}
		}
		for m := range b.of {
			if m.link && m.watcher.ID() == id {
				links = append(links, m)
			}
		}
	})
	return links
}

// outlast returns the bonds that stay when an agent begins anew, nil if none do, and takes
// them out of b: its groups, and its questions, whose answers still come.
func (b *bonds) outlast() *bonds {
	if b == nil || b.groups == nil && b.asking == 0 {
		return nil
	}
	stay := newBonds()
	stay.groups, b.groups = b.groups, nil
	stay.asking, b.asking = b.asking, 0
	return stay
}

// keepWatched has an agent that begins anew go on to be watched by those who do so, and
// drops all else of its bonds.
func (a *Agent) keepWatched(old *bonds) {
	if old == nil {
		return
	}
	old.undo()
	for m := range old.of {
		switch {
		case m.link:
			m.Stop()
		case !a.bind(func(b *bonds) { b.of[m] = struct{}{} }):
			m.tell(End{AgentID: a.ID(), Err: a.err()}) // it was killed meanwhile
		}
	}
}

// undo ends what a life has made.
func (b *bonds) undo() {
	for t := range b.timers {
		t.stop()
	}
	for m := range b.made {
		m.Stop()
	}
}

// leave undoes what a life that is over has made, and tells who waits for its end.
func (b *bonds) leave(id string, err error) {
	if b == nil {
		return
	}
	b.undo()
	for m := range b.of {
		m.tell(End{AgentID: id, Err: err})
	}
}
