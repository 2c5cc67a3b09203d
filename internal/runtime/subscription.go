package runtime

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// A QueuePolicy says what happens to an event for a subscriber whose queue is
// full.
type QueuePolicy int

// The policies.
const (
	// Block makes the publisher wait: nothing is lost.
	Block QueuePolicy = iota
	// DropOldest throws the oldest waiting event away.
	DropOldest
	// DropNewest throws the new event away.
	DropNewest
	// Disconnect ends the subscription.
	Disconnect
)

var policyNames = []string{"block", "drop-oldest", "drop-newest", "disconnect"}

func (p QueuePolicy) String() string { return policyNames[p] }

// ParseQueuePolicy reads a policy by its name.
func ParseQueuePolicy(name string) (QueuePolicy, error) {
	for i, n := range policyNames {
		if n == name {
			return QueuePolicy(i), nil
		}
	}
	return 0, fmt.Errorf("unknown queue policy %q (one of %v)", name, policyNames)
}

// SubscribeOptions say how a subscription queues. The zero value uses the
// bus's policy and queue length.
type SubscribeOptions struct {
	// Policy is the policy for a full queue; nil takes that of the bus.
	Policy *QueuePolicy
	// Queue is the length of the queue; 0 takes that of the bus. A blocking
	// subscription shares its queue, so it cannot have another length.
	Queue int
}

// deliveryBatch is how many events one subscriber handles before others that
// are waiting for a goroutine get their turn.
const deliveryBatch = 512

// A Subscription is one subscriber's place on the bus. Its handler is called
// with one event at a time.
type Subscription struct {
	bus     *Bus
	pattern string
	exact   bool // pattern is an event type
	agent   *Agent
	handler func(context.Context, Event)

	// A blocking subscription reads the log from its cursor on; any other has
	// a queue, and no log.
	log      *log
	cursor   atomic.Uint64
	left     uint64 // the head when it left the log
	queue    *queue
	pos      int32 // in log.readers, guarded by log.mu
	parkedAt int32 // in log.parked, guarded by log.mu

	// scheduled is true from being woken until parked again; only for one
	// without an agent.
	scheduled atomic.Bool
	// busy is held by who touches the cursor: one that drains, or the last of
	// all, who retires the subscription and never gives it back.
	busy      atomic.Bool
	closed    atomic.Bool // nothing more is to be delivered
	removed   atomic.Bool // it is off the bus: what is left in its queue is final
	delivered atomic.Uint64
	dropped   atomic.Uint64
	err       atomic.Pointer[error]
}

// Pattern is what was subscribed to: an event type or a pattern.
func (s *Subscription) Pattern() string { return s.pattern }

// Delivered is how many events the handler has been called with.
func (s *Subscription) Delivered() uint64 { return s.delivered.Load() }

// Dropped is how many events the handler was not called with because the
// queue was full or the subscription ended before.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Waiting is how many events are queued.
func (s *Subscription) Waiting() int {
	if s.queue != nil {
		return s.queue.depth()
	}
	return int(s.log.head.Load() - s.cursor.Load())
}

// Err is why the subscription ended by itself: ErrDisconnected, or a
// *PanicError of its handler. It is nil while it lives and if it was ended
// from outside.
func (s *Subscription) Err() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Unsubscribe ends the subscription. No event published from now on reaches
// the handler; a call of it that has begun may still be going on. What was
// queued is counted as dropped.
func (s *Subscription) Unsubscribe() { s.end(nil) }

// end closes the subscription, for a reason of its own or from outside.
func (s *Subscription) end(reason error) {
	if !s.closed.CompareAndSwap(false, true) {
		return
	}
	if reason != nil {
		s.err.Store(&reason)
	}
	s.bus.remove(s)
	if s.agent != nil {
		s.agent.forget(s)
	}
	s.removed.Store(true)
	s.retire()
}

// retire counts what will never be delivered, unless the subscription is being
// drained: then the one who drains it does so afterwards.
func (s *Subscription) retire() {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	if s.queue != nil {
		s.drop(s.queue.close())
	} else {
		s.drop(s.left - s.cursor.Load())
	}
}

func (s *Subscription) drop(n uint64) {
	s.dropped.Add(n)
	s.bus.dropped.add(int64(n))
}

// wake makes the subscription run because there is an event.
func (s *Subscription) wake() {
	if s.agent != nil {
		s.agent.push(message{kind: drainEvents, events: s})
		return
	}
	if s.scheduled.CompareAndSwap(false, true) {
		s.bus.scheduler.schedule(s)
	}
}

// run handles a batch of events, for a subscription without an agent.
func (s *Subscription) run() (more bool) {
	for {
		if s.drain(s.bus.ctx) {
			return true
		}
		s.scheduled.Store(false)
		if s.park() || !s.scheduled.CompareAndSwap(false, true) {
			return false
		}
	}
}

// park says whether the subscription may rest: until the next event, or for
// ever.
func (s *Subscription) park() bool {
	switch {
	case s.closed.Load():
		return true
	case s.queue != nil:
		return s.queue.park()
	}
	return s.log.park(s)
}

// drain calls the handler for the events that wait, up to a batch of them, and
// says whether there are more.
func (s *Subscription) drain(ctx context.Context) (more bool) {
	if !s.busy.CompareAndSwap(false, true) {
		return false
	}
	var err error
	if s.queue != nil {
		more, err = s.drainQueue(ctx)
	} else {
		more, err = s.drainLog(ctx)
	}
	if err != nil {
		s.end(err)
	}
	s.busy.Store(false)
	if s.removed.Load() {
		s.retire()
	}
	return more && !s.closed.Load()
}

// drainLog is drain for a subscription that reads a log.
func (s *Subscription) drainLog(ctx context.Context) (more bool, err error) {
	cursor, head := s.cursor.Load(), s.log.head.Load()
	end := min(head, cursor+deliveryBatch)
	// The order matters: log.leave gives a subscription that is busy this ring
	// for itself after closing it, so if closed is still false below, this is
	// a ring in which nothing unread is overwritten.
	ring := *s.log.ring.Load()
	mask := uint64(len(ring) - 1)
	told, step := cursor, s.log.step
	for cursor < end && err == nil && !s.closed.Load() {
		err = s.deliver(ctx, &ring[cursor&mask])
		cursor++
		// Telling after each event would cost as much as a short handler. But
		// a publisher that waits is told at once.
		if cursor-told >= step || s.log.waiting.Load() {
			s.advance(told, cursor)
			told = cursor
		}
	}
	s.advance(told, cursor)
	return cursor < s.log.head.Load(), err
}

// advance notes that the events in between were delivered, and may be
// overwritten.
func (s *Subscription) advance(from, to uint64) {
	if from == to {
		return
	}
	s.cursor.Store(to)
	s.count(to - from)
	s.log.moved()
}

// drainQueue is drain for a subscription with a queue of its own.
func (s *Subscription) drainQueue(ctx context.Context) (more bool, err error) {
	for range deliveryBatch {
		if s.closed.Load() {
			return false, nil
		}
		e, ok := s.queue.pop()
		if !ok {
			return false, nil
		}
		err := s.deliver(ctx, &e)
		s.count(1)
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// count notes that n events were delivered.
func (s *Subscription) count(n uint64) {
	s.delivered.Add(n)
	s.bus.delivered.add(int64(n))
}

// deliver calls the handler. An error is a panic in it, which ends the
// subscription; an agent's own panics are the agent's to recover from.
func (s *Subscription) deliver(ctx context.Context, e *Event) (err error) {
	if s.agent != nil {
		s.agent.handleEvent(ctx, *e)
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	s.handler(ctx, *e)
	return nil
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

// push adds an event. It says whether the subscriber has to be woken, how many
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
	q.ring[(q.first+q.n)%len(q.ring)] = *e
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

// close refuses events from now on and returns how many were waiting.
func (q *queue) close() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.n
	q.closed, q.ring, q.n = true, nil, 0
	return uint64(lost)
}
