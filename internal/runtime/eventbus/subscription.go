package eventbus

import (
	"context"
	"fmt"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/propagate"
)

// The life of a subscription.
const (
	subscriptionOpen    uint32 = iota
	subscriptionClosed         // nothing more is to be delivered
	subscriptionRemoved        // it is off the bus: what is left in its queue is final
)

// A Subscription delivers events to one subscriber, one at a time.
type Subscription struct {
	bus     *Bus
	pattern string
	exact   bool // pattern is an event type
	leaving bool // it has left the log but is still in log.readers: see log.leave
	// life is subscriptionOpen, subscriptionClosed or subscriptionRemoved.
	life atomic.Uint32
	to   Subscriber
	name *string // of SubscribeOptions; nil for none

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

	// scheduled is true from being woken until parked again. Only handlers use it.
	scheduled atomic.Bool
	// busy is held by whoever moves the cursor: a Reader, or finally whoever retires the
	// subscription and never gives it back.
	busy      atomic.Bool
	delivered atomic.Uint64
	dropped   atomic.Uint64
	err       atomic.Pointer[error]
}

// A Subscriber has subscriptions, and reads their events with a Reader when it is woken.
type Subscriber interface {
	// ID returns the name of the subscriber.
	ID() string
	// Wake is called when there are events for a subscription whose Park has returned true.
	Wake(s *Subscription)
	// Ended is called when a subscription has ended.
	Ended(s *Subscription)
}

// Pattern returns the event type or pattern that was subscribed to.
func (s *Subscription) Pattern() string { return s.pattern }

// Subscriber returns the name of the subscriber; empty if it has none.
func (s *Subscription) Subscriber() string {
	if s.name != nil {
		return *s.name
	}
	return s.to.ID()
}

// Policy returns the policy for a full queue.
func (s *Subscription) Policy() Policy {
	if s.queue != nil {
		return s.queue.policy
	}
	return Block
}

// Capacity returns the length of the queue.
func (s *Subscription) Capacity() int {
	if s.queue != nil {
		return s.queue.length
	}
	return s.log.queue
}

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

// reached returns the position of the next event to deliver.
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
func (s *Subscription) Unsubscribe() { s.End(nil) }

// End ends the subscription; the reason is that of Err, or nil.
func (s *Subscription) End(reason error) {
	if !s.life.CompareAndSwap(subscriptionOpen, subscriptionClosed) {
		return
	}
	if reason != nil {
		kept := reason // a copy, so that no end without a reason allocates one
		s.err.Store(&kept)
	}
	s.bus.remove(s)
	s.to.Ended(s)
	s.life.Store(subscriptionRemoved)
	s.retire()
}

// retire counts the events that will never be delivered. If a Reader is open, it retires the
// subscription when it closes.
func (s *Subscription) retire() {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	if s.leaving {
		s.log.finishLeave(s)
	}
	a := s.detached.Load()
	switch {
	case s.queue != nil:
		s.countDropped(s.queue.close())
	case a != nil:
		s.countDropped(a.end - s.cursor.Load() + a.queue.close())
	default:
		s.countDropped(s.left - s.cursor.Load())
	}
}

// countDropped counts deliveries to this subscription that will not be made.
func (s *Subscription) countDropped(n uint64) {
	if n == 0 {
		return
	}
	s.dropped.Add(n)
	s.bus.countDropped(n)
}

// enqueue gives an event to a subscription with a queue of its own.
func (s *Subscription) enqueue(e *Event) {
	wake, dropped, disconnect := s.queue.push(e)
	if dropped > 0 {
		s.countDropped(dropped)
	}
	if disconnect {
		s.End(fmt.Errorf("%w (%d events)", ErrDisconnected, s.queue.depth()))
	}
	if wake {
		s.to.Wake(s)
	}
}

// Park reports whether the subscriber may rest, until it is woken because of the next event, or for ever
// if the subscription has ended.
func (s *Subscription) Park() bool {
	switch {
	case s.closed():
		return true
	case s.queue != nil:
		return s.queue.park()
	}
	return s.log.park(s)
}

// A handler is a function as a Subscriber. The scheduler of the bus runs it.
type handler func(context.Context, Event)

// handler returns a function as a Subscriber; nil for nil.
func (b *Bus) handler(f func(context.Context, Event)) Subscriber {
	switch {
	case f == nil:
		return nil
	case b.config.Propagate == nil:
		return handler(f)
	}
	return handler(func(ctx context.Context, e Event) {
		ctx, unwrapped := e.Unwrap(ctx)
		f(ctx, *unwrapped)
	})
}

// Unwrap returns the event as it was published, and ctx with the values that came with it. Only a bus
// with Config.Propagate needs it.
func (e *Event) Unwrap(ctx context.Context) (context.Context, *Event) {
	p, ok := e.Data.(*propagate.Envelope)
	if !ok {
		return ctx, e
	}
	event := *e // that of the bus is shared
	event.Data = p.Content
	return propagate.WithValues(ctx, p.Values), &event
}

// ID implements Subscriber.
func (handler) ID() string { return "" }

// Ended implements Subscriber.
func (handler) Ended(*Subscription) {}

// Wake implements Subscriber.
func (handler) Wake(s *Subscription) {
	if s.scheduled.CompareAndSwap(false, true) {
		s.bus.config.Scheduler.Schedule((*handlerRun)(s))
	}
}

// A handlerRun is the subscription of a handler as the scheduler runs it.
type handlerRun Subscription

// Run implements scheduler.Runnable.
func (r *handlerRun) Run() (more bool) {
	s := (*Subscription)(r)
	for {
		if s.handle() {
			return true
		}
		s.scheduled.Store(false)
		if s.Park() || !s.scheduled.CompareAndSwap(false, true) {
			return false
		}
	}
}
