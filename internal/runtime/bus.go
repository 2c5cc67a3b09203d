package mabeam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/guard"

	"mabeam-top/internal/runtime/internal/table"

	"mabeam-top/internal/runtime/internal/metric"

	"mabeam-top/internal/runtime/internal/scheduler"
)

// ErrDisconnected means that a subscription with policy Disconnect ended because its queue was full.
var ErrDisconnected = errors.New("disconnected: queue full")

// A Bus delivers events from publishers to subscribers. A subscription gets the events of one
// publisher in the order in which they were published, each once. There is no order between two
// subscriptions of the same subscriber.
type Bus struct {
	ctx        context.Context // what handlers get; ends when the system is forced down
	scheduler  scheduler.Scheduler
	options    *Options // where the logger is
	propagates bool     // there is an Options.Propagate
	policy     QueuePolicy
	length     int
	// waitTimeout is how long those wait for room who have no deadline.
	waitTimeout time.Duration
	history     *history // nil if none is kept
	ids         eventIDs
	rate        *guard.Bucket // of Publish; nil if there is none

	topics  *table.Table[topic]
	stopped atomic.Bool

	recent             topicCache
	sequence           atomic.Uint64 // of the newest event: as many were published
	delivered, dropped metric.Counter
	firstDrop          atomic.Pointer[time.Time]
	subscriptions      atomic.Int64

	mu       sync.Mutex // guards what follows, and changes of topics
	patterns map[string]*patternLog
	names    []*topic
	sweepAt  int // the number of topics at which to look for some to forget
}

// A topic is one event type: the log that its own subscribers share, and where
// else its events go.
type topic struct {
	name      string
	log       *log
	pinned    bool        // somebody holds on to it
	forgotten atomic.Bool // it is no longer in Bus.topics
	// others is replaced when a pattern or a queue comes or goes.
	others atomic.Pointer[others]
}

// others are the receivers of a topic's events besides its log.
type others struct {
	logs   []*log // of the patterns that match
	queued []*Subscription
}

// A patternLog is the log that all blocking subscribers of one pattern share.
type patternLog struct {
	log     *log
	readers int
	queued  []*Subscription
}

func newBus(ctx context.Context, s scheduler.Scheduler, o Options) *Bus {
	return &Bus{
		ctx: ctx, scheduler: s, options: &o, propagates: o.Propagate != nil,
		policy: o.BusPolicy, length: o.BusQueue, waitTimeout: o.WaitTimeout, history: newHistory(o.History),
		ids:      eventIDs{first: takeIDBlock()},
		topics:   table.New[topic](),
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
	return b.publishFor(&publication{ctx: ctx, waitTimeout: b.waitTimeout}, &e)
}

func (b *Bus) publishFor(p *publication, e *Event) error {
	if b.stopped.Load() {
		return ErrSystemStopped
	}
	if p.ctx.Err() != nil {
		return fmt.Errorf("publish %q: %w", e.Type, CallError(p.ctx))
	}
	if b.rate != nil {
		if err := awaitTurn(p.ctx, b.rate, b.waitTimeout); err != nil {
			return fmt.Errorf("publish %q: %w", e.Type, err)
		}
	}
	t := b.recent.get(e.Type)
	if t == nil {
		if err := checkPattern(e.Type); err != nil {
			return fmt.Errorf("publish %q: %w", e.Type, err)
		}
		t = b.topic(e.Type)
	}
	return b.publish(p, t, e)
}

// publish is publishFor for a known topic, without a rate.
func (b *Bus) publish(p *publication, t *topic, e *Event) error {
	number := b.sequence.Add(1)
	e.ID = b.ids.of(number)
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	if b.history != nil {
		b.history.put(number, e)
	}
	if b.propagates && !p.neverWaits {
		e.Data = b.options.wrapped(p.ctx, e.Data)
	}
	o := t.others.Load()
	p.others = o != nil
	if t.log.audience.Load() > 0 {
		t.log.append(p, e)
	}
	if o != nil {
		for _, s := range o.queued {
			b.enqueue(s, e)
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
		b.drop(uint64(p.missed))
		return &MissedError{Type: e.Type, Subscribers: p.missed, Err: p.why}
	}
	return nil
}

// A MissedError means that an event was published, but subscriptions missed it because they had no
// room in time. Publishing it again would deliver it twice to the others.
type MissedError struct {
	Type        string // of the event
	Subscribers int    // how many subscriptions missed it
	Err         error  // ErrTimeout or context.Canceled
}

func (e *MissedError) Error() string {
	return fmt.Sprintf("publish %q: %d subscribers had no room: %v", e.Type, e.Subscribers, e.Err)
}

func (e *MissedError) Unwrap() error { return e.Err }

// drop counts deliveries that will not be made.
func (b *Bus) drop(n uint64) {
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

// enqueue gives an event to a subscription with a queue of its own.
func (b *Bus) enqueue(s *Subscription, e *Event) {
	wake, dropped, disconnect := s.queue.push(e)
	if dropped > 0 {
		s.drop(dropped)
	}
	if disconnect {
		s.end(fmt.Errorf("%w (%d events)", ErrDisconnected, s.queue.depth()))
	}
	if wake {
		s.wake()
	}
}

// wants reports whether an event of the topic would be kept or delivered.
func (b *Bus) wants(t *topic) bool { return b.history != nil || t.wanted() }

// wanted reports whether anybody would get an event of this topic.
func (t *topic) wanted() bool {
	return t.log.audience.Load() > 0 || t.others.Load() != nil
}

// topic returns the topic of an event type, which it makes when the type is first seen.
func (b *Bus) topic(name string) *topic {
	if t := b.recent.get(name); t != nil {
		return t
	}
	t := b.topics.Get(name)
	if t == nil {
		b.mu.Lock()
		t = b.topicLocked(name)
		b.mu.Unlock()
	}
	b.recent.put(name, t)
	return t
}

// topicLocked is topic for a caller that holds the lock, so that the topic is not forgotten meanwhile.
func (b *Bus) topicLocked(name string) *topic {
	if t := b.topics.Get(name); t != nil {
		return t
	}
	if len(b.names) >= b.sweepAt {
		b.sweep()
	}
	t := &topic{name: name, log: newLog(b.length)}
	for pattern, p := range b.patterns {
		if !matches(pattern, name) {
			continue
		}
		if p.readers > 0 {
			t.add(p.log, nil)
		}
		for _, s := range p.queued {
			t.add(nil, s)
		}
	}
	b.names = append(b.names, t)
	b.topics.Add(name, t)
	return t
}

// minSweep is the number of topics from which unused ones are forgotten.
const minSweep = 8192

// isSubscribed reports whether anybody subscribed to just this type. Those who
// subscribed to a pattern are found again when the topic is made anew.
func (t *topic) isSubscribed() bool {
	o := t.others.Load()
	return t.log.audience.Load() > 0 ||
		o != nil && slices.ContainsFunc(o.queued, func(s *Subscription) bool { return s.exact })
}

// sweep forgets the topics that nobody subscribed to, so that publishers that use a new type for each
// event do not fill the memory.
func (b *Bus) sweep() {
	b.names = slices.DeleteFunc(b.names, func(t *topic) bool {
		if t.pinned || t.isSubscribed() {
			return false
		}
		b.topics.Remove(t.name, t)
		t.forgotten.Store(true)
		return true
	})
	b.recent.clear()
	b.sweepAt = max(minSweep, 2*len(b.names))
}

// add gives the topic one more receiver: a pattern's log, or a subscription with
// a queue of its own if there is none. The caller holds Bus.mu.
func (t *topic) add(l *log, s *Subscription) {
	next := &others{}
	if now := t.others.Load(); now != nil {
		*next = *now
	}
	// Appending leaves alone what a publisher sees of the lists it has.
	if l != nil {
		next.logs = append(next.logs, l)
	} else {
		next.queued = append(next.queued, s)
	}
	t.others.Store(next)
}

// drop takes a receiver away again. The caller holds Bus.mu.
func (t *topic) drop(l *log, s *Subscription) {
	now := t.others.Load()
	next := &others{
		logs:   slices.DeleteFunc(slices.Clone(now.logs), func(x *log) bool { return x == l }),
		queued: slices.DeleteFunc(slices.Clone(now.queued), func(x *Subscription) bool { return x == s }),
	}
	if len(next.logs)+len(next.queued) == 0 {
		next = nil
	}
	t.others.Store(next)
}

// Subscribe calls handler for every event of the type that is published from now on, one at a time. A
// panic in the handler ends the subscription. ErrBadPattern means that the type is empty or too long,
// and ErrSystemStopped that the system is stopping. An unknown policy, or a queue length that a
// blocking subscription cannot have, is an error too.
func (b *Bus) Subscribe(eventType string, handler func(context.Context, Event), o SubscribeOptions) (*Subscription, error) {
	return b.subscribe(&Subscription{pattern: eventType, exact: true, handler: b.unwrapping(handler)}, o)
}

// SubscribePattern is Subscribe for every event whose type matches a pattern. In a pattern, a star
// matches any sequence of characters, even an empty one, and a dot directly before a star matches only
// at the end of a word: "demo.*" matches "demo", "demo.x" and "demo_x", but not "demolition".
// ErrBadPattern means that the pattern is empty or longer than 256 bytes.
func (b *Bus) SubscribePattern(pattern string, handler func(context.Context, Event), o SubscribeOptions) (*Subscription, error) {
	return b.subscribe(&Subscription{pattern: pattern, handler: b.unwrapping(handler)}, o)
}

func (b *Bus) subscribe(s *Subscription, o SubscribeOptions) (*Subscription, error) {
	if err := checkPattern(s.pattern); err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", s.pattern, err)
	}
	switch {
	case b.stopped.Load():
		return nil, fmt.Errorf("subscribe to %q: %w", s.pattern, ErrSystemStopped)
	case s.agent == nil && s.handler == nil:
		return nil, fmt.Errorf("subscribe to %q: no handler", s.pattern)
	case o.Policy != nil && !o.Policy.known():
		return nil, fmt.Errorf("subscribe to %q: there is no policy %d", s.pattern, int(*o.Policy))
	}
	s.bus = b
	s.parkedAt = -1
	if o.Name != "" {
		name := o.Name // a copy, so that no subscription without one allocates the options
		s.name = &name
	}
	policy := b.policy
	if o.Policy != nil {
		policy = *o.Policy
	}
	switch length := cmp.Or(o.Queue, b.length); {
	case length <= 0:
		return nil, fmt.Errorf("subscribe to %q: a queue of %d events", s.pattern, length)
	case policy != Block:
		s.queue = newQueue(policy, length)
	case length != b.length:
		return nil, fmt.Errorf("subscribe to %q: a blocking subscription shares the bus's queue of %d events, and cannot have one of %d", s.pattern, b.length, length)
	}
	b.subscriptions.Add(1)
	if s.exact {
		b.joinTopic(s)
	} else {
		b.joinPattern(s)
	}
	if b.stopped.Load() { // it may have come too late for stop to find it
		s.end(nil)
		return nil, fmt.Errorf("subscribe to %q: %w", s.pattern, ErrSystemStopped)
	}
	return s, nil
}

func (b *Bus) joinTopic(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topicLocked(s.pattern)
	if s.queue == nil {
		s.log = t.log
		t.log.join(s)
		return
	}
	t.add(nil, s)
}

func (b *Bus) joinPattern(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.patterns[s.pattern]
	if p == nil {
		p = &patternLog{log: newLog(b.length)}
		b.patterns[s.pattern] = p
	}
	if s.queue == nil {
		s.log = p.log
		p.log.join(s)
		p.readers++
		if p.readers > 1 {
			return // its topics know the log already
		}
	} else {
		p.queued = append(p.queued, s)
	}
	for _, t := range b.names {
		if matches(s.pattern, t.name) {
			t.add(s.log, s)
		}
	}
}

// remove takes a subscription off the bus.
func (b *Bus) remove(s *Subscription) {
	b.subscriptions.Add(-1)
	if s.log != nil {
		s.log.leave(s)
	}
	if s.exact {
		if s.queue != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.topics.Get(s.pattern).drop(nil, s)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.patterns[s.pattern]
	var gone *log
	if s.queue == nil {
		p.readers--
		if p.readers > 0 {
			return
		}
		gone = p.log
	} else {
		p.queued = slices.DeleteFunc(p.queued, func(q *Subscription) bool { return q == s })
	}
	if p.readers == 0 && len(p.queued) == 0 {
		delete(b.patterns, s.pattern)
	}
	for _, t := range b.names {
		if matches(s.pattern, t.name) {
			t.drop(gone, s)
		}
	}
}

// History returns up to limit of the newest events of all types, oldest first; limit <= 0 returns all
// that are kept. An event that is being published may be missing.
func (b *Bus) History(limit int) []Event {
	if b.history == nil {
		return nil
	}
	if limit <= 0 {
		limit = b.history.kept
	}
	return b.history.newest(b.sequence.Load(), limit)
}

// loseAll discards what a crash of the bus loses: the events that subscribers have not begun
// to handle, which count as dropped, and the history. The subscriptions stay, and publishers
// that wait for room continue.
func (b *Bus) loseAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.history != nil {
		b.history.lose(b.sequence.Load())
	}
	for _, t := range b.names {
		t.log.lose()
	}
	for _, p := range b.patterns {
		p.log.lose()
	}
	for _, s := range b.membersLocked() {
		if s.queue != nil {
			s.drop(s.queue.lose())
		}
	}
}

// membersLocked lists the subscriptions. One with a queue of its own is there
// once for each topic that its pattern matches. The caller holds the lock.
func (b *Bus) membersLocked() []*Subscription {
	var subs []*Subscription
	for _, t := range b.names {
		subs = append(subs, t.log.members()...)
		if o := t.others.Load(); o != nil {
			subs = append(subs, o.queued...)
		}
	}
	for _, p := range b.patterns {
		subs = append(subs, p.log.members()...)
		subs = append(subs, p.queued...)
	}
	return subs
}

// stop lets the subscribers handle what was published, and then ends all subscriptions.
func (b *Bus) stop(ctx context.Context) error {
	b.stopped.Store(true)
	err := b.scheduler.Wait(ctx)
	b.mu.Lock()
	subs := b.membersLocked()
	b.mu.Unlock()
	for _, s := range subs {
		s.end(nil)
	}
	return err
}
