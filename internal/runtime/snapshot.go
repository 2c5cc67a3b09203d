package mabeam

import (
	"context"
	"sync"
)

// A Snapshotter is a behaviour that passes its state on to the next life of its agent. Only agents with a
// Reservation have several lives, such as the children of supervisors; for others Snapshot is never called.
//
// The latest snapshot is kept in memory until the reservation is released: a supervisor does that when it
// removes the child or ends itself. The next life begins with the snapshot as its state instead of
// Spec.State, however the previous life has ended. Init finds it with Agent.State and must not replace it. A
// snapshot that makes every life crash makes the supervisor give up.
//
// RestartAgent does not begin a new life. It keeps the state itself and uses no snapshot.
type Snapshotter interface {
	// Snapshot returns the state for the next life, or keep false to keep the previous
	// snapshot. It is called after each action, signal, event and answer, before the caller of
	// the action has the result, and after Terminate when the agent stops or restarts. It is not
	// called after a panic, or when the life has ended meanwhile: what a killed agent still does
	// is not kept. A snapshot must not be modified afterwards. Snapshot must not block. A panic
	// in it counts as a panic of the callback, and the previous snapshot is kept.
	Snapshot(self *Agent) (snapshot any, keep bool)
}

// snapshots hold the latest snapshot of the lives of a reservation.
type snapshots struct {
	mu     sync.Mutex
	latest any
	kept   bool // there is a snapshot
}

// useSnapshots makes a life that is about to begin start with the latest snapshot, and take snapshots.
func (r *Reservation) useSnapshots(a *Agent, s Snapshotter) {
	r.mu.Lock()
	if r.snapshots == nil {
		r.snapshots = &snapshots{}
	}
	r.mu.Unlock()
	a.behaviour = &snapshotting{Behaviour: a.behaviour, snapshotter: s, reservation: r}
	r.snapshots.mu.Lock()
	defer r.snapshots.mu.Unlock()
	if r.snapshots.kept {
		a.data = r.snapshots.latest
	}
}

// keep replaces the snapshot, unless the life that it comes from has ended.
func (r *Reservation) keep(a *Agent, snapshot any) {
	r.snapshots.mu.Lock()
	defer r.snapshots.mu.Unlock()
	if !a.isOver() { // else the next life may have begun already
		r.snapshots.latest, r.snapshots.kept = snapshot, true
	}
}

// A snapshotting behaviour takes a snapshot after each callback. It wraps only behaviours that are
// Snapshotters, so others pay nothing.
type snapshotting struct {
	Behaviour
	snapshotter Snapshotter
	reservation *Reservation
}

func (s *snapshotting) snapshot(self *Agent) {
	if self.isOver() {
		return
	}
	if snapshot, keep := s.snapshotter.Snapshot(self); keep {
		s.reservation.keep(self, snapshot)
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
func (s *snapshotting) HandleAnswer(ctx context.Context, self *Agent, answer AskResult) {
	handleAnswer(ctx, s.Behaviour, self, answer)
	s.snapshot(self)
}

// Terminate implements Behaviour.
func (s *snapshotting) Terminate(ctx context.Context, self *Agent, reason error) {
	s.Behaviour.Terminate(ctx, self, reason)
	s.snapshot(self) // not after a crash: the life is over then
}
