package mabeam

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"
	"weak"

	"mabeam-top/internal/runtime/internal/describe"

	"mabeam-top/internal/runtime/registry"
)

const (
	// trackedAtLeast is how many agents an inspector keeps an eye on at least.
	trackedAtLeast = 128
	// shownEvents is how many events are told of one agent, out of the latest
	// searchedEvents of the history.
	shownEvents, searchedEvents = 8, 256
	// nearlyFull is from which share of its capacity on a queue counts as full.
	nearlyFull = 0.9
)

// A Sized state knows how much memory it takes, in bytes. It is asked whenever
// somebody looks at its agent, and must be quick.
type Sized interface{ MemoryBytes() int64 }

// An AgentOrder says which agents count as the busiest.
type AgentOrder int

// The orders: by the messages that wait, by actions a second, by memory.
const (
	ByMailbox AgentOrder = iota
	ByRate
	ByMemory
)

// An AgentView is what an Inspector sees of an agent.
type AgentView struct {
	ID, Type  string
	Lifecycle Lifecycle
	// Mailbox is how many messages wait or are at work, and MailboxCapacity how
	// many there is room for.
	Mailbox, MailboxCapacity int
	// ActionsPerSecond is the rate of actions that succeeded since the look
	// before; 0 at the first.
	ActionsPerSecond float64
	// MemoryBytes is what its record and its mailbox take, and its state if that
	// is Sized.
	MemoryBytes int64
	// Busy is for how long it was found at work at every look.
	Busy time.Duration
}

// An AgentReport is one agent more closely.
type AgentReport struct {
	AgentView
	ParentID     string
	Capabilities []string
	Version      uint64
	Age          time.Duration
	// Unchanged is for how long its state has not changed.
	Unchanged time.Duration
	// ActionsDone counts the actions that succeeded since the system is looked
	// into.
	ActionsDone int64
	// State is its state as a text, cut off where it is long.
	State string
	// Subscriptions are the event types and patterns that it listens to.
	Subscriptions []string
	// Waits are those of it for other agents, the newest first.
	Waits []WaitView
	// Events are the latest of the history that it published, oldest first.
	Events []Event
}

// A SubscriptionView is what an Inspector sees of a subscription.
type SubscriptionView struct {
	// Subscriber is the agent's id, or the name it was given, or sub_ and a number
	// of the inspector's own.
	Subscriber string
	Pattern    string
	Policy     QueuePolicy
	// Queued is how many events wait, and Capacity how many there is room for.
	Queued, Capacity   int
	Delivered, Dropped uint64
	// Full is for how long it was found nearly full at every look.
	Full time.Duration
}

// An Inspector looks into a running system, again and again, for somebody who
// watches it. It goes through a bounded part of the agents at each look, keeps
// an eye on the busiest of those it has come across, and reads these afresh each
// time: an agent that becomes busy among very many is found when the round gets
// to it. Nothing is kept for it on the way of a message while there is none; while
// there is one, each agent counts its own actions, and times are taken of each message: see
// Types. It keeps nothing alive: what has stopped is collected as if nobody had looked. Several
// goroutines may use it.
type Inspector struct {
	system *System
	table  *typeTable
	closed sync.Once

	mu       sync.Mutex
	walk     registry.Walk[Agent] // to find the busiest
	tracked  map[weak.Pointer[Agent]]*trackedAgent
	seen     map[weak.Pointer[Subscription]]*trackedSubscription
	numbered int
	// waiters are the agents that were found waiting at the last look, and waits is when
	// each of their waits was found first.
	waitWalk registry.Walk[Agent]
	waiters  []weak.Pointer[Agent]
	waits    map[weak.Pointer[wait]]time.Time
}

type trackedAgent struct {
	view      AgentView
	done      int64
	at        time.Time
	busySince time.Time
}

type trackedSubscription struct {
	name      string
	fullSince time.Time
	round     bool // found at this look
}

// Inspect returns an inspector of the system. Close ends it.
func (s *System) Inspect() *Inspector {
	s.inspectMu.Lock()
	defer s.inspectMu.Unlock()
	if s.inspectors == 0 {
		s.types.Store(newTypeTable())
	}
	s.inspectors++
	return &Inspector{
		system: s, table: s.types.Load(), tracked: map[weak.Pointer[Agent]]*trackedAgent{}, seen: map[weak.Pointer[Subscription]]*trackedSubscription{},
		waits: map[weak.Pointer[wait]]time.Time{},
	}
}

// Close ends the inspection: unless there is another one, nothing is noted of what agents do
// any longer. Closing again does nothing.
func (i *Inspector) Close() {
	i.closed.Do(func() {
		s := i.system
		s.inspectMu.Lock()
		defer s.inspectMu.Unlock()
		if s.inspectors--; s.inspectors == 0 {
			s.types.Store(nil)
		}
	})
}

// Agents returns the n busiest agents that it knows of, the busiest first, and
// how many agents there are. None are returned if n is 0 or less.
func (i *Inspector) Agents(n int, by AgentOrder) (views []AgentView, total int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	n = max(n, 0)
	i.goRound(max(n, trackedAtLeast), by)
	for known, t := range i.tracked {
		a := known.Value()
		if a == nil || a.isOver() {
			delete(i.tracked, known)
			continue
		}
		t.read(a, now)
		views = append(views, t.view)
	}
	slices.SortFunc(views, func(x, y AgentView) int {
		return cmp.Or(cmp.Compare(y.rank(by), x.rank(by)), cmp.Compare(y.ActionsPerSecond, x.ActionsPerSecond), cmp.Compare(x.ID, y.ID))
	})
	return views[:min(n, len(views))], int(i.system.alive.Load())
}

func (v AgentView) rank(by AgentOrder) float64 {
	switch by {
	case ByRate:
		return v.ActionsPerSecond
	case ByMemory:
		return float64(v.MemoryBytes)
	default:
		return float64(v.Mailbox)
	}
}

// goRound looks at the next places of the table, and tracks the busiest agents
// there that are busier than the least busy of those tracked.
func (i *Inspector) goRound(keep int, by AgentOrder) {
	type found struct {
		agent *Agent
		rank  float64
	}
	busiest := func(all []found) []found {
		slices.SortFunc(all, func(x, y found) int { return cmp.Compare(y.rank, x.rank) })
		return all[:min(keep, len(all))]
	}
	best := make([]found, 0, 8*keep)
	for known := range i.tracked {
		if a := known.Value(); a != nil {
			best = append(best, found{a, a.glance(by)})
		}
	}
	i.walk.Step(i.system.agents, func(a *Agent) {
		if i.tracked[weak.Make(a)] != nil {
			return
		}
		if len(best) == cap(best) {
			best = busiest(best)
		}
		best = append(best, found{a, a.glance(by)})
	})
	next := make(map[weak.Pointer[Agent]]*trackedAgent, keep)
	for _, f := range busiest(best) {
		known := weak.Make(f.agent)
		if next[known] = i.tracked[known]; next[known] == nil {
			next[known] = &trackedAgent{}
		}
	}
	i.tracked = next
}

// glance is how busy an agent seems, without any look before. By rate it is what
// it has done since the system is looked into.
func (a *Agent) glance(by AgentOrder) float64 {
	switch by {
	case ByRate:
		return float64(a.acted.Load())
	case ByMemory:
		return float64(a.memoryBytes())
	default:
		return float64(a.depth())
	}
}

// depth is how many messages of its mailbox are not yet handled.
func (a *Agent) depth() int {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.mailbox.depth()
}

// memoryBytes is what the agent takes, as far as that can be told while it
// works.
func (a *Agent) memoryBytes() int64 {
	size := int64(unsafe.Sizeof(newborn{}))
	a.mailbox.mu.Lock()
	if q := a.mailbox.queue; q != nil {
		size += int64(cap(q.messages)) * int64(unsafe.Sizeof(workItem{}))
	}
	state := a.data
	a.mailbox.mu.Unlock()
	if sized, ok := state.(Sized); ok {
		size += sized.MemoryBytes()
	}
	return size
}

// read brings the view up to date.
func (t *trackedAgent) read(a *Agent, now time.Time) {
	record, done := a.entry.Record(), a.acted.Load()
	rate := 0.0
	if since := now.Sub(t.at).Seconds(); !t.at.IsZero() && since > 0 {
		rate = float64(done-t.done) / since
	}
	t.view = AgentView{
		ID: record.ID, Type: record.Type, Lifecycle: a.Lifecycle(),
		Mailbox: a.depth(), MailboxCapacity: a.system.mailboxCapacity,
		ActionsPerSecond: rate, MemoryBytes: a.memoryBytes(),
	}
	switch {
	case t.view.Lifecycle != Busy && t.view.Mailbox == 0:
		t.busySince = time.Time{}
	case t.busySince.IsZero():
		t.busySince = now
	}
	if !t.busySince.IsZero() {
		t.view.Busy = now.Sub(t.busySince)
	}
	t.done, t.at = done, now
}

// Agent returns a report on one agent; false if there is none of that id.
func (i *Inspector) Agent(id string) (report AgentReport, ok bool) {
	a := i.system.agents.Get(id)
	if a == nil {
		return report, false
	}
	now, record := time.Now(), a.entry.Record()
	i.mu.Lock()
	t := i.tracked[weak.Make(a)]
	if t == nil {
		t = &trackedAgent{}
		i.tracked[weak.Make(a)] = t
	}
	if now.Sub(t.at) > time.Millisecond { // else it was read at this look
		t.read(a, now)
	}
	report.AgentView = t.view
	i.forgetWaits()
	report.Waits = i.waitsOf(a, now, nil)
	i.mu.Unlock()
	a.mailbox.mu.Lock()
	state, version, changed, subs := a.data, a.version, a.changedAt(), a.subs
	a.mailbox.mu.Unlock()
	if changed.IsZero() {
		changed = record.CreatedAt
	}
	report.ParentID, report.Capabilities, report.Version = record.ParentID, slices.Clone(record.Capabilities), version
	report.Age, report.Unchanged = now.Sub(record.CreatedAt), now.Sub(changed)
	report.ActionsDone, report.State = a.acted.Load(), describe.Value(state)
	for _, s := range subs {
		report.Subscriptions = append(report.Subscriptions, s.Pattern())
	}
	for _, e := range i.system.Bus().History(searchedEvents) {
		if e.Source == id {
			report.Events = append(report.Events, e)
		}
	}
	report.Events = report.Events[max(len(report.Events)-shownEvents, 0):]
	return report, true
}

// Subscriptions returns the n fullest subscriptions, the fullest first, and how
// many there are. None are returned if n is 0 or less.
func (i *Inspector) Subscriptions(n int) (views []SubscriptionView, total int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	for _, s := range i.system.bus.Subscriptions() {
		known := weak.Make(s)
		t := i.seen[known]
		if t == nil {
			t = &trackedSubscription{name: s.Subscriber()}
			if t.name == "" {
				i.numbered++
				t.name = fmt.Sprintf("sub_%d", i.numbered)
			}
			i.seen[known] = t
		}
		if t.round { // it is there once for each topic that it matches
			continue
		}
		t.round = true
		view := SubscriptionView{
			Subscriber: t.name, Pattern: s.Pattern(), Policy: s.Policy(), Queued: s.Waiting(), Capacity: s.Capacity(),
			Delivered: s.Delivered(), Dropped: s.Dropped(),
		}
		switch {
		case float64(view.Queued) < nearlyFull*float64(view.Capacity):
			t.fullSince = time.Time{}
		case t.fullSince.IsZero():
			t.fullSince = now
		}
		if !t.fullSince.IsZero() {
			view.Full = now.Sub(t.fullSince)
		}
		views = append(views, view)
	}
	for known, t := range i.seen {
		if !t.round {
			delete(i.seen, known)
		}
		t.round = false
	}
	total = len(views)
	slices.SortFunc(views, func(x, y SubscriptionView) int {
		return cmp.Or(cmp.Compare(y.fill(), x.fill()), cmp.Compare(y.Dropped, x.Dropped), cmp.Compare(y.Delivered, x.Delivered), cmp.Compare(x.Subscriber, y.Subscriber))
	})
	return views[:min(max(n, 0), total)], total
}

func (v SubscriptionView) fill() float64 { return float64(v.Queued) / float64(max(v.Capacity, 1)) }
