// Package eventbus delivers events from publishers to the subscribers of their types.
//
// All subscribers to an event type share one bounded log, and so do all subscribers to a pattern.
// Publishing appends an event to the log of its type and to the logs of the matching patterns, which
// are resolved in advance. Each subscriber reads the logs at its own position, so an event is stored
// once, however many subscribe to it. With policy Block, a publisher waits while the slowest subscriber
// is a whole queue behind; with any other policy, a subscription has a queue of its own. A subscriber
// that is a whole queue behind while others wait is detached: it gets a queue of its own until it has
// caught up, and the others read on.
//
// The cost: all blocking subscribers have queues of the same length. A subscriber to two types gets
// events in order only within each type. While a publisher waits for a subscriber to the event's type,
// the subscribers to patterns, and those with queues of their own, wait for the event too. And the
// history copies each event.
package eventbus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/runtime/internal/failure"
	"mabeam-top/internal/runtime/internal/metric"
	"mabeam-top/internal/runtime/internal/propagate"
	"mabeam-top/internal/runtime/internal/scheduler"
	"mabeam-top/internal/runtime/internal/table"
)

// A Bus delivers events from publishers to subscribers. A subscription gets the events of one
// publisher in the order in which they were published, each once. There is no order between two
// subscriptions of the same subscriber.
type Bus struct {
	config  Config
	history *history // nil if none is kept
	ids     eventIDs
	rate    *guard.Bucket // of Publish; nil if there is none

	topics  *table.Table[Topic]
	stopped atomic.Bool

	recent             topicCache
	sequence           atomic.Uint64 // the number of the newest event
	delivered, dropped metric.Counter
	firstDrop          atomic.Pointer[time.Time]
	subscriptions      atomic.Int64

	mu       sync.Mutex // guards what follows, and changes of topics
	patterns map[string]*patternLog
	names    []*Topic
	sweepAt  int // the number of topics from which unused ones are forgotten
}

// A Config configures a bus.
type Config struct {
	// Context is the context of the handlers. It ends when the system is forced down.
	Context context.Context
	// Scheduler runs the handlers.
	Scheduler scheduler.Scheduler
	// Policy and Queue are the defaults for subscriptions.
	Policy Policy
	Queue  int
	// History is how many events are kept; none if it is not above 0.
	History int
	// WaitTimeout limits how long publishers wait that have no deadline.
	WaitTimeout time.Duration
	// Propagate picks the context values that go with an event.
	Propagate propagate.Picker
	// InCallback reports whether a context belongs to the callback of an agent, whose waits are
	// limited by WaitTimeout even if it has a deadline.
	InCallback func(context.Context) bool
	// OnPanic is called when the handler of a subscription has panicked.
	OnPanic func(s *Subscription, err error)
}

// New returns a bus.
func New(c Config) *Bus {
	return &Bus{
		config: c, history: newHistory(c.History),
		ids:      eventIDs{first: takeIDBlock()},
		topics:   table.New[Topic](),
		patterns: make(map[string]*patternLog),
		sweepAt:  minSweep,
	}
}

// Publish sends an event to all subscriptions to its type or to a pattern that matches it.
//
// While the queue of a subscription with policy Block is full, Publish waits until ctx ends. If ctx has
// no deadline, or belongs to an agent's callback, it waits for Options.WaitTimeout in all: a subscriber
// without room may be waiting for this agent, or be the agent itself. Subscriptions that then still
// have no room miss the event, which counts as dropped, and the error is a *MissedError. All others get
// it before Publish waits long: within 5 ms for each type or pattern with a subscription that has no
// room. Any other error means that nobody got the event.
//
// If there is a rate of publishing, Publish first waits for its turn, as guard.Bucket.Wait does.
// ErrBadPattern means that the event type is empty or too long.
func (b *Bus) Publish(ctx context.Context, e Event) error {
	return b.publishFor(&publication{ctx: ctx, bus: b}, &e)
}

func (b *Bus) publishFor(p *publication, e *Event) error {
	if b.stopped.Load() {
		return failure.ErrSystemStopped
	}
	if p.ctx.Err() != nil {
		return fmt.Errorf("publish %q: %w", e.Type, failure.ContextError(p.ctx))
	}
	if b.rate != nil {
		if err := b.rate.WaitAtMost(p.ctx, b.config.WaitTimeout); err != nil {
			return fmt.Errorf("publish %q: %w", e.Type, err)
		}
	}
	t := b.recent.get(e.Type)
	if t == nil {
		if err := CheckPattern(e.Type); err != nil {
			return fmt.Errorf("publish %q: %w", e.Type, err)
		}
		t = b.topic(e.Type)
	}
	return b.publish(p, t, e)
}

// publish publishes an event of a known topic, without a rate.
func (b *Bus) publish(p *publication, t *Topic, e *Event) error {
	b.record(b.sequence.Add(1), e)
	if b.config.Propagate != nil && !p.neverWaits {
		e.Data = b.config.Propagate.Wrap(p.ctx, e.Data)
	}
	o := t.others.Load()
	p.others = o != nil
	if t.log.subscribers.Load() > 0 {
		t.log.append(p, e)
	}
	if o != nil {
		for _, s := range o.queued {
			s.enqueue(e)
		}
		for _, l := range o.logs {
			l.append(p, e)
		}
	}
	if !p.hadNoRoom() {
		return nil
	}
	p.appendDeferred()
	p.release()
	if p.missed > 0 {
		b.countDropped(uint64(p.missed))
		return &MissedError{Type: e.Type, Subscribers: p.missed, Err: p.why}
	}
	return nil
}

// record gives an event its id, and its time if it has none, and adds it to the history.
func (b *Bus) record(number uint64, e *Event) {
	e.ID = b.ids.of(number)
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	if b.history != nil {
		b.history.put(number, e)
	}
}

// A MissedError means that an event was published, but subscriptions missed it because they had no
// room in time. Do not publish the event again: the other subscribers have it.
type MissedError struct {
	Type        string // of the event
	Subscribers int    // how many subscriptions missed it
	Err         error  // ErrTimeout or context.Canceled
}

func (e *MissedError) Error() string {
	return fmt.Sprintf("publish %q: %d subscribers had no room: %v", e.Type, e.Subscribers, e.Err)
}

func (e *MissedError) Unwrap() error { return e.Err }

// countDropped counts deliveries that will not be made.
func (b *Bus) countDropped(n uint64) {
	if b.firstDrop.Load() == nil {
		now := time.Now()
		b.firstDrop.CompareAndSwap(nil, &now)
	}
	b.dropped.Add(int64(n))
}

// FirstDrop returns when a delivery was first dropped, by any subscription; false if none was.
func (b *Bus) FirstDrop() (at time.Time, ok bool) {
	if first := b.firstDrop.Load(); first != nil {
		return *first, true
	}
	return time.Time{}, false
}

// History returns up to limit of the newest events of all types, oldest first; all that are kept if
// limit is 0 or less. An event that is just being published may be missing.
func (b *Bus) History(limit int) []Event {
	if b.history == nil {
		return nil
	}
	if limit <= 0 {
		limit = b.history.kept
	}
	return b.history.newest(b.sequence.Load(), limit)
}
