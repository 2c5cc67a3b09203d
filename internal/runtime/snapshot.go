package mabeam

import (
	"context"
	"sync"
)

// A Snapshotter is a behaviour whose state survives into its agent's next life, if the agent has an
// owner that starts one, such as a supervisor. Without an owner, as after StartAgent, Snapshot is
// never called.
//
// The latest snapshot is kept in the agent's Place, in memory, until the owner gives the
// place up: a supervisor does when it forgets the child or ends itself. The next life
// begins with the snapshot as its state, in place of Spec.State: Init finds it with
// Agent.State, and must not replace it. This is so however the life before has ended. A
// snapshot that makes each life crash makes the supervisor give up.
//
// RestartAgent begins no new life. It keeps the state itself, and uses no snapshot.
type Snapshotter interface {
	// Snapshot returns what the next life is to begin with, or keep false for what was
	// returned before. It is called when an action, a signal, an event or an answer was
	// handled, before the action's caller has the result, and after Terminate when the
	// agent stops or begins anew. It is not called when the callback panicked, or when
	// the life has ended meanwhile: what a killed agent still does is not kept. Like a
	// state, a snapshot must not be changed afterwards. Snapshot must not block. A panic
	// in it is one in the callback, and the earlier snapshot stays.
	Snapshot(self *Agent) (snapshot any, keep bool)
}

// snapshots hold the latest snapshot of the lives in a place.
type snapshots struct {
	mu     sync.Mutex
	latest any
	kept   bool // there is one
}

// useSnapshots has a life that is about to begin in the place give its snapshots, and begin
// with the latest one.
func (p *Place) useSnapshots(a *Agent, s Snapshotter) {
	p.mu.Lock()
	if p.snapshots == nil {
		p.snapshots = &snapshots{}
	}
	p.mu.Unlock()
	a.behaviour = &snapshotting{Behaviour: a.behaviour, snapshotter: s, place: p}
	p.snapshots.mu.Lock()
	defer p.snapshots.mu.Unlock()
	if p.snapshots.kept {
		a.data = p.snapshots.latest
	}
}

// keep replaces the snapshot of a place, unless the life that it is of has ended.
func (p *Place) keep(a *Agent, snapshot any) {
	p.snapshots.mu.Lock()
	defer p.snapshots.mu.Unlock()
	if !a.isOver() { // else the next life may have begun with the snapshot there is
		p.snapshots.latest, p.snapshots.kept = snapshot, true
	}
}

// A snapshotting behaviour gives a snapshot after each callback that has returned. Agents
// of other behaviours have none around theirs, so that they pay nothing.
type snapshotting struct {
	Behaviour
	snapshotter Snapshotter
	place       *Place
}

func (s *snapshotting) snapshot(self *Agent) {
	if self.isOver() {
		return
	}
	if snapshot, keep := s.snapshotter.Snapshot(self); keep {
		s.place.keep(self, snapshot)
	}
}

// HandleAction implements Behaviour.
func (s *snapshotting) HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error) {
	result, err := s.Behaviour.HandleAction(ctx, self, action, params)
	s.snapshot(self)
	return result, err
}

// HandleSignal implements Behaviour.
func (s *snapshotting) HandleSignal(ctx context.Context, self *Agent, signal Signal) {
	s.Behaviour.HandleSignal(ctx, self, signal)
	s.snapshot(self)
}

// HandleEvent implements Behaviour.
func (s *snapshotting) HandleEvent(ctx context.Context, self *Agent, event Event) {
	s.Behaviour.HandleEvent(ctx, self, event)
	s.snapshot(self)
}

// HandleAnswer implements AnswerHandler.
func (s *snapshotting) HandleAnswer(ctx context.Context, self *Agent, answer Asked) {
	handleAnswer(ctx, s.Behaviour, self, answer)
	s.snapshot(self)
}

// Terminate implements Behaviour.
func (s *snapshotting) Terminate(ctx context.Context, self *Agent, reason error) {
	s.Behaviour.Terminate(ctx, self, reason)
	s.snapshot(self) // not after a crash: the life is over then
}
