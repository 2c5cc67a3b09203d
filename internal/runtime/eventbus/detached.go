package eventbus

import "slices"

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
		// Before the ring is replaced: see Reader.Open.
		s.detached.Store(&detachedReader{ring: ring, end: head, queue: newQueue(Block, l.queue)})
		l.removeReader(s)
		l.detached = append(l.detached, s)
	}
	if l.measureLag(); len(l.readers) > 0 {
		l.grow(len(ring))
	}
	l.room.Open()
}

// forgetDetached removes a reader from the detached ones. The caller holds the lock.
func (l *log) forgetDetached(s *Subscription) {
	l.detached = slices.DeleteFunc(l.detached, func(x *Subscription) bool { return x == s })
}

// appendToDetached adds an event to the queues of the detached readers that have room, and
// defers it for the others. The caller holds the lock.
func (l *log) appendToDetached(p *publication, e *Event) {
	for _, s := range l.detached {
		a, full := s.detached.Load(), s.Waiting() >= l.queue
		if !p.neverWaits && (full || p.defers(s)) {
			p.deferFor(s, e)
			continue
		}
		if full {
			s.dropOldest(a)
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
		s.countDropped(1)
	}
}

// appendDeferred adds what was deferred as the subscribers get room. The wait begins anew
// whenever one of them has moved on; what is left when the time is up they miss.
func (p *publication) appendDeferred() {
	for len(p.deferred) > 0 {
		moved := false
		for i := range p.deferred {
			moved = p.deferred[i].appendFitting(p) || moved
		}
		p.deferred = slices.DeleteFunc(p.deferred, func(d deferral) bool { return len(d.events) == 0 })
		switch {
		case moved:
			p.resetWait()
		case len(p.deferred) > 0:
			p.deferred[0].sub.log.awaitRoom(p, p.deferred[0].sub, len(p.deferred) > 1)
		}
	}
}

// appendFitting adds the events for which there is room, or gives up the rest if the time is
// up. It reports whether there was room.
func (d *deferral) appendFitting(p *publication) (moved bool) {
	s, l := d.sub, d.sub.log
	l.mu.Lock()
	defer l.mu.Unlock()
	a := s.detached.Load()
	for len(d.events) > 0 && !s.closed() && s.Waiting() < l.queue {
		wake, _, _ := a.queue.push(&d.events[0])
		d.events, moved = d.events[1:], true
		if wake {
			l.mu.Unlock()
			s.to.Wake(s)
			l.mu.Lock()
		}
	}
	switch {
	case s.closed():
		d.events = nil
	case len(d.events) > 0 && !moved && p.mustNotWait():
		p.miss(s, len(d.events))
		d.events = nil
	}
	if len(d.events) == 0 {
		a.publishers--
	}
	return moved
}

// awaitRoom waits until a reader may have room, or the time is up; not long if others wait.
func (l *log) awaitRoom(p *publication, s *Subscription, othersWait bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A reader that moved on before it could notice that somebody waits is found first.
	if opened, isFirst := l.room.Await(); !isFirst && !s.closed() && s.Waiting() >= l.queue {
		l.waitForRoom(p, opened, othersWait)
	}
}
