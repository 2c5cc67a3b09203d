package mabeam

import (
	"context"
	"slices"
)

// An apart is a reader of a log that was a whole queue behind when others waited. It is
// left the ring with what it has not read, and has a queue of its own for what comes
// afterwards, until it has caught up. The two together are no longer than the queue of a
// log.
type apart struct {
	ring  []Event
	end   uint64 // the position after the last event of the ring that is for it
	queue *queue
	// publishers is how many wait for it, guarded by log.mu. As long as there are any
	// it stays apart, or it would miss what they have for it.
	publishers int
}

// setApart sets those apart that are a whole queue behind. The caller holds the lock.
func (l *log) setApart() {
	ring, head := *l.ring.Load(), l.head.Load()
	for _, s := range slices.Clone(l.readers) {
		if head-s.reached() < uint64(l.queue) {
			continue
		}
		// Before the ring is replaced: see drainLog.
		s.apart.Store(&apart{ring: ring, end: head, queue: newQueue(Block, l.queue)})
		l.drop(s)
		l.apart = append(l.apart, s)
	}
	if l.look(); len(l.readers) > 0 {
		l.grow(len(ring))
	}
	l.signal()
}

// forgetApart takes a reader out of those set apart. The caller holds the lock.
func (l *log) forgetApart(s *Subscription) {
	l.apart = slices.DeleteFunc(l.apart, func(x *Subscription) bool { return x == s })
}

// appendApart adds an event for those set apart. It notes those that have no room for
// it, for which it is to be waited, and how many missed it because they were given up. The
// caller holds the lock.
func (l *log) appendApart(p *publication, e *Event) {
	for _, s := range l.apart {
		a := s.apart.Load()
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

// push adds an event to the queue of one that is set apart and has room. The caller holds
// the lock.
func (l *log) push(s *Subscription, a *apart, e *Event) {
	if wake, _, _ := a.queue.push(e); wake {
		s.parkedAt = int32(len(l.parked))
		l.parked = append(l.parked, s)
	}
}

// dropOldest makes room by one event of those that wait for a reader. The caller holds
// log.mu.
func (s *Subscription) dropOldest(a *apart) {
	if reached := s.reached(); reached < a.end {
		s.lost.Store(reached + 1) // the reader counts it
		return
	}
	if _, ok := a.queue.pop(); ok {
		s.drop(1)
	}
}

// appendDeferred adds an event for those set apart that had no room, one after the other,
// when they have, or the time is up. It leaves those before one of them.
func (p *publication) appendDeferred(e *Event, from int) {
	for _, s := range p.deferred[from:] {
		s.log.appendWhenRoom(p, e, s)
	}
	p.deferred = p.deferred[:from]
}

// appendWhenRoom is appendDeferred for one.
func (l *log) appendWhenRoom(p *publication, e *Event, s *Subscription) {
	l.mu.Lock()
	a := s.apart.Load()
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

// drainApart is drain for a reader that is set apart.
func (s *Subscription) drainApart(ctx context.Context, a *apart, f *typeFigures) (more bool) {
	if s.drainRing(ctx, a.ring, a.end, f) {
		return true
	}
	if !s.mayGoOn() {
		return true
	}
	return s.drainQueue(ctx, a.queue, f)
}
