package eventbus

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/room"
)

const (
	// minLogSlots is how many events a log has room for at first.
	minLogSlots = 16
	// DetachAfter is how long publishers, and with them all other readers, wait at most
	// for a reader that is a whole queue behind before it is detached.
	DetachAfter = 5 * time.Millisecond
	// wakeAfter is how long waiting publishers sleep before they check the time. One timer
	// for all of them costs less than one for each short wait.
	wakeAfter = DetachAfter / 2
)

// A log is a bounded ring of events that several subscriptions read, each from its own
// position. It grows while readers lag, up to the queue length, and is freed when no reader
// is left. Publishers append under a lock; readers take it only when they have read
// everything.
//
// Positions count events since the log was made. A slot is overwritten only after every
// reader has passed it, so readers use events in place. A reader that does not move on is
// detached, so that it delays only the publishers that wait for it.
type log struct {
	queue int // how far a reader may lag before publishers wait
	// step is how many events a reader may have handled before it updates its cursor.
	step uint64

	// head is the position after the newest event.
	head atomic.Uint64
	// ring is replaced, never resized: a reader may continue with the one it has.
	ring atomic.Pointer[[]Event]

	subscribers atomic.Int32 // the number of readers, including detached ones

	mu sync.Mutex
	// low is a position that every reader is known to have reached.
	low uint64
	// full is the distance from low at which low has to be measured again.
	full     uint64
	readers  []*Subscription
	detached []*Subscription
	// parked are the readers that have read everything and are woken by the next event.
	parked []*Subscription
	room   room.Room // what publishers wait for: that a reader moves on
}

func newLog(queue int) *log {
	l := &log{queue: queue, step: uint64(min(max(queue/16, 1), 64))}
	l.setRing(nil)
	return l
}

// setRing makes a ring the one that is read and written.
func (l *log) setRing(ring []Event) {
	l.ring.Store(&ring)
	l.full = uint64(min(len(ring), l.queue))
}

// append adds an event for all readers, and wakes the parked ones. It does not wait long:
// readers without room are left to appendDeferred, once all others have the event.
func (l *log) append(p *publication, e *Event) {
	l.mu.Lock()
	if len(l.readers) == 0 && len(l.detached) == 0 {
		l.mu.Unlock()
		return
	}
	ring, head := *l.ring.Load(), l.head.Load()
	if head-l.low >= l.full {
		ring = l.makeRoom(p)
		head = l.head.Load()
	}
	if len(l.readers) > 0 {
		e.copyTo(&ring[head&uint64(len(ring)-1)])
		l.head.Store(head + 1)
	}
	if len(l.detached) > 0 {
		l.appendToDetached(p, e)
	}
	if len(l.parked) == 0 {
		l.mu.Unlock()
		return
	}
	l.wakeParked()
}

// wakeParked wakes the parked readers. It is called with the lock held, and releases it.
func (l *log) wakeParked() {
	parked := l.parked
	if len(parked) == 0 {
		l.mu.Unlock()
		return
	}
	l.parked = nil
	l.mu.Unlock()
	for _, s := range parked {
		s.to.Wake(s)
	}
	l.mu.Lock()
	if l.parked == nil {
		clear(parked)
		l.parked = parked[:0] // the next to park need no new list
	}
	l.mu.Unlock()
}

// makeRoom returns a ring with a free slot at head: the present one if readers have moved
// on, else a larger one up to the bound; nil if no reader is left. It waits while the slowest
// reader is a whole queue behind, and detaches such readers when others have waited long
// enough for them or the time is up. It is called and returns with the lock held.
func (l *log) makeRoom(p *publication) []Event {
	var began time.Time
	for {
		head, ring := l.head.Load(), *l.ring.Load()
		behind := l.measureLag()
		if behind == 0 {
			if head-l.low < uint64(len(ring)) {
				return ring
			}
			return l.grow(l.nextSize(len(ring)))
		}
		if l.dropClosed() {
			if len(l.readers) == 0 {
				return nil
			}
			continue
		}
		othersWait := p.others || behind < len(l.readers)
		if p.mustNotWait() || othersWait && !began.IsZero() && time.Since(began) >= wakeAfter {
			l.detachSlow()
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		if opened, isFirst := l.room.Await(); !isFirst {
			l.waitForRoom(p, opened, othersWait)
		}
	}
}

// measureLag updates low, and returns how many readers are a whole queue behind.
func (l *log) measureLag() (behind int) {
	head := l.head.Load()
	l.low = head
	for _, s := range l.readers {
		reached := s.reached()
		if head-reached >= uint64(l.queue) {
			behind++
		}
		l.low = min(l.low, reached)
	}
	return behind
}

// waitForRoom waits until a reader has moved on or the time is up, but at most wakeAfter if others wait
// or if it is the first wait. It is called and returns with the lock held.
func (l *log) waitForRoom(p *publication, opened <-chan struct{}, othersWait bool) {
	if othersWait || !p.hasWaited() {
		l.room.OpenAfter(wakeAfter, &l.mu)
	}
	l.mu.Unlock()
	p.wait(opened)
	l.mu.Lock()
}

// nextSize returns the size of the ring after one that is too short: four times as many
// slots, so that events are copied less often, up to what the queue length needs.
func (l *log) nextSize(slots int) int {
	if slots == 0 {
		return l.firstSize()
	}
	for range 2 {
		if slots < l.queue {
			slots *= 2
		}
	}
	return slots
}

// firstSize returns the size of the ring that the first event is put into.
func (l *log) firstSize() int {
	slots := 1
	for slots < min(minLogSlots, l.queue) {
		slots *= 2
	}
	return slots
}

// grow moves the events to a new ring with that many slots.
func (l *log) grow(slots int) []Event {
	old, head := *l.ring.Load(), l.head.Load()
	ring := make([]Event, slots)
	oldest := max(l.low, head-min(head, uint64(len(old))))
	for p := oldest; p < head; p++ {
		ring[p&uint64(slots-1)] = old[p&uint64(len(old)-1)]
	}
	l.setRing(ring)
	return ring
}

// wakePublishers wakes the publishers that wait for room, because a reader has moved on.
func (l *log) wakePublishers() {
	if !l.room.Awaited() {
		return
	}
	l.mu.Lock()
	l.room.Open()
	l.mu.Unlock()
}

// join adds a new reader, which gets what is published from now on. It is parked.
func (l *log) join(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addReader(s)
	l.parked = append(l.parked, s)
	s.parkedAt = int32(len(l.parked) - 1)
	l.subscribers.Add(1)
}

// addReader adds a reader that has read everything.
func (l *log) addReader(s *Subscription) {
	if len(l.readers) == 0 {
		l.low = l.head.Load()
	}
	s.cursor.Store(l.head.Load())
	s.pos = int32(len(l.readers))
	l.readers = append(l.readers, s)
}

// removeReader removes a reader from the attached ones, if it is one of them.
func (l *log) removeReader(s *Subscription) {
	if int(s.pos) >= len(l.readers) || l.readers[s.pos] != s {
		return
	}
	last := len(l.readers) - 1
	l.readers[s.pos] = l.readers[last]
	l.readers[s.pos].pos = s.pos
	l.readers[last] = nil
	l.readers = l.readers[:last]
	if cap(l.readers) > 64 && last < cap(l.readers)/4 {
		l.readers = slices.Clone(l.readers)
	}
	if last == 0 {
		l.setRing(nil)
	}
}

// park makes the next event wake s, and attaches s again if it was detached and has caught
// up. It returns false if there is an event already.
func (l *log) park(s *Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := s.detached.Load(); a != nil && !s.closed() {
		switch {
		case s.Waiting() > 0:
			return false
		case a.publishers > 0:
			return a.queue.park()
		}
		s.skipLost() // the part of its ring that was lost
		s.detached.Store(nil)
		l.forgetDetached(s)
		l.addReader(s)
	}
	if s.cursor.Load() != l.head.Load() || s.closed() {
		return false
	}
	s.parkedAt = int32(len(l.parked))
	l.parked = append(l.parked, s)
	return true
}

// leave removes a reader that is closed. A reader that may be reading just now stays in the
// list until it has finished, or until it blocks the others: see finishLeave and dropClosed.
func (l *log) leave(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribers.Add(-1)
	s.left = l.head.Load()
	switch {
	case s.detached.Load() != nil:
		l.forgetDetached(s)
	case s.busy.Load():
		s.leaving = true
	default:
		l.removeReader(s)
	}
	if i := int(s.parkedAt); i >= 0 && i < len(l.parked) && l.parked[i] == s {
		end := len(l.parked) - 1
		l.parked[i] = l.parked[end]
		l.parked[i].parkedAt = s.parkedAt
		l.parked[end] = nil
		l.parked = l.parked[:end]
	}
	l.room.Open()
}

// finishLeave removes a reader that was busy when it left.
func (l *log) finishLeave(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeReader(s)
	l.room.Open()
}

// dropClosed removes the readers that have left and are a whole queue behind; they keep the
// present ring. It reports whether there were any.
func (l *log) dropClosed() bool {
	head, some := l.head.Load(), false
	for _, s := range slices.Clone(l.readers) {
		if s.closed() && head-s.reached() >= uint64(l.queue) {
			l.removeReader(s)
			some = true
		}
	}
	if some && len(l.readers) > 0 {
		l.measureLag()
		l.grow(len(*l.ring.Load()))
	}
	return some
}

// lose discards all events, as a crash of the bus does. A busy reader finishes its batch, in
// the ring that it keeps.
func (l *log) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head.Load()
	for _, s := range l.readers {
		if !s.closed() {
			s.lost.Store(head) // before the ring is replaced: see Reader.Open
		}
	}
	for _, s := range l.detached {
		a := s.detached.Load()
		s.lost.Store(a.end)
		s.countDropped(a.queue.lose())
	}
	if len(l.readers) > 0 {
		l.setRing(make([]Event, len(*l.ring.Load())))
		l.low = head
	}
	l.room.Open()
}

// members lists the readers, detached ones included.
func (l *log) members() []*Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.readers, l.detached)
}
