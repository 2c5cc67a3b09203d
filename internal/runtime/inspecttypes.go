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

// mostTypes is for how many types of agents there are figures: 20 KB each, and only while
// somebody looks.
const mostTypes = 256

// A TypeView is what was seen of the agents of one type together, since somebody looks into
// the system.
type TypeView struct {
	Type string
	// Handled counts the callbacks that have returned: for actions, signals, events and
	// answers.
	Handled int64
	// Failed counts those of them that returned an error or panicked.
	Failed int64
	// DeepestMailbox is the most messages, signals apart, that were in one mailbox at
	// once, those at work included. It is looked at when a message comes into a mailbox
	// where none has waited since before somebody looked.
	DeepestMailbox int
	// InMailbox is how long actions, answers and signals that came since somebody looks
	// have waited before they were begun. One that its caller carried out at once
	// has waited 0. Events wait in the queues of their subscriptions instead.
	InMailbox metric.Histogram
	// AtWork is how long the callbacks took, what they waited for included.
	AtWork metric.Histogram
}

// Types returns what was seen of the agents by type, in the order of the types' names,
// since the first of the inspectors that are open now was opened. The figures of a type
// begin with the first thing that an agent of it handles; an agent whose type is changed
// counts for the new one from then on. What an agent was at when the inspector was opened,
// and up to seven things behind that, may be missing. There are figures for the first 256 types;
// the agents of all others are together in others, which has no type.
func (i *Inspector) Types() (types []TypeView, others TypeView) {
	seen := *i.table.types.Load()
	for _, name := range slices.SortedFunc(maps.Keys(seen), cmp.Compare[string]) {
		types = append(types, seen[name].view(name))
	}
	return types, i.table.others.view("")
}

// A typeTable has the figures of all types. There is one while somebody looks.
type typeTable struct {
	types  atomic.Pointer[map[string]*typeFigures] // replaced when a type is added
	others typeFigures

	mu sync.Mutex // of who adds a type
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

// known returns the figures of a type; nil if it is to have some and has none yet.
func (t *typeTable) known(agentType string) *typeFigures {
	types := *t.types.Load()
	if f := types[agentType]; f != nil || len(types) < mostTypes {
		return f
	}
	return &t.others
}

// typeFigures are those of the agents of one type.
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

// noteDepth notes how deep a mailbox was.
func (f *typeFigures) noteDepth(depth int) {
	for seen := f.deepest.Load(); int64(depth) > seen && !f.deepest.CompareAndSwap(seen, int64(depth)); {
		seen = f.deepest.Load()
	}
}

// work calls a callback, and notes how long it takes and whether it fails, also if it
// panics; nil notes nothing.
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

// figures are those that the agent counts for; nil while nobody looks. It is short enough
// to be compiled in line.
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
	return nil // who looked has closed meanwhile
}

// unknownArrival is that of a message that came while nobody looked.
const unknownArrival time.Duration = -1

// arrival is now, as a message's time of arrival.
func (s *System) arrival() time.Duration { return time.Since(s.began) }

// noteArrival notes that the last message of a batch comes now, into a mailbox that is that
// deep with it.
func (b *batch) noteArrival(s *System, depth int) {
	b.arrivals = append(b.arrivals, s.arrival())
	b.figures.noteDepth(depth)
}

// arrivalsFrom are those of the messages from one on, known or not.
func (b *batch) arrivalsFrom(i int) []time.Duration {
	if b.figures != nil {
		return b.arrivals[i:]
	}
	return slices.Repeat([]time.Duration{unknownArrival}, len(b.messages)-i)
}

// noteWait notes how long a message of a batch has waited, if that is known.
func (f *typeFigures) noteWait(s *System, b *batch, i int) {
	if f != nil && b.figures != nil {
		f.noteArrived(s, b.arrivals[i])
	}
}

// noteArrived is noteWait of what has arrived at a time.
func (f *typeFigures) noteArrived(s *System, at time.Duration) {
	if f != nil && at != unknownArrival {
		f.inMailbox.Record(s.arrival() - at)
	}
}
