package mabeam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The types of the events that tell about leaders.
const (
	// EventLeaderElected tells that an Election has a new leader.
	EventLeaderElected = "coordination.leader_elected"
	// EventNoLeader tells that an election had no winner. It is told once,
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

// An ElectionResult tells what became of an election.
type ElectionResult struct {
	// Leader is the id of the winner; empty if there is none.
	Leader string
	// Priority is that of the winner.
	Priority float64
	// Candidates are the priorities. Those who do not want to lead
	// (ErrDeclined), whose priority is no number (ErrBadAnswer) or who did not
	// answer are among them, with the reason.
	Candidates Answers
}

// Elect holds one election: all candidates are asked for their priority
// (ActionStand, with params), and the highest one wins; of equal ones that of
// the smallest id does. Priorities are numbers of any type, finite, and are
// compared as float64. Every candidate that answers the same each time makes
// the same one win each time.
//
// The deadline is that of ctx, or CoordinationTimeout from now if it has none;
// who is late does not stand. The error tells that nobody was asked, as for
// Gather.
func (s *System) Elect(ctx context.Context, candidates []string, params any) (ElectionResult, error) {
	r, err := s.begin(ctx, candidates, CoordinationTimeout)
	if err != nil {
		return ElectionResult{}, fmt.Errorf("elect: %w", err)
	}
	defer r.end()
	return r.elect(candidates, params), nil
}

func (r *round) elect(candidates []string, params any) ElectionResult {
	b := ElectionResult{Candidates: r.ask(candidates, ActionStand, params)}
	if winner, priority := highest(b.Candidates, ActionStand); winner >= 0 {
		b.Leader, b.Priority = candidates[winner], priority
	}
	return b
}

// ElectionOptions say how an Election elects. The zero value is usable.
type ElectionOptions struct {
	// Params are given to the candidates with ActionStand.
	Params any
	// Timeout is the deadline of each re-election, and of the first election
	// if its context has none; 0 means CoordinationTimeout. An election lasts
	// that long if a candidate lives and does not answer.
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
// Leaders are told on the bus, with EventLeaderElected and EventNoLeader, in the
// order of their terms. Whoever hears of a leader may find that it is gone
// already: ask Leader.
type Election struct {
	system  *System
	ids     []string // sorted
	params  any
	timeout time.Duration

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned

	leader atomic.Pointer[Agent]

	// Of who holds elections: StartElection, then run.
	term     uint64
	previous string
	vacant   bool // an election had no winner, and that was told
}

// StartElection holds a first election among the candidates, as Elect does,
// and keeps a leader from then on, until Close or the system's Stop. It returns
// after the first election, which may have had no winner. The error tells that
// there is no Election: the candidates make no sense, ctx ended or the system
// stopped, before or during the first election.
func (s *System) StartElection(ctx context.Context, candidates []string, o ElectionOptions) (*Election, error) {
	e := &Election{
		system: s, ids: slices.Sorted(slices.Values(candidates)), params: o.Params, timeout: o.Timeout,
		done: make(chan struct{}),
	}
	if e.timeout <= 0 {
		e.timeout = CoordinationTimeout
	}
	if err := e.hold(ctx); err != nil {
		return nil, fmt.Errorf("start election: %w", err)
	}
	e.ctx, e.cancel = context.WithCancel(s.ctx)
	if err := s.elections.start(e); err != nil {
		e.cancel()
		return nil, fmt.Errorf("start election: %w", err)
	}
	return e, nil
}

// Leader is the id of the leader; empty if there is none just now, and after
// Close. An agent that has ended is never named.
func (e *Election) Leader() string {
	if a := e.leader.Load(); a != nil && !a.isOver() {
		return a.ID()
	}
	return ""
}

// Close ends the election: nobody is leader, and nothing of it is left when
// Close returns. An election that is being held is given up. Closing again does
// nothing.
func (e *Election) Close() {
	e.cancel()
	<-e.done
	e.system.elections.forget(e)
}

// run replaces the leader whenever it has ended.
func (e *Election) run() {
	defer close(e.done)
	defer e.leader.Store(nil)
	for {
		if leader := e.leader.Load(); leader != nil {
			select {
			case <-leader.done():
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
	block := Block
	sub, err := e.system.bus.SubscribePattern(startedPattern, func(_ context.Context, event Event) {
		if _, ok := slices.BinarySearch(e.ids, event.Source); ok {
			select {
			case started <- struct{}{}:
			default: // it will be asked anyway
			}
		}
	}, SubscribeOptions{Policy: &block})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	for {
		if err := e.hold(e.ctx); err != nil || e.leader.Load() != nil {
			return err
		}
		pause := time.NewTimer(electionPause)
		select {
		case <-started:
		case <-pause.C:
		case <-e.ctx.Done():
		}
		pause.Stop()
	}
}

// startedPattern matches what is told of agents that have started or have been
// restarted.
const startedPattern = "agent_lifecycle.*started"

// hold holds an election, and tells the outcome on the bus unless that is, once
// more, that there is no leader. An error means that there was no election.
func (e *Election) hold(ctx context.Context) error {
	r, err := e.system.begin(ctx, e.ids, e.timeout)
	if err != nil {
		return err
	}
	defer r.end()
	for {
		winner := r.elect(e.ids, e.params).Leader
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err() // that nobody answered means nothing
		}
		if winner == "" {
			e.leaveVacant()
			return nil
		}
		// It may have ended since it answered, or even live again: that is the
		// same leader to all who know it by its id.
		if a := e.system.registry.agent(winner); a != nil && !a.isOver() {
			e.install(a)
			return nil
		}
	}
}

// install makes an agent the leader.
func (e *Election) install(a *Agent) {
	e.term++
	e.leader.Store(a)
	e.announce(EventLeaderElected, a.ID())
	e.previous, e.vacant = a.ID(), false
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

// elections are those that a system has to end when it stops. The zero value is
// ready to use.
type elections struct {
	mu      sync.Mutex
	open    map[*Election]struct{}
	stopped bool
}

// start lets an election run, unless the system stops.
func (x *elections) start(e *Election) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stopped {
		return ErrSystemStopped
	}
	if x.open == nil {
		x.open = make(map[*Election]struct{})
	}
	x.open[e] = struct{}{}
	go e.run()
	return nil
}

func (x *elections) forget(e *Election) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.open, e)
}

// stop closes all elections, and lets no other start. It comes before the
// agents stop: they need no successors.
func (x *elections) stop() {
	x.mu.Lock()
	x.stopped = true
	open := slices.Collect(maps.Keys(x.open))
	x.mu.Unlock()
	for _, e := range open {
		e.Close()
	}
}
