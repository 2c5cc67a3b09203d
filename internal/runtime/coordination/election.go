package coordination

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// The types of the events about leaders.
const (
	// EventLeaderElected means that an Election has a new leader.
	EventLeaderElected = "coordination.leader_elected"
	// EventNoLeader means that an election had no winner. It is published once,
	// however many more are held until there is a leader again.
	EventNoLeader = "coordination.no_leader"
)

// LeaderData is the data of the two events.
type LeaderData struct {
	// Leader is the id of the leader; empty if there is none.
	Leader string
	// Previous is the id of the leader before; empty if there was none.
	Previous string
	// Term counts the leaders of the Election, the first being 1. The event
	// that there is none has the term of the leader before.
	Term uint64
}

// ElectionOptions say how an Election elects. The zero value is usable.
type ElectionOptions struct {
	// Params are given to the candidates with ActionStand.
	Params any
	// Timeout is the deadline of each election, also of the first one; 0 means
	// mabeam.CoordinationTimeout. An election lasts that long if a candidate
	// lives and does not answer.
	Timeout time.Duration
}

// electionPause is how long an Election without a leader waits before it asks
// candidates again that live but were late or did not want to lead. One that
// starts is asked at once.
const electionPause = time.Second

// An Election keeps a leader among candidates: when the leader has ended,
// stopped, killed or crashed, another election is held among those alive. A
// leader that lives stays, also when a candidate of a higher priority comes.
// When nobody is left there is no leader, until a candidate starts again under
// its id.
//
// Leaders are published on the bus, with EventLeaderElected and EventNoLeader, in the
// order of their terms. Whoever hears of a leader may find that it is gone
// already: ask Leader.
type Election struct {
	system  *mabeam.System
	ids     []string // sorted
	params  any
	timeout time.Duration

	ctx    context.Context // ends with Close, and when the system begins to stop
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of it goes on

	leader atomic.Pointer[mabeam.Ref]

	// Of who holds elections: StartElection, then run.
	term     uint64
	previous string
	vacant   bool // an election had no winner, and that was told
}

// StartElection holds a first election among the candidates, as Elect does,
// and keeps a leader from then on, until Close or the system's Stop. It returns
// after the first election, which may have had no winner. The error says that
// there is no Election, and that nobody was told of a leader: the candidates make
// no sense (mabeam.ErrBadCoordination), or before the end of the first election
// the deadline of ctx passed (mabeam.ErrTimeout), it was cancelled
// (context.Canceled), or the system began to stop (mabeam.ErrSystemStopped).
func StartElection(ctx context.Context, system *mabeam.System, candidates []string, o ElectionOptions) (*Election, error) {
	e := newElection(system, candidates, o)
	err := system.Attach(attached{e})
	if err == nil {
		err = e.holdFirst(ctx)
	}
	if err != nil {
		e.abandon()
		return nil, fmt.Errorf("start election: %w", err)
	}
	go e.run()
	return e, nil
}

func newElection(system *mabeam.System, candidates []string, o ElectionOptions) *Election {
	e := &Election{
		system: system, ids: slices.Sorted(slices.Values(candidates)), params: o.Params, timeout: o.Timeout,
		done: make(chan struct{}),
	}
	if e.timeout <= 0 {
		e.timeout = mabeam.CoordinationTimeout
	}
	e.ctx, e.cancel = context.WithCancel(system.Running())
	return e
}

// holdFirst holds the first election on behalf of the caller, whose ctx may end it.
func (e *Election) holdFirst(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	err := e.hold(ctx)
	if err != nil && e.ctx.Err() != nil {
		return mabeam.ErrSystemStopped
	}
	return err
}

// abandon undoes the start of an Election that is not to be.
func (e *Election) abandon() {
	e.cancel()
	close(e.done)
	e.system.Detach(attached{e})
}

// Leader is the id of the leader; empty if there is none just now, and after
// Close. An agent that has ended is never named.
func (e *Election) Leader() string {
	if leader := e.leader.Load(); leader != nil && leader.Err() == nil {
		return leader.ID()
	}
	return ""
}

// Close ends the election: nobody is leader, and nothing of it is left when
// Close returns. An election that is being held is given up. Closing again does
// nothing.
func (e *Election) Close() {
	e.cancel()
	<-e.done
	e.system.Detach(attached{e})
}

// An attached is an Election as what the system stops before its agents, which
// need no successors then.
type attached struct{ *Election }

// Stop implements mabeam.Service.
func (a attached) Stop(ctx context.Context) error {
	a.cancel()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close an election: %w", mabeam.ContextError(ctx))
	}
}

// run replaces the leader whenever it has ended.
func (e *Election) run() {
	defer close(e.done)
	defer e.leader.Store(nil)
	for {
		if leader := e.leader.Load(); leader != nil {
			select {
			case <-leader.Done():
				e.leader.Store(nil)
			case <-e.ctx.Done():
				return
			}
		}
		if err := e.replace(); err != nil {
			return // closed, or the system stops
		}
	}
}

// replace holds elections until there is a leader. It listens for candidates
// that start before it holds the first, so that none can start unheard between
// an election and the next.
func (e *Election) replace() error {
	started := make(chan struct{}, 1)
	block := mabeam.Block
	sub, err := e.system.Bus().SubscribePattern(startedPattern, func(_ context.Context, event mabeam.Event) {
		if _, ok := slices.BinarySearch(e.ids, event.Source); ok {
			select {
			case started <- struct{}{}:
			default: // it will be asked anyway
			}
		}
	}, mabeam.SubscribeOptions{Policy: &block})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	for {
		if err := e.hold(e.ctx); err != nil || e.leader.Load() != nil {
			return err
		}
		e.pause(started)
	}
}

// startedPattern matches what is told of agents that have started or have been
// restarted.
const startedPattern = "agent_lifecycle.*started"

// pause waits before candidates are asked again.
func (e *Election) pause(started <-chan struct{}) {
	timer := time.NewTimer(electionPause)
	defer timer.Stop()
	select {
	case <-started:
	case <-timer.C:
	case <-e.ctx.Done():
	}
}

// hold holds an election, and tells the outcome on the bus unless that is, once
// more, that there is no leader. An error means that there was no election, or
// that ctx ended before it was over.
func (e *Election) hold(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	r, err := e.system.BeginRound(limited, e.ids)
	if err != nil {
		return err
	}
	defer r.End()
	for {
		winner := elect(r, e.params).Leader
		if ctx.Err() != nil {
			return mabeam.ContextError(ctx) // that nobody answered means nothing
		}
		if winner == "" {
			e.leaveVacant()
			return nil
		}
		// It may have ended since it answered, or even live again: that is the
		// same leader to all who know it by its id.
		if leader, err := e.system.Ref(winner); err == nil {
			e.install(leader)
			return nil
		}
	}
}

// install makes an agent the leader.
func (e *Election) install(leader mabeam.Ref) {
	e.term++
	e.leader.Store(&leader)
	e.announce(EventLeaderElected, leader.ID())
	e.previous, e.vacant = leader.ID(), false
}

// leaveVacant notes that there is no leader.
func (e *Election) leaveVacant() {
	if !e.vacant {
		e.vacant = true
		e.announce(EventNoLeader, "")
	}
}

// announce publishes who leads now.
func (e *Election) announce(eventType, leader string) {
	e.system.Announce(eventType, leader, LeaderData{Leader: leader, Previous: e.previous, Term: e.term})
}
