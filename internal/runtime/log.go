package runtime

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// minLogSlots is how many events a log has room for at first.
const minLogSlots = 16

// A log is a bounded ring of events that several subscriptions read, each from
// its own position. It grows while readers lag, up to the length of their
// queues, or while history wants it, and never shrinks. Publishers append under
// a lock; readers take none until they have read all there is.
//
// Positions count events since the log was made. A slot is overwritten only
// after every reader has passed it, so readers use events in place.
type log struct {
	queue int // how far a reader may lag before publishers wait
	keep  int // the slots that hold the history, which all have read
	// step is how many events a reader may be ahead of what it tells.
	step uint64

	// head is the position of the next event.
	head atomic.Uint64
	// ring is replaced, never resized: a reader may go on with the one it has.
	ring atomic.Pointer[[]Event]

	audience atomic.Int32 // len(readers)

	mu sync.Mutex
	// low is a position that every reader is known to have reached.
	low uint64
	// lost is the position before which the history is lost.
	lost uint64
	// full is the distance from low at which to look closer, and growAt the
	// head at which the ring is too short for the history.
	full, growAt uint64
	readers      []*Subscription
	// parked are the readers that have read everything and want to be woken.
	parked []*Subscription
	// room is closed when a reader moved on after publishers had to wait; nil
	// while none does.
	room    chan struct{}
	waiting atomic.Bool // room is not nil
}

func newLog(queue, history int) *log {
	l := &log{queue: queue, keep: 1, step: uint64(min(max(queue/16, 1), 64))}
	for l.keep < history {
		l.keep *= 2
	}
	slots := 1
	for slots < min(minLogSlots, max(queue, history)) {
		slots *= 2
	}
	l.use(make([]Event, slots))
	return l
}

// use makes a ring the one that is read and written.
func (l *log) use(ring []Event) {
	l.ring.Store(&ring)
	l.full = uint64(min(len(ring), l.queue))
	l.growAt = math.MaxUint64
	if len(ring) < l.keep {
		l.growAt = uint64(len(ring))
	}
}

// append adds an event and wakes who waits for one. It waits while the slowest
// reader is a whole queue behind, until ctx ends, or for as long as patience says
// if that is not 0 and ctx has no deadline. It returns the number of
// readers at that moment; with an error, that many did not get the event.
func (l *log) append(ctx context.Context, patience time.Duration, e *Event) (readers int, err error) {
	l.mu.Lock()
	ring := *l.ring.Load()
	head := l.head.Load()
	if head-l.low >= l.full || head == l.growAt {
		if ring, err = l.makeRoom(ctx, patience); err != nil {
			readers = len(l.readers)
			for _, s := range l.readers {
				s.dropped.Add(1)
			}
			l.mu.Unlock()
			return readers, err
		}
		head = l.head.Load()
	}
	ring[head&uint64(len(ring)-1)] = *e
	l.head.Store(head + 1)
	readers = len(l.readers)
	parked := l.parked
	if len(parked) == 0 {
		l.mu.Unlock()
		return readers, nil
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
	return readers, nil
}

// makeRoom returns a ring with a free slot at head: the present one if readers
// have moved on, else a larger one up to the bound. It waits while the slowest
// reader is a whole queue behind. It is called and returns with the lock held.
func (l *log) makeRoom(ctx context.Context, patience time.Duration) ([]Event, error) {
	for {
		head, ring := l.head.Load(), *l.ring.Load()
		l.low = head
		for _, s := range l.readers {
			l.low = min(l.low, s.reached())
		}
		if lag := head - l.low; lag < uint64(l.queue) {
			if lag < uint64(len(ring)) && (len(ring) >= l.keep || head < uint64(len(ring))) {
				return ring, nil
			}
			return l.grow(l.longer(len(ring))), nil
		}
		if l.room == nil {
			l.room = make(chan struct{})
			l.waiting.Store(true)
			// A reader that moved on before it could see that flag is caught
			// by looking once more.
			continue
		}
		room := l.room
		l.mu.Unlock()
		if patience > 0 {
			limited, cancel := withPatience(ctx, patience)
			defer cancel()
			ctx, patience = limited, 0 // it runs from the first wait on
		}
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = callError(ctx)
		}
		l.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
}

// longer is how many slots a ring gets that is too short: four times as many, so
// that events are copied less often, up to what it may need.
func (l *log) longer(slots int) int {
	for range 2 {
		if slots < max(l.keep, l.queue) {
			slots *= 2
		}
	}
	return slots
}

// grow moves the events to a new ring of that many slots.
func (l *log) grow(slots int) []Event {
	old, head := *l.ring.Load(), l.head.Load()
	ring := make([]Event, slots)
	oldest := head - min(head, uint64(len(old)))
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
	s.cursor.Store(l.head.Load())
	s.pos = int32(len(l.readers))
	l.readers = append(l.readers, s)
	l.parked = append(l.parked, s)
	s.parkedAt = int32(len(l.parked) - 1)
	l.audience.Add(1)
	l.mu.Unlock()
}

// park waits for the next event on behalf of s. It says false when there is
// one already.
func (l *log) park(s *Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.cursor.Load() != l.head.Load() || s.closed() {
		return false
	}
	s.parkedAt = int32(len(l.parked))
	l.parked = append(l.parked, s)
	return true
}

// leave takes a reader out that was closed before. If it may be reading just
// now, it is left the ring for itself, so that publishers need not wait for it.
func (l *log) leave(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.left = l.head.Load()
	l.audience.Add(-1)
	last := len(l.readers) - 1
	l.readers[s.pos] = l.readers[last]
	l.readers[s.pos].pos = s.pos
	l.readers[last] = nil
	l.readers = l.readers[:last]
	if cap(l.readers) > 64 && last < cap(l.readers)/4 {
		l.readers = slices.Clone(l.readers)
	}
	if i := int(s.parkedAt); i >= 0 && i < len(l.parked) && l.parked[i] == s {
		end := len(l.parked) - 1
		l.parked[i] = l.parked[end]
		l.parked[i].parkedAt = s.parkedAt
		l.parked[end] = nil
		l.parked = l.parked[:end]
	}
	if s.busy.Load() {
		l.grow(len(*l.ring.Load()))
	}
	l.signal()
}

// lose forgets all events. A reader that is busy goes on with the batch that it
// has taken up, in the ring that is left to it.
func (l *log) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head.Load()
	for _, s := range l.readers {
		s.lost.Store(head) // before the ring is replaced: see drainLog
	}
	l.lost = head
	l.use(make([]Event, len(*l.ring.Load())))
	l.signal()
}

// newest is the sequence number of the newest event; 0 if there was none.
func (l *log) newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	head, ring := l.head.Load(), *l.ring.Load()
	if head == 0 {
		return 0
	}
	return uint64(ring[(head-1)&uint64(len(ring)-1)].ID) & (1<<eventSequenceBits - 1)
}

// recent returns up to limit of the newest events, oldest first.
func (l *log) recent(limit int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	ring, head := *l.ring.Load(), l.head.Load()
	n := min(head-l.lost, uint64(len(ring)), uint64(limit))
	events := make([]Event, 0, n)
	for p := head - n; p < head; p++ {
		events = append(events, ring[p&uint64(len(ring)-1)])
	}
	return events
}

// members lists the readers.
func (l *log) members() []*Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.readers)
}
