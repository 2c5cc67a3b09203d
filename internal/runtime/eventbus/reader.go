package eventbus

import "mabeam-top/internal/runtime/internal/failure"

// ReaderBatch is how many events a subscriber handles before others get their turn.
const ReaderBatch = 512

// A Reader hands out the waiting events of a subscription, up to a batch of them, to the goroutine that
// handles them. Every Reader that was opened must be closed.
type Reader struct {
	sub  *Subscription
	ring []Event
	// cursor is the position of the next event in the ring, and end the position after the
	// last one. Up to published, the cursor of the subscription is up to date.
	cursor, end, published uint64
	step                   uint64 // how far the subscription's cursor may lag
	left                   int    // how many events of the batch are left after those of the ring
	queue                  *queue // is read after the ring; nil if there is none
	drained                bool   // the queue is empty
	popped                 Event  // from the queue
}

// Open begins to read the events of a subscription. It returns false if somebody else does.
func (r *Reader) Open(s *Subscription) bool {
	if !s.busy.CompareAndSwap(false, true) {
		return false
	}
	r.sub, r.left = s, ReaderBatch
	if s.queue != nil {
		r.queue = s.queue
		return true
	}
	head := s.log.head.Load()
	// The order matters. Whoever takes the ring away from a subscription, because it leaves, is
	// detached or loses its events, marks the subscription first, and leaves this ring alone. So
	// if there is no mark below, nothing unread is overwritten in this ring.
	r.ring, r.end, r.step = *s.log.ring.Load(), head, s.log.step
	if a := s.detached.Load(); a != nil {
		r.ring, r.end, r.queue = a.ring, a.end, a.queue
	}
	r.cursor = s.skipLost()
	r.published = r.cursor
	if r.end > r.cursor+ReaderBatch {
		r.end, r.queue = r.cursor+ReaderBatch, nil
	}
	return true
}

// Next returns the next event; nil if the batch is finished or the subscription has ended. It tells the
// bus that the event before was handled, so the caller must not use that event any longer.
func (r *Reader) Next() *Event {
	if r.cursor >= r.end {
		return r.pop()
	}
	// Updating the subscription's cursor for each event would cost as much as a short handler. But a
	// publisher that waits must see it at once.
	if r.cursor-r.published >= r.step || r.sub.log.room.Awaited() {
		r.Advance()
	}
	if r.sub.closed() {
		return nil
	}
	e := &r.ring[r.cursor&uint64(len(r.ring)-1)]
	r.cursor++
	return e
}

// pop returns the next event of the queue.
func (r *Reader) pop() *Event {
	r.Advance()
	s := r.sub
	if r.queue == nil || r.left == 0 || s.closed() {
		return nil
	}
	e, ok := r.queue.pop()
	if !ok {
		r.queue, r.drained = nil, true
		return nil
	}
	r.popped = e
	r.left--
	s.countDelivered(1)
	if s.log != nil {
		s.log.wakePublishers()
	}
	return &r.popped
}

// Advance counts the events so far as delivered, the one that Next has returned last included, and
// makes their room free. Call it before the subscription ends because of a panic.
func (r *Reader) Advance() {
	if r.cursor == r.published {
		return
	}
	s := r.sub
	s.cursor.Store(r.cursor)
	s.countDelivered(r.cursor - r.published)
	r.published = r.cursor
	s.log.wakePublishers()
}

// Close ends the reading. It reports whether more events wait.
func (r *Reader) Close() (more bool) {
	r.Advance()
	s := r.sub
	more = !s.closed() && !r.drained && s.Waiting() > 0
	s.busy.Store(false)
	if s.life.Load() == subscriptionRemoved {
		s.retire()
	}
	return more
}

// skipLost counts lost events that were not delivered as dropped, and returns the position after them.
func (s *Subscription) skipLost() (cursor uint64) {
	cursor = s.cursor.Load()
	if lost := s.lost.Load(); lost > cursor {
		s.countDropped(lost - cursor)
		cursor = lost
		s.cursor.Store(cursor)
	}
	return cursor
}

// countDelivered counts n events as delivered.
func (s *Subscription) countDelivered(n uint64) {
	s.delivered.Add(n)
	s.bus.delivered.Add(int64(n))
}

// handle calls the handler with the events that wait, up to a batch of them. It reports whether there
// are more. A handler that panics, or calls runtime.Goexit, ends the subscription.
func (s *Subscription) handle() (more bool) {
	var r Reader
	if !r.Open(s) {
		return false
	}
	finished := false
	// One recover for the whole batch costs less than one for each event.
	defer func() {
		if !finished {
			err := failure.NewPanicError(recover())
			r.Advance()
			s.bus.config.OnPanic(s, err)
			s.End(err)
		}
		more = r.Close()
	}()
	call := s.to.(handler)
	for e := r.Next(); e != nil; e = r.Next() {
		call(s.bus.config.Context, *e)
	}
	finished = true
	return more
}
