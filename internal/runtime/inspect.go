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
	// trackedAtLeast is the minimum number of agents that an Inspector tracks.
	trackedAtLeast = 128
	// shownEvents is how many events of an agent a report shows. They are searched in the newest
	// searchedEvents of the history.
	shownEvents, searchedEvents = 8, 256
	// nearlyFull is the share of its capacity from which a queue counts as full.
	nearlyFull = 0.9
)

// A Sized state knows its size in bytes. MemoryBytes is called whenever an Inspector reads the agent, and must be
// quick.
type Sized interface{ MemoryBytes() int64 }

// An AgentOrder determines which agents count as the busiest.
type AgentOrder int

// The orders: by waiting messages, by actions per second, by memory.
const (
	ByMailbox AgentOrder = iota
	ByRate
	ByMemory
)

// An AgentView is what an Inspector sees of an agent.
type AgentView struct {
	ID, Type  string
	Lifecycle Lifecycle
	// Mailbox is how many messages wait or are being handled, and MailboxCapacity how many there
	// is room for.
	Mailbox, MailboxCapacity int
	// ActionsPerSecond is the rate of successful actions since the last call; 0 at the first.
	ActionsPerSecond float64
	// MemoryBytes is the size of the agent's record and mailbox, and of its state if that is Sized.
	MemoryBytes int64
	// Busy is for how long every call has found the agent busy.
	Busy time.Duration
}

// An AgentReport describes one agent in detail.
type AgentReport struct {
	AgentView
	ParentID     string
	Capabilities []string
	Version      uint64
	Age          time.Duration
	// Unchanged is how long ago the state was last changed.
	Unchanged time.Duration
	// ActionsDone counts the successful actions since the first open Inspector was opened.
	ActionsDone int64
	// State is the state as a text, truncated if it is long.
	State string
	// Subscriptions are the event types and patterns that it has subscribed to.
	Subscriptions []string
	// Waits are its waits for other agents, the newest first.
	Waits []WaitView
	// Events are the newest events of the history that it published, oldest first.
	Events []Event
}

// A SubscriptionView is what an Inspector sees of a subscription.
type SubscriptionView struct {
	// Subscriber is the id of the agent, or the name from SubscribeOptions, or sub_ and a number that
	// the Inspector has chosen.
	Subscriber string
	Pattern    string
	Policy     QueuePolicy
	// Queued is how many events wait, and Capacity how many there is room for.
	Queued, Capacity   int
	Delivered, Dropped uint64
	// Full is for how long every call has found the queue nearly full.
	Full time.Duration
}

// An Inspector reads what the agents and subscriptions of a running system do. Call its methods repeatedly, for
// example a few times per second. Each call visits a bounded number of agents, in turn, and reads the busiest
// agents found so far again; among very many agents it takes several calls to find one that has become busy.
//
// Messages cost nothing extra while there is no Inspector. While one is open, each agent counts its own actions, and
// each message is timed: see Types. An Inspector keeps no agent or subscription alive. Several goroutines may use
// it.
type Inspector struct {
	system *System
	table  *typeTable
	closed sync.Once

	mu       sync.Mutex
	walk     registry.Walk[Agent] // to find the busiest
	tracked  map[weak.Pointer[Agent]]*trackedAgent
	seen     map[weak.Pointer[Subscription]]*trackedSubscription
	numbered int
	// waiters are the agents that the last call found waiting, and waits is when each of their waits was
	// first found.
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
	round     bool // found by this call
}

// Inspect returns an Inspector of the system. The caller must close it.
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

// Close ends the inspection. When no Inspector is open any longer, messages are no longer timed and counted.
// Closing again does nothing.
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

// Agents returns the n busiest known agents, the busiest first, and the number of all agents. If n is 0 or less,
// it returns no agents.
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

// goRound visits the next agents, and tracks those that are busier than the least busy of the tracked ones.
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

// glance returns how busy an agent seems from a single reading. By rate, it is the number of actions since the
// first open Inspector was opened.
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

// depth returns how many messages of its mailbox are not yet handled.
func (a *Agent) depth() int {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.mailbox.depth()
}

// memoryBytes returns the size of the agent, as far as it can be read while the agent runs.
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

// read updates the view.
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

// Agent returns a report on the agent with an id; false if there is none.
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
	if now.Sub(t.at) > time.Millisecond { // else it was just read by Agents
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

// Subscriptions returns the n fullest subscriptions, the fullest first, and the number of all subscriptions. If n is
// 0 or less, it returns no subscriptions.
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
		if t.round { // it is listed once for each topic that it matches
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
