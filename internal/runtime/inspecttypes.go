package mabeam

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/metric"
)

// mostTypes is the maximum number of agent types with figures of their own. They take 20 KB each, and exist only while
// an Inspector is open.
const mostTypes = 256

// A TypeView has the figures of all agents of one type together, since the first open Inspector was opened.
type TypeView struct {
	Type string
	// Handled counts the callbacks for actions, signals, events and answers that have returned.
	Handled int64
	// Failed counts the callbacks that returned an error or panicked.
	Failed int64
	// DeepestMailbox is the maximum number of messages, without signals, in one mailbox at one time,
	// including those being handled. Queues that began before the Inspector was opened are not measured.
	DeepestMailbox int
	// InMailbox is how long actions, answers and signals waited before they were begun; 0 for an action
	// that ran on its caller's goroutine. Those that were sent before the Inspector was opened are not
	// measured. Events wait in the queues of their subscriptions instead.
	InMailbox metric.Histogram
	// AtWork is how long the callbacks took, including their waits.
	AtWork metric.Histogram
}

// Types returns the figures of the agents by type, sorted by the names of the types, since the first open Inspector was
// opened. The figures of a type begin with the first message that one of its agents handles. An agent whose type
// changes counts for the new type from then on. The message that an agent was handling when the Inspector was opened,
// and up to seven messages after it, may be missing. The first 256 types have figures of their own; all other agents
// are together in others, which has no type.
func (i *Inspector) Types() (types []TypeView, others TypeView) {
	seen := *i.table.types.Load()
	for _, name := range slices.SortedFunc(maps.Keys(seen), cmp.Compare[string]) {
		types = append(types, seen[name].view(name))
	}
	return types, i.table.others.view("")
}

// A typeTable has the figures of all types. There is one while an Inspector is open.
type typeTable struct {
	types  atomic.Pointer[map[string]*typeFigures] // replaced when a type is added
	others typeFigures

	mu sync.Mutex // held to add a type
}

func newTypeTable() *typeTable {
	t := &typeTable{}
	t.types.Store(&map[string]*typeFigures{})
	return t
}

// of returns the figures of an agent's type.
func (t *typeTable) of(a *Agent) *typeFigures {
	agentType := a.entry.Record().Type
	if f := t.known(agentType); f != nil {
		return f
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.known(agentType); f != nil {
		return f
	}
	f, next := &typeFigures{}, maps.Clone(*t.types.Load())
	next[agentType] = f
	t.types.Store(&next)
	return f
}

// known returns the figures of a type; nil if they have yet to be made.
func (t *typeTable) known(agentType string) *typeFigures {
	types := *t.types.Load()
	if f := types[agentType]; f != nil || len(types) < mostTypes {
		return f
	}
	return &t.others
}

// typeFigures are the figures of the agents of one type.
type typeFigures struct {
	failed, deepest   atomic.Int64
	inMailbox, atWork metric.Distribution
}

func (f *typeFigures) view(name string) TypeView {
	v := TypeView{
		Type: name, Failed: f.failed.Load(), DeepestMailbox: int(f.deepest.Load()),
		InMailbox: f.inMailbox.Read(), AtWork: f.atWork.Read(),
	}
	v.Handled = v.AtWork.Count
	return v
}

// noteDepth records the depth of a mailbox.
func (f *typeFigures) noteDepth(depth int) {
	for seen := f.deepest.Load(); int64(depth) > seen && !f.deepest.CompareAndSwap(seen, int64(depth)); {
		seen = f.deepest.Load()
	}
}

// work calls a callback, and records how long it takes and whether it fails or panics. A nil f records nothing.
func (f *typeFigures) work(callback func() error) (err error) {
	if f == nil {
		return callback()
	}
	began, failed := time.Now(), true
	defer func() {
		f.atWork.Record(time.Since(began))
		if failed {
			f.failed.Add(1)
		}
	}()
	err = callback()
	failed = err != nil
	return err
}

// figures returns the figures of the agent's type; nil while there is no Inspector. It is short enough to be inlined.
func (a *Agent) figures() *typeFigures {
	if a.system.types.Load() == nil {
		return nil
	}
	return a.currentFigures()
}

func (a *Agent) currentFigures() *typeFigures {
	if t := a.system.types.Load(); t != nil {
		return t.of(a)
	}
	return nil // the Inspector has been closed meanwhile
}

// unknownArrival is the arrival time of a message that came while there was no Inspector.
const unknownArrival time.Duration = -1

// arrival returns the present time as the arrival time of a message.
func (s *System) arrival() time.Duration { return time.Since(s.began) }

// noteArrival records that the last message of a batch arrives now, in a mailbox that has a depth with it.
func (b *batch) noteArrival(s *System, depth int) {
	b.arrivals = append(b.arrivals, s.arrival())
	b.figures.noteDepth(depth)
}

// arrivalsFrom returns the arrival times of the messages from a position on.
func (b *batch) arrivalsFrom(i int) []time.Duration {
	if b.figures != nil {
		return b.arrivals[i:]
	}
	return slices.Repeat([]time.Duration{unknownArrival}, len(b.messages)-i)
}

// noteWait records how long a message of a batch has waited, if that is known.
func (f *typeFigures) noteWait(s *System, b *batch, i int) {
	if f != nil && b.figures != nil {
		f.noteArrived(s, b.arrivals[i])
	}
}

// noteArrived is noteWait for a message with an arrival time.
func (f *typeFigures) noteArrived(s *System, at time.Duration) {
	if f != nil && at != unknownArrival {
		f.inMailbox.Record(s.arrival() - at)
	}
}
