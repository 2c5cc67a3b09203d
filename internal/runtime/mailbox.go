package mabeam

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
)

// A workItem is one message in a mailbox. It is small because it travels from one
// processor's cache to another's. The type of params says what kind of message it is.
type workItem struct {
	action string
	// params are the parameters of an action that nobody waits for, or an *propagate.Envelope that
	// holds them; a *call, for an action that somebody waits for; or a message of the
	// runtime's own: a *Subscription whose events wait, *ownAnswer, *restartRequest or
	// stopRequest.
	params any
}

// stopRequest is the last message of a graceful stop.
type stopRequest struct{}

// A mailbox is an agent's bounded queue of work. Senders append under a lock
// that is held for a few instructions; the agent takes the whole queue at
// once, so an idle agent's mailbox holds no memory of its own.
type mailbox struct {
	mu sync.Mutex
	// free is how many messages still fit for certain. Counting it down spares
	// senders a look at unhandled, which the agent changes all the time.
	free int32
	// waking says that those who wait for room are woken after lookAgain at the latest. One
	// timer for them all costs less than one for each wait, most of which are short.
	waking bool
	// queue and signals are nil while nothing waits.
	queue   *batch
	signals *signalQueue
	// taken is the batch that the agent works on, or is done with, if somebody waits for some
	// of it: whoever ends the agent answers them.
	taken *batch
	// waiting tells those who do not hold the lock that something waits, and
	// signalled that signals do.
	waiting, signalled atomic.Bool
	// closed is why nothing more is accepted; nil while open.
	closed error
	// room is closed when a full mailbox has room again; nil while nobody
	// waits for that.
	room chan struct{}
	// full tells the agent that senders wait for room.
	full atomic.Bool
	// unhandled counts the messages that were taken from the queue and are
	// not yet handled; they count against the capacity too.
	unhandled atomic.Int32
}

// A batch is the messages that an agent takes at once.
type batch struct {
	messages []workItem
	// counted is how many of them are in the system's gauge of queued
	// messages, and countAt how many there must be to count again: each of the
	// first 16, and from then on a sixteenth of them at once; while somebody looks, each.
	counted, countAt int
	// awaited says that somebody waits for some of them, whose answers who ends the
	// agent gives if the runner has not: those from the position answered on, which is
	// lowest once they have been taken over.
	awaited  bool
	answered atomic.Int32
	// figures are those of the agent's type if somebody looked when the batch began, and
	// arrivals, one of each message, are noted only then.
	figures  *typeFigures
	arrivals []time.Duration
}

const lowest = math.MinInt32

// claim reports whether a message is the runner's to answer.
func (b *batch) claim(i int) bool {
	at := b.answered.Load()
	return at != lowest && b.answered.CompareAndSwap(at, int32(i+1))
}

// claimAll reports whether the messages that are not answered are the runner's to answer.
func (b *batch) claimAll() bool {
	_, ok := b.takeOver()
	return ok
}

// takeOver returns the messages whose answers are left to give, which are nobody else's to
// answer then. It returns false if they were taken over before.
func (b *batch) takeOver() (left []workItem, ok bool) {
	from := b.answered.Swap(lowest)
	if from == lowest {
		return nil, false
	}
	return b.messages[from:], true
}

// batches holds the queues that no mailbox needs now. It is shared by all
// systems because memory is.
var batches = sync.Pool{New: func() any { return &batch{messages: make([]workItem, 0, 8)} }}

// maxKeptBatch is the longest queue whose memory is kept for the next.
const maxKeptBatch = 4096

// depth is how many messages are not yet handled; the caller holds the lock.
func (m *mailbox) depth() int {
	n := int(m.unhandled.Load())
	if m.queue != nil {
		n += len(m.queue.messages)
	}
	return n
}

// offer appends a message for the agent that has the mailbox if there is room. It returns how much the system's
// gauge of queued messages is behind; if it is, depth is how many there are.
func (m *mailbox) offer(a *Agent, action string, params any, awaited bool) (uncounted, depth int, err error) {
	m.mu.Lock()
	if m.free <= 0 {
		if err = m.look(a.system.mailboxCapacity); err != nil {
			m.mu.Unlock()
			return 0, 0, err
		}
	}
	m.free--
	b := m.queue
	if b == nil {
		b = m.begin(a)
	}
	slot := b.next()
	slot.action, slot.params = action, params
	if awaited {
		b.awaited = true
	}
	if len(b.messages) >= b.countAt {
		uncounted, depth = b.count(), m.depth()
		if b.figures != nil {
			b.noteArrival(a.system, depth)
		}
	}
	m.mu.Unlock()
	return uncounted, depth, nil
}

// look finds out how many messages fit, or why none does; the caller holds the
// lock.
func (m *mailbox) look(capacity int) error {
	if m.closed != nil {
		return m.closed
	}
	m.free = int32(capacity - m.depth())
	if m.free <= 0 {
		return ErrMailboxFull
	}
	return nil
}

// begin lets a queue begin; the caller holds the lock.
func (m *mailbox) begin(a *Agent) *batch {
	m.queue = batches.Get().(*batch)
	m.queue.counted, m.queue.countAt = 0, 1
	if f := a.figures(); f != nil {
		m.queue.figures = f
	}
	m.waiting.Store(true)
	return m.queue
}

// next is the slot of the next message, which is empty.
func (b *batch) next() *workItem {
	n := len(b.messages)
	if n == cap(b.messages) {
		b.messages = slices.Grow(b.messages, 1)
	}
	b.messages = b.messages[:n+1]
	return &b.messages[n]
}

// count returns how many messages are not in the system's gauge, to be counted
// now.
func (b *batch) count() (uncounted int) {
	n := len(b.messages)
	uncounted = n - b.counted
	b.counted, b.countAt = n, n+1
	if b.figures == nil {
		b.countAt += n / 16
	}
	return uncounted
}

// append adds a message of the runtime's own, which is taken even when the
// mailbox is full or closed; the caller holds the lock. It returns how much the
// system's gauge is behind.
func (m *mailbox) append(a *Agent, request any) (uncounted int) {
	b := m.queue
	if b == nil {
		b = m.begin(a)
	}
	b.next().params = request
	if b.figures != nil {
		b.noteArrival(a.system, m.depth())
	}
	return b.count()
}

// lookAgain is how long senders wait for room, at most, before they look by themselves. The
// agent tells when half the mailbox is free: to wake a sender for each message
// would cost more than handling it. But messages may take long.
const lookAgain = 10 * time.Millisecond

// wait returns when there may be room, at the latest after lookAgain, or when ctx ends.
func (m *mailbox) wait(ctx context.Context, capacity int) error {
	m.mu.Lock()
	if m.room == nil {
		m.room = make(chan struct{})
		m.full.Store(true)
	}
	// Room that was made before the agent could see the flag is seen here.
	if m.closed != nil || m.depth() < capacity {
		m.mu.Unlock()
		return nil
	}
	if !m.waking {
		m.waking = true
		time.AfterFunc(lookAgain, m.wakeAfterAll)
	}
	room := m.room
	m.mu.Unlock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return failure.ContextError(ctx)
	}
}

// wakeAfterAll wakes those who wait for room, whether there is any or not.
func (m *mailbox) wakeAfterAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waking = false
	m.wakeSendersLocked()
}

// take returns all that waits, and how much of it is not in the system's gauge; nil if
// nothing waits.
func (m *mailbox) take() (b *batch, uncounted int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takeLocked()
}

// takeToHandle is take for the agent, which is done with what it took before.
func (m *mailbox) takeToHandle() (b *batch, uncounted int) {
	m.mu.Lock()
	done := m.taken
	m.taken = nil
	b, uncounted = m.takeLocked()
	if b != nil && b.awaited {
		m.taken = b
	}
	m.mu.Unlock()
	if done != nil {
		done.release()
	}
	return b, uncounted
}

func (m *mailbox) takeLocked() (b *batch, uncounted int) {
	b = m.queue
	if b == nil {
		return nil, 0
	}
	m.queue = nil
	m.waiting.Store(m.signals != nil)
	m.unhandled.Add(int32(len(b.messages)))
	return b, len(b.messages) - b.counted
}

// forget lets go of the batch that the agent is done with, if takeToHandle has left it there.
func (m *mailbox) forget() {
	m.mu.Lock()
	done := m.taken
	m.taken = nil
	m.mu.Unlock()
	if done != nil {
		done.release()
	}
}

// handled notes that n messages of those taken are done, and wakes senders who
// wait for room when there is enough of it to be worth their while. It returns how many
// of them were still counted as unhandled: none after forgetTaken.
func (m *mailbox) handled(n int, capacity int) (counted int) {
	left := int(m.unhandled.Add(-int32(n)))
	if m.full.Load() && left <= capacity/2 {
		m.wakeSenders()
	}
	if left < 0 {
		return max(left+n, 0)
	}
	return n
}

// forgetTaken counts the messages that were taken as handled, whatever becomes of
// them, and returns how many these are.
func (m *mailbox) forgetTaken() int {
	if m.unhandled.Load() == 0 {
		return 0
	}
	return int(max(m.unhandled.Swap(0), 0))
}

// requeue makes the messages of a batch that was taken, from one on, the next to be taken:
// they are not handled. It returns false if the agent has ended: nobody would take them.
func (m *mailbox) requeue(a *Agent, taken *batch, from int) bool {
	messages := taken.messages[from:]
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.isOver() {
		return false
	}
	m.unhandled.Add(-int32(len(messages)))
	b := m.queue
	if b == nil {
		b = m.begin(a)
	}
	if b.figures != nil || taken.figures != nil {
		b.arrivals = slices.Concat(taken.arrivalsFrom(from), b.arrivalsFrom(0))
		b.figures = cmp.Or(b.figures, taken.figures)
	}
	b.messages = slices.Insert(b.messages, 0, messages...)
	// They are in the system's gauge already.
	b.counted, b.countAt = b.counted+len(messages), b.countAt+len(messages)
	if b.figures != nil { // it may have begun while nobody looked
		b.countAt = len(b.messages) + 1
	}
	b.awaited = b.awaited || taken.awaited
	return true
}

// wakeSenders wakes those who wait for room.
func (m *mailbox) wakeSenders() {
	m.mu.Lock()
	m.wakeSendersLocked()
	m.mu.Unlock()
}

// wakeSendersLocked is wakeSenders for one who holds the lock.
func (m *mailbox) wakeSendersLocked() {
	if m.room != nil {
		close(m.room)
		m.room = nil
		m.full.Store(false)
	}
}

// release keeps a batch's memory for another mailbox.
func (b *batch) release() {
	if cap(b.messages) > maxKeptBatch {
		return
	}
	clear(b.messages)
	b.messages = b.messages[:0]
	if b.figures != nil {
		b.figures, b.arrivals = nil, nil
	}
	if b.awaited {
		b.awaited = false
		b.answered.Store(0)
	}
	batches.Put(b)
}

// closeLocked refuses messages from now on, for the reason given; the caller
// holds the lock.
func (m *mailbox) closeLocked(reason error) {
	m.closed = reason
	m.free = 0
	m.wakeSendersLocked()
}

// empty reports whether nothing waits.
func (m *mailbox) empty() bool { return !m.waiting.Load() }

// reason is why the mailbox is closed.
func (m *mailbox) reason() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
