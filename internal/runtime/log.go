package mabeam

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// minLogSlots is how many events a log has room for at first.
	minLogSlots = 16
	// setApartAfter is how long publishers, and with them all other readers, wait at most
	// for a reader that is a whole queue behind before it is set apart.
	setApartAfter = 5 * time.Millisecond
	// wakeAfter is when publishers that wait are woken to look at the time. One timer for
	// them all costs less than one for each short wait.
	wakeAfter = setApartAfter / 2
)

// A log is a bounded ring of events that several subscriptions read, each from
// its own position. It grows while readers lag, up to the length of their
// queues, and is let go when none is left. Publishers append under
// a lock; readers take none until they have read all there is.
//
// Positions count events since the log was made. A slot is overwritten only
// after every reader has passed it, so readers use events in place. A reader that
// does not move on is set apart, so that it holds up nobody but the publishers that
// wait for it.
type log struct {
	queue int // how far a reader may lag before publishers wait
	// step is how many events a reader may be ahead of what it tells.
	step uint64

	// head is the position of the next event.
	head atomic.Uint64
	// ring is replaced, never resized: a reader may go on with the one it has.
	ring atomic.Pointer[[]Event]

	audience atomic.Int32 // the readers, those set apart too

	mu sync.Mutex
	// low is a position that every reader is known to have reached.
	low uint64
	// full is the distance from low at which to look closer.
	full    uint64
	readers []*Subscription
	apart   []*Subscription
	// parked are the readers that have read everything and want to be woken.
	parked []*Subscription
	// room is closed when a reader moved on after publishers had to wait; nil
	// while none does.
	room    chan struct{}
	waiting atomic.Bool // room is not nil
	waking  bool        // those who wait are to be woken after wakeAfter
}

func newLog(queue int) *log {
	l := &log{queue: queue, step: uint64(min(max(queue/16, 1), 64))}
	l.use(nil)
	return l
}

// use makes a ring the one that is read and written.
func (l *log) use(ring []Event) {
	l.ring.Store(&ring)
	l.full = uint64(min(len(ring), l.queue))
}

// append adds an event for all readers, and wakes who waits for one. It does not wait for
// long: those that have no room are left to appendDeferred, when all others have the event.
func (l *log) append(p *publication, e *Event) {
	l.mu.Lock()
	if len(l.readers) == 0 && len(l.apart) == 0 {
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
	if len(l.apart) > 0 {
		l.appendApart(p, e)
	}
	if len(l.parked) == 0 {
		l.mu.Unlock()
		return
	}
	l.wakeParked()
}

// wakeParked wakes those that wait for an event. It is called with the lock held, and
// returns without.
func (l *log) wakeParked() {
	parked := l.parked
	if len(parked) == 0 {
		l.mu.Unlock()
		return
	}
	l.parked = nil
	l.mu.Unlock()
	for _, s := range parked {
		s.wake()
	}
	l.mu.Lock()
	if l.parked == nil {
		clear(parked)
		l.parked = parked[:0] // the next to park need no new list
	}
	l.mu.Unlock()
}

// makeRoom returns a ring with a free slot at head: the present one if readers
// have moved on, else a larger one up to the bound. It waits while the slowest
// reader is a whole queue behind, and sets those apart that are when others have
// waited long enough for them, or the time is up. It is called and returns with the
// lock held.
func (l *log) makeRoom(p *publication) []Event {
	var began time.Time
	for {
		head, ring := l.head.Load(), *l.ring.Load()
		behind := l.look()
		if behind == 0 {
			if head-l.low < uint64(len(ring)) {
				return ring
			}
			return l.grow(l.longer(len(ring)))
		}
		if l.dropClosed() {
			if len(l.readers) == 0 {
				return nil
			}
			continue
		}
		othersWait := p.others || behind < len(l.readers)
		if p.mustNotWait() || othersWait && !began.IsZero() && time.Since(began) >= wakeAfter {
			l.setApart()
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		if l.beginWait() {
			l.waitForRoom(p, othersWait)
		}
	}
}

// look finds out how far the slowest reader has come, and returns how many are a whole
// queue behind.
func (l *log) look() (behind int) {
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

// beginWait has readers tell when they move on. It says false if that is new to them:
// one that moved on before it could know is found by looking once more.
func (l *log) beginWait() bool {
	if l.room != nil {
		return true
	}
	l.room = make(chan struct{})
	l.waiting.Store(true)
	return false
}

// waitForRoom waits until a reader has moved on, or the time is up, or for at most
// wakeAfter if others wait or it is the first wait. It is called and returns with the lock
// held.
func (l *log) waitForRoom(p *publication, othersWait bool) {
	if (othersWait || !p.hasWaited()) && !l.waking {
		l.waking = true
		time.AfterFunc(wakeAfter, l.wakeWaiting)
	}
	room := l.room
	l.mu.Unlock()
	p.wait(room)
	l.mu.Lock()
}

// wakeWaiting wakes the publishers that wait for room.
func (l *log) wakeWaiting() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waking = false
	l.signal()
}

// longer is how many slots a ring gets that is too short: four times as many, so
// that events are copied less often, up to what it may need.
func (l *log) longer(slots int) int {
	for range 2 {
		if slots < l.queue {
			slots *= 2
		}
	}
	return slots
}

// grow moves the events to a new ring of that many slots.
func (l *log) grow(slots int) []Event {
	old, head := *l.ring.Load(), l.head.Load()
	ring := make([]Event, slots)
	oldest := max(l.low, head-min(head, uint64(len(old))))
	for p := oldest; p < head; p++ {
		ring[p&uint64(slots-1)] = old[p&uint64(len(old)-1)]
	}
	l.use(ring)
	return ring
}

// moved tells waiting publishers that a reader has moved on.
func (l *log) moved() {
	if !l.waiting.Load() {
		return
	}
	l.mu.Lock()
	l.signal()
	l.mu.Unlock()
}

// signal is moved with the lock held.
func (l *log) signal() {
	if l.room != nil {
		close(l.room)
		l.room = nil
		l.waiting.Store(false)
	}
}

// join adds a reader; it gets what is published from now on. A new reader is
// parked.
func (l *log) join(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(s)
	l.parked = append(l.parked, s)
	s.parkedAt = int32(len(l.parked) - 1)
	l.audience.Add(1)
}

// enter puts a reader that has read everything among the others.
func (l *log) enter(s *Subscription) {
	if len(*l.ring.Load()) == 0 {
		slots := 1
		for slots < min(minLogSlots, l.queue) {
			slots *= 2
		}
		l.use(make([]Event, slots))
		l.low = l.head.Load()
	}
	s.cursor.Store(l.head.Load())
	s.pos = int32(len(l.readers))
	l.readers = append(l.readers, s)
}

// drop takes a reader out of the others, if it is there.
func (l *log) drop(s *Subscription) {
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
		l.use(nil)
	}
}

// park waits for the next event on behalf of s. It says false when there is
// one already.
func (l *log) park(s *Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := s.apart.Load(); a != nil && !s.closed() {
		switch {
		case s.Waiting() > 0:
			return false
		case a.publishers > 0:
			return a.queue.park()
		}
		s.passLost() // what it had not come to of its ring
		s.apart.Store(nil)
		l.forgetApart(s)
		l.enter(s)
	}
	if s.cursor.Load() != l.head.Load() || s.closed() {
		return false
	}
	s.parkedAt = int32(len(l.parked))
	l.parked = append(l.parked, s)
	return true
}

// leave takes a reader out that was closed before. One that may be reading just now
// stays among the others until it has come back, or stands in their way.
func (l *log) leave(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.audience.Add(-1)
	s.left = l.head.Load()
	switch {
	case s.apart.Load() != nil:
		l.forgetApart(s)
	case s.busy.Load():
		s.stays = true
	default:
		l.drop(s)
	}
	if i := int(s.parkedAt); i >= 0 && i < len(l.parked) && l.parked[i] == s {
		end := len(l.parked) - 1
		l.parked[i] = l.parked[end]
		l.parked[i].parkedAt = s.parkedAt
		l.parked[end] = nil
		l.parked = l.parked[:end]
	}
	l.signal()
}

// comeBack takes a reader that has left out of the others, if it is there.
func (l *log) comeBack(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(s)
	l.signal()
}

// dropClosed takes the readers out that have left and are a whole queue behind, and leaves
// them the ring. It says whether there were any.
func (l *log) dropClosed() bool {
	head, some := l.head.Load(), false
	for _, s := range slices.Clone(l.readers) {
		if s.closed() && head-s.reached() >= uint64(l.queue) {
			l.drop(s)
			some = true
		}
	}
	if some && len(l.readers) > 0 {
		l.look()
		l.grow(len(*l.ring.Load()))
	}
	return some
}

// lose forgets all events. A reader that is busy goes on with the batch that it
// has taken up, in the ring that is left to it.
func (l *log) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head.Load()
	for _, s := range l.readers {
		if !s.closed() {
			s.lost.Store(head) // before the ring is replaced: see drainLog
		}
	}
	for _, s := range l.apart {
		a := s.apart.Load()
		s.lost.Store(a.end)
		s.drop(a.queue.lose())
	}
	if len(l.readers) > 0 {
		l.use(make([]Event, len(*l.ring.Load())))
		l.low = head
	}
	l.signal()
}

// members lists the readers.
func (l *log) members() []*Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.readers, l.apart)
}
