package mabeam

import (
	"container/list"
	"fmt"
	"sync/atomic"
)

// SignalEnded is the type of the signal that an agent gets when an agent ends that it monitors, or,
// if it traps ends, that it is linked to. Its data is an End.
const SignalEnded = "agent_ended"

// An End reports the end of a life.
type End struct {
	AgentID string
	// Err is the reason, as Ref.Err returns it; ErrUnknownAgent if there was no such agent.
	Err error
}

// A Monitor waits for the end of one life, and reports it once.
type Monitor struct {
	watched  *Agent // nil if there was none
	watcher  *Agent // nil for System.Monitor
	link     bool   // it is one direction of a link
	c        chan End
	reported atomic.Bool
}

// bonds are what an agent has to do with others: what ends with its life, or waits for its end.
// Few agents have any.
type bonds struct {
	of     map[*Monitor]struct{} // the monitors that wait for its end
	made   map[*Monitor]struct{} // the monitors that it made
	traps  bool                  // see TrapEnds
	timers map[*Timer]struct{}
	asking int                      // its open questions
	groups map[string]*list.Element // its place in each group; nil if it is in none
}

func newBonds() *bonds {
	return &bonds{of: map[*Monitor]struct{}{}, made: map[*Monitor]struct{}{}, timers: map[*Timer]struct{}{}}
}

// C returns the channel that gets the End, once. It is nil for a monitor made by an agent, which
// gets a signal instead.
func (m *Monitor) C() <-chan End { return m.c }

// Stop stops the monitor. Nothing is reported from then on; what was reported before can still be
// received.
func (m *Monitor) Stop() {
	m.reported.Store(true)
	m.watched.unbind(func(b *bonds) { delete(b.of, m) })
	m.watcher.unbind(func(b *bonds) { delete(b.made, m) })
}

// Monitor returns a monitor that reports on its channel when the present life of an agent has ended;
// at once if there is no agent with the id. It costs the agent nothing while it lives. Stop a
// monitor that is no longer needed.
func (s *System) Monitor(id string) *Monitor {
	m := &Monitor{watched: s.agents.Get(id), c: make(chan End, 1)}
	m.begin(id)
	return m
}

// Monitor makes the runtime send this agent a signal of type SignalEnded when the present life of
// another agent has ended; at once if there is no agent with the id. The signal is delivered even
// if the mailbox is full. The monitor stops when this agent ends, or is restarted by RestartAgent.
func (a *Agent) Monitor(id string) *Monitor {
	m := &Monitor{watched: a.system.agents.Get(id), watcher: a}
	m.begin(id)
	return m
}

// Link links the present lives of two agents: when one of them crashes or is killed, the other is
// killed too, with a *LinkError. If one stops, nothing happens to the other. If there is no agent
// with the id, this agent is killed. RestartAgent ends the links of the agent.
func (a *Agent) Link(id string) {
	other := a.system.agents.Get(id)
	(&Monitor{watched: other, watcher: a, link: true}).begin(id)
	if other != nil {
		(&Monitor{watched: a, watcher: other, link: true}).begin(a.ID())
	}
}

// Unlink removes the link with another agent.
func (a *Agent) Unlink(id string) {
	for _, m := range a.linksWith(id) {
		m.Stop()
	}
}

// TrapEnds sets whether the agent traps ends: it then gets a signal of type SignalEnded when an
// agent that it is linked to ends in any way, instead of being killed too. RestartAgent resets it,
// so call it in Init.
func (a *Agent) TrapEnds(traps bool) {
	a.bind(func(b *bonds) { b.traps = traps })
}

// A LinkError means that an agent was killed because an agent that it was linked to ended.
type LinkError struct {
	AgentID string
	Err     error // why that one ended
}

func (e *LinkError) Error() string { return fmt.Sprintf("linked to agent %q: %v", e.AgentID, e.Err) }

func (e *LinkError) Unwrap() error { return e.Err }

// begin registers the monitor with both agents, or reports at once.
func (m *Monitor) begin(id string) {
	if m.watcher != nil && !m.watcher.bind(func(b *bonds) { b.made[m] = struct{}{} }) {
		return // the watcher itself has ended
	}
	switch {
	case m.watched == nil:
		m.report(End{AgentID: id, Err: ErrUnknownAgent})
	case !m.watched.bind(func(b *bonds) { b.of[m] = struct{}{} }):
		m.report(End{AgentID: id, Err: m.watched.err()})
	}
}

// tell reports the end, unless that was done before or the monitor was stopped.
func (m *Monitor) report(end End) {
	if m.reported.Swap(true) {
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
		if IsAbnormal(end.Err) {
			m.watcher.end(ErrKilled, &LinkError{AgentID: end.AgentID, Err: end.Err})
		}
		return
	}
	m.watcher.signalAnyway(&Signal{Type: SignalEnded, Source: end.AgentID, Target: m.watcher.ID(), Priority: High, Data: end})
}

// bind changes the bonds of a life, which it makes if there are none. It returns false if the life
// is over.
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

// unbind changes the bonds of a life if it has any. The agent may be nil.
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

// linksWith returns both directions of the links with an agent.
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

// outlast moves the bonds that survive RestartAgent out of b and returns them; nil if there are
// none. They are the groups and the open questions, whose answers still arrive.
func (b *bonds) outlast() *bonds {
	if b == nil || b.groups == nil && b.asking == 0 {
		return nil
	}
	stay := newBonds()
	stay.groups, b.groups = b.groups, nil
	stay.asking, b.asking = b.asking, 0
	return stay
}

// keepWatched keeps the monitors of an agent that is being restarted, and ends all other old bonds.
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
			m.report(End{AgentID: a.ID(), Err: a.err()}) // it was killed meanwhile
		}
	}
}

// undo ends the timers and the monitors that a life made.
func (b *bonds) undo() {
	for t := range b.timers {
		t.stop()
	}
	for m := range b.made {
		m.Stop()
	}
}

// leave calls undo for a life that is over, and reports its end to the monitors.
func (b *bonds) leave(id string, err error) {
	if b == nil {
		return
	}
	b.undo()
	for m := range b.of {
		m.report(End{AgentID: id, Err: err})
	}
}
