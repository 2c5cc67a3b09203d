package mabeam

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/enum"
)

// A QueuePolicy says what happens to a new event if a subscription's queue is full.
type QueuePolicy int

// The policies.
const (
	// Block makes the publisher wait, so that nothing is lost while it can wait.
	Block QueuePolicy = iota
	// DropOldest drops the oldest waiting event.
	DropOldest
	// DropNewest drops the new event.
	DropNewest
	// Disconnect ends the subscription.
	Disconnect
)

var policyNames = []string{"block", "drop-oldest", "drop-newest", "disconnect"}

func (p QueuePolicy) known() bool { return p >= Block && p <= Disconnect }

func (p QueuePolicy) String() string { return enum.Name(policyNames, p) }

// ParseQueuePolicy returns the policy with a name.
func ParseQueuePolicy(name string) (QueuePolicy, error) {
	for i, n := range policyNames {
		if n == name {
			return QueuePolicy(i), nil
		}
	}
	return 0, fmt.Errorf("unknown queue policy %q (one of %v)", name, policyNames)
}

// SubscribeOptions configure a subscription. The zero value uses the bus's policy and queue length.
type SubscribeOptions struct {
	// Name is the subscriber's name in an Inspector; empty lets the Inspector number it.
	Name string
	// Policy is the policy for a full queue; nil means that of the bus.
	Policy *QueuePolicy
	// Queue is the length of the queue; 0 means that of the bus. A blocking subscription
	// shares its queue, so it cannot have another length.
	Queue int
}

// deliveryBatch is how many events one subscriber handles before others that wait for a goroutine get
// their turn.
const deliveryBatch = 512

// The life of a subscription.
const (
	subscriptionOpen    uint32 = iota
	subscriptionClosed         // nothing more is to be delivered
	subscriptionRemoved        // it is off the bus: what is left in its queue is final
)

// A Subscription delivers events to one handler, one at a time.
type Subscription struct {
	bus     *Bus
	pattern string
	exact   bool // pattern is an event type
	stays   bool // it has left the log but is still in log.readers: see log.leave
	// life is subscriptionOpen, subscriptionClosed or subscriptionRemoved.
	life    atomic.Uint32
	agent   *Agent
	handler func(context.Context, Event)
	name    *string // nil for none; that of an agent is its id

	// A blocking subscription reads the log from its cursor on, unless it is detached;
	// any other has a queue, and no log.
	log      *log
	detached atomic.Pointer[detachedReader]
	cursor   atomic.Uint64
	lost     atomic.Uint64 // the events before this position were lost
	left     uint64        // the head when it left the log
	queue    *queue
	pos      int32 // in log.readers, guarded by log.mu
	parkedAt int32 // in log.parked, guarded by log.mu

	// scheduled is true from being woken until parked again; only for one
	// without an agent.
	scheduled atomic.Bool
	// busy is held by who touches the cursor: one that drains, or the last of
	// all, who retires the subscription and never gives it back.
	busy      atomic.Bool
	delivered atomic.Uint64
	dropped   atomic.Uint64
	err       atomic.Pointer[error]
}

// Pattern returns the event type or pattern that was subscribed to.
func (s *Subscription) Pattern() string { return s.pattern }

// Delivered returns how many events the handler has been called with.
func (s *Subscription) Delivered() uint64 { return s.delivered.Load() }

// Dropped returns how many events the handler was not called with because the queue was full, the
// publisher gave up, the bus crashed, or the subscription ended before.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Waiting returns how many events are queued.
func (s *Subscription) Waiting() int {
	if s.queue != nil {
		return s.queue.depth()
	}
	if s.closed() {
		return 0
	}
	if a := s.detached.Load(); a != nil {
		return int(a.end-min(s.reached(), a.end)) + a.queue.depth()
	}
	reached := s.reached() // before the head, which only grows
	return int(s.log.head.Load() - reached)
}

// reached is the position of the next event that it is to get.
func (s *Subscription) reached() uint64 { return max(s.cursor.Load(), s.lost.Load()) }

func (s *Subscription) closed() bool { return s.life.Load() != subscriptionOpen }

// Err returns why the subscription ended by itself: ErrDisconnected, or a *PanicError of its handler. It
// is nil while the subscription lives, and if it was ended by Unsubscribe, its agent's end or a stop.
func (s *Subscription) Err() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Unsubscribe ends the subscription. The handler gets no event published from now on, but a call that
// has begun may still be running. Queued events count as dropped.
func (s *Subscription) Unsubscribe() { s.end(nil) }

// end closes the subscription, for a reason of its own or from outside.
func (s *Subscription) end(reason error) {
	if !s.life.CompareAndSwap(subscriptionOpen, subscriptionClosed) {
		return
	}
	if reason != nil {
		kept := reason // a copy, so that no end without a reason allocates one
		s.err.Store(&kept)
	}
	s.bus.remove(s)
	if s.agent != nil && !s.agent.isOver() {
		s.agent.forget(s)
	}
	s.life.Store(subscriptionRemoved)
	s.retire()
}

// retire counts what will never be delivered, unless the subscription is being
// drained: then the one who drains it does so afterwards.
func (s *Subscription) retire() {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	if s.stays {
		s.log.finishLeave(s)
	}
	a := s.detached.Load()
	switch {
	case s.queue != nil:
		s.drop(s.queue.close())
	case a != nil:
		s.drop(a.end - s.cursor.Load() + a.queue.close())
	default:
		s.drop(s.left - s.cursor.Load())
	}
}

func (s *Subscription) drop(n uint64) {
	if n == 0 {
		return
	}
	s.dropped.Add(n)
	s.bus.drop(n)
}

// wake makes the subscription run because there is an event.
func (s *Subscription) wake() {
	if s.agent != nil {
		s.agent.push((*pendingEvents)(s))
		return
	}
	if s.scheduled.CompareAndSwap(false, true) {
		s.bus.scheduler.Schedule((*subscriptionRunner)(s))
	}
}

// A subscriptionRunner is a subscription without an agent as the scheduler runs it.
type subscriptionRunner Subscription

// Run implements scheduler.Runnable.
func (r *subscriptionRunner) Run() (more bool) { return (*Subscription)(r).run() }

// run handles a batch of events, for a subscription without an agent.
func (s *Subscription) run() (more bool) {
	for {
		if s.drain(s.bus.ctx, nil) {
			return true
		}
		s.scheduled.Store(false)
		if s.park() || !s.scheduled.CompareAndSwap(false, true) {
			return false
		}
	}
}

// park reports whether the subscription may rest: until the next event, or for
// ever.
func (s *Subscription) park() bool {
	switch {
	case s.closed():
		return true
	case s.queue != nil:
		return s.queue.park()
	}
	return s.log.park(s)
}

// mayGoOn reports whether one more event may be delivered. An agent that has ended
// gets nothing even before its subscriptions are ended one by one.
func (s *Subscription) mayGoOn() bool {
	return !s.closed() && (s.agent == nil || s.agent.mayGoOn())
}

// drain calls the handler for the events that wait, up to a batch of them, and
// reports whether there are more. A handler that panics, or ends its goroutine,
// costs the agent its life, or ends the subscription if there is no agent. The figures are
// the agent's.
func (s *Subscription) drain(ctx context.Context, f *typeFigures) (more bool) {
	if !s.busy.CompareAndSwap(false, true) {
		return false
	}
	finished := false
	// One guard for the whole batch costs less than one for each event.
	defer func() {
		if !finished {
			s.fail(newPanicError(recover()))
		}
		s.busy.Store(false)
		if s.life.Load() == subscriptionRemoved {
			s.retire()
		}
	}()
	if s.queue != nil {
		more = s.drainQueue(ctx, s.queue, f)
	} else {
		more = s.drainLog(ctx, f)
	}
	finished = true
	return more && !s.closed()
}

// fail ends who could not handle an event.
func (s *Subscription) fail(reason error) {
	if s.agent != nil {
		s.agent.crash(reason)
		return
	}
	s.logPanic(reason)
	s.end(reason)
}

// drainLog is drain for a subscription that reads a log.
func (s *Subscription) drainLog(ctx context.Context, f *typeFigures) (more bool) {
	head := s.log.head.Load()
	// The order matters. Whoever takes the ring away from a subscription, because it
	// leaves, is detached or loses its events, marks it first, and lets it keep this ring.
	// So if there is no mark below, nothing unread is overwritten in this ring.
	ring := *s.log.ring.Load()
	if a := s.detached.Load(); a != nil {
		return s.drainDetached(ctx, a, f)
	}
	s.drainRing(ctx, ring, head, f)
	return s.Waiting() > 0
}

// drainRing handles the events of a ring up to a position, a batch of them at most, and
// reports whether there are more.
func (s *Subscription) drainRing(ctx context.Context, ring []Event, end uint64, f *typeFigures) (more bool) {
	cursor := s.passLost()
	upTo := min(end, cursor+deliveryBatch)
	mask := uint64(len(ring) - 1)
	told, step := cursor, s.log.step
	defer func() { s.advance(told, cursor) }()
	for cursor < upTo && s.mayGoOn() {
		if s.agent != nil && s.agent.mailbox.signalled.Load() {
			s.agent.handleSignals()
			continue // one of them may have ended the agent
		}
		e := &ring[cursor&mask]
		cursor++ // here, so that one that the handler panics at counts too
		s.deliver(ctx, e, f)
		// Telling after each event would cost as much as a short handler. But
		// a publisher that waits is told at once.
		if cursor-told >= step || s.log.waiting.Load() {
			s.advance(told, cursor)
			told = cursor
		}
	}
	return cursor < end
}

// passLost counts what was lost before it was delivered as dropped, and returns the position
// after that.
func (s *Subscription) passLost() (cursor uint64) {
	cursor = s.cursor.Load()
	if lost := s.lost.Load(); lost > cursor {
		s.drop(lost - cursor)
		cursor = lost
		s.cursor.Store(cursor)
	}
	return cursor
}

// advance notes that the events in between were delivered, and may be
// overwritten.
func (s *Subscription) advance(from, to uint64) {
	if from == to {
		return
	}
	s.cursor.Store(to)
	s.count(to - from)
	s.log.wakePublishers()
}

// drainQueue is drain for a subscription with a queue of its own.
func (s *Subscription) drainQueue(ctx context.Context, q *queue, f *typeFigures) (more bool) {
	for range deliveryBatch {
		if s.agent != nil && s.agent.mailbox.signalled.Load() {
			s.agent.handleSignals()
		}
		if !s.mayGoOn() {
			return true
		}
		e, ok := q.pop()
		if !ok {
			return false
		}
		s.count(1) // here, so that one that the handler panics at counts too
		if s.log != nil {
			s.log.wakePublishers()
		}
		s.deliver(ctx, &e, f)
	}
	return true
}

// count notes that n events were delivered.
func (s *Subscription) count(n uint64) {
	s.delivered.Add(n)
	s.bus.delivered.Add(int64(n))
}

// deliver calls the handler with an event. It is so short because it is called for each.
func (s *Subscription) deliver(ctx context.Context, e *Event, f *typeFigures) {
	if s.agent == nil {
		s.handler(ctx, *e)
		return
	}
	s.deliverToAgent(ctx, e, f)
}

func (s *Subscription) deliverToAgent(ctx context.Context, e *Event, f *typeFigures) {
	if s.bus.propagates {
		ctx, e = e.unwrapped(ctx)
	}
	if f == nil {
		s.agent.behaviour.HandleEvent(ctx, s.agent, *e)
		return
	}
	_ = f.work(func() error { s.agent.behaviour.HandleEvent(ctx, s.agent, *e); return nil })
}

// A queue holds the events of one subscription that does not block.
type queue struct {
	policy QueuePolicy
	length int

	mu     sync.Mutex
	ring   []Event // grows to length
	first  int
	n      int
	parked bool
	closed bool
}

func newQueue(policy QueuePolicy, length int) *queue {
	return &queue{policy: policy, length: length, parked: true}
}

// grow gives the ring room for more, up to the queue's length.
func (q *queue) grow() {
	ring := make([]Event, min(max(2*len(q.ring), 8), q.length))
	for i := range q.n {
		ring[i] = q.ring[(q.first+i)%len(q.ring)]
	}
	q.ring, q.first = ring, 0
}

// push adds an event. It reports whether the subscriber has to be woken, how many
// events were dropped for it, and whether the subscription is to end.
func (q *queue) push(e *Event) (wake bool, dropped uint64, disconnect bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, 1, false
	}
	switch {
	case q.n < len(q.ring):
	case len(q.ring) < q.length:
		q.grow()
	default:
		switch q.policy {
		case DropNewest:
			return false, 1, false
		case Disconnect:
			return false, 1, true
		}
		q.first = (q.first + 1) % len(q.ring)
		q.n--
		dropped = 1
	}
	e.copyTo(&q.ring[(q.first+q.n)%len(q.ring)])
	q.n++
	wake, q.parked = q.parked, false
	return wake, dropped, false
}

func (q *queue) pop() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return Event{}, false
	}
	e := q.ring[q.first]
	q.ring[q.first] = Event{} // what it holds may be freed
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return e, true
}

// park notes that the subscriber waits; false if there is something already.
func (q *queue) park() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parked = q.n == 0
	return q.parked
}

func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// lose forgets what waits and returns how much that was.
func (q *queue) lose() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.n
	clear(q.ring) // what the events hold may be freed
	q.n = 0
	return uint64(lost)
}

// close refuses events from now on and returns how many were waiting.
func (q *queue) close() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.n
	q.closed, q.ring, q.n = true, nil, 0
	return uint64(lost)
}
