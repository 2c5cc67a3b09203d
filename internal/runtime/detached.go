package mabeam

import (
	"context"
	"slices"
)

// A detachedReader is what a reader gets that was a whole queue behind while others waited
// for it: the ring with its unread events, and a queue of its own for later events, until it
// has caught up. The two together hold no more than the queue length of the log.
type detachedReader struct {
	ring  []Event
	end   uint64 // the position after the last event of the ring that is for it
	queue *queue
	// publishers is how many wait for room in the queue, guarded by log.mu. The reader
	// stays detached until there are none, or it would miss their events.
	publishers int
}

// detachSlow detaches the readers that are a whole queue behind. The caller holds the lock.
func (l *log) detachSlow() {
	ring, head := *l.ring.Load(), l.head.Load()
	for _, s := range slices.Clone(l.readers) {
		if head-s.reached() < uint64(l.queue) {
			continue
		}
		// Before the ring is replaced: see drainLog.
		s.detached.Store(&detachedReader{ring: ring, end: head, queue: newQueue(Block, l.queue)})
		l.removeReader(s)
		l.detached = append(l.detached, s)
	}
	if l.measureLag(); len(l.readers) > 0 {
		l.grow(len(ring))
	}
	l.wakePublishersLocked()
}

// forgetDetached removes a reader from the detached ones. The caller holds the lock.
func (l *log) forgetDetached(s *Subscription) {
	l.detached = slices.DeleteFunc(l.detached, func(x *Subscription) bool { return x == s })
}

// appendToDetached adds an event to the queues of the detached readers that have room. It
// defers the readers to wait for, and records a miss for those that were given up. The caller
// holds the lock.
func (l *log) appendToDetached(p *publication, e *Event) {
	for _, s := range l.detached {
		a := s.detached.Load()
		switch {
		case s.Waiting() < l.queue:
			p.hasRoom(s)
		case p.neverWaits:
			s.dropOldest(a)
		case p.waitsFor(s):
			a.publishers++
			p.deferred = append(p.deferred, s)
			continue
		default:
			p.miss(s)
			continue
		}
		l.push(s, a, e)
	}
}

// push adds an event to the queue of a detached reader that has room. The caller holds the
// lock.
func (l *log) push(s *Subscription, a *detachedReader, e *Event) {
	if wake, _, _ := a.queue.push(e); wake {
		s.parkedAt = int32(len(l.parked))
		l.parked = append(l.parked, s)
	}
}

// dropOldest drops the oldest unread event of a detached reader. The caller holds log.mu.
func (s *Subscription) dropOldest(a *detachedReader) {
	if reached := s.reached(); reached < a.end {
		s.lost.Store(reached + 1) // the reader counts it
		return
	}
	if _, ok := a.queue.pop(); ok {
		s.drop(1)
	}
}

// appendDeferred adds an event for the deferred subscribers from an index on, one after the
// other, once they have room or the time is up. Those before the index stay deferred.
func (p *publication) appendDeferred(e *Event, from int) {
	for _, s := range p.deferred[from:] {
		s.log.appendWhenRoom(p, e, s)
	}
	p.deferred = p.deferred[:from]
}

// appendWhenRoom is appendDeferred for one subscriber.
func (l *log) appendWhenRoom(p *publication, e *Event, s *Subscription) {
	l.mu.Lock()
	a := s.detached.Load()
	for !s.closed() && s.Waiting() >= l.queue && !p.mustNotWait() {
		if l.beginWait() {
			l.waitForRoom(p, false)
		}
	}
	a.publishers--
	switch {
	case s.closed():
	case s.Waiting() < l.queue:
		l.push(s, a, e)
	default:
		p.giveUp(s)
		p.miss(s)
	}
	l.wakeParked()
}

// drainDetached is drain for a detached reader.
func (s *Subscription) drainDetached(ctx context.Context, a *detachedReader, f *typeFigures) (more bool) {
	if s.drainRing(ctx, a.ring, a.end, f) {
		return true
	}
	if !s.mayGoOn() {
		return true
	}
	return s.drainQueue(ctx, a.queue, f)
}
