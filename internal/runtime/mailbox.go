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
	"mabeam-top/internal/runtime/internal/room"
)

// A workItem is a message in a mailbox. It is small because it moves from one processor's cache to another's.
// The type of params determines the kind of message.
type workItem struct {
	action string
	// params are the parameters of an action that nobody waits for, or a *propagate.Envelope that
	// holds them; a *call for an action that somebody waits for; or a message of the runtime's own:
	// a *Subscription whose events wait, an *askAnswer, a *restartRequest or a stopRequest.
	params any
}

// stopRequest is the last message of a graceful stop.
type stopRequest struct{}

// A mailbox is an agent's bounded queue of messages. Senders append under a lock that they hold for a few
// instructions. The agent takes the whole queue at once, so the mailbox of an idle agent needs no memory for
// messages.
type mailbox struct {
	mu sync.Mutex
	// free is how many more messages certainly fit. Senders count it down, and need not read
	// unhandled, which the agent changes all the time.
	free int32
	// waiting is true if a message or signal waits. It is read without the lock.
	waiting atomic.Bool
	// queue and signals are nil while nothing waits.
	queue   *batch
	signals *signalQueue
	// taken is the batch that the agent is handling, or has handled, if somebody waits for an answer
	// to any of it: whoever ends the agent answers.
	taken *batch
	// closed is why nothing more is accepted; nil while the mailbox is open.
	closed error
	room   room.Room // what senders to a full mailbox wait for
	// signalled is true if a signal waits. It is read without the lock.
	signalled atomic.Bool
	// unhandled counts the messages that were taken from the queue and are not yet handled. They
	// count against the capacity too.
	unhandled atomic.Int32
}

// A batch is the messages that an agent takes at once.
type batch struct {
	messages []workItem
	// counted is how many messages are in the system's gauge of queued messages, and countAt the
	// length at which to count again. The first 16 messages are counted one by one, later ones a
	// sixteenth of the length at a time; while there is an Inspector, all are counted one by one.
	counted, countAt int
	// awaited is true if somebody waits for an answer to any message. The runner has answered the
	// messages before the position answered. Whoever ends the agent answers the others; then
	// answered is lowest.
	awaited  bool
	answered atomic.Int32
	// figures are the figures of the agent's type, and arrivals the arrival time of each message, if
	// there was an Inspector when the batch began.
	figures  *typeFigures
	arrivals []time.Duration
}

const lowest = math.MinInt32

// claim reports whether the runner has to answer a message.
func (b *batch) claim(i int) bool {
	at := b.answered.Load()
	return at != lowest && b.answered.CompareAndSwap(at, int32(i+1))
}

// claimAll reports whether the runner has to answer the messages that are not answered yet.
func (b *batch) claimAll() bool {
	_, ok := b.takeOver()
	return ok
}

// takeOver returns the messages that are not answered yet, which the caller has to answer. It returns false
// if they were taken over before.
func (b *batch) takeOver() (left []workItem, ok bool) {
	from := b.answered.Swap(lowest)
	if from == lowest {
		return nil, false
	}
	return b.messages[from:], true
}

// batches holds the batches that no mailbox uses. All systems share it, as they share the memory.
var batches = sync.Pool{New: func() any { return &batch{messages: make([]workItem, 0, 8)} }}

// maxKeptBatch is the capacity up to which a batch is reused.
const maxKeptBatch = 4096

// depth returns how many messages are not yet handled. The caller holds the lock.
func (m *mailbox) depth() int {
	n := int(m.unhandled.Load())
	if m.queue != nil {
		n += len(m.queue.messages)
	}
	return n
}

// offer appends a message if there is room. a is the agent that has the mailbox. It returns how many messages
// have to be added to the system's gauge of queued messages; if there are any, depth is that of the mailbox.
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

// look counts how many messages fit, or returns why none does. The caller holds the lock.
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

// begin makes a new queue. The caller holds the lock.
func (m *mailbox) begin(a *Agent) *batch {
	m.queue = batches.Get().(*batch)
	m.queue.counted, m.queue.countAt = 0, 1
	if f := a.figures(); f != nil {
		m.queue.figures = f
	}
	m.waiting.Store(true)
	return m.queue
}

// next returns the slot of the next message, which is empty.
func (b *batch) next() *workItem {
	n := len(b.messages)
	if n == cap(b.messages) {
		b.messages = slices.Grow(b.messages, 1)
	}
	b.messages = b.messages[:n+1]
	return &b.messages[n]
}

// count returns how many messages have to be added to the system's gauge now.
func (b *batch) count() (uncounted int) {
	n := len(b.messages)
	uncounted = n - b.counted
	b.counted, b.countAt = n, n+1
	if b.figures == nil {
		b.countAt += n / 16
	}
	return uncounted
}

// append appends a message of the runtime's own, even if the mailbox is full or closed. The caller holds the
// lock. It returns how many messages have to be added to the system's gauge.
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

// lookAgain is the longest time after which senders that wait for room look again by themselves. The agent
// wakes them only when half of the mailbox is free, because waking a sender for each message would cost more
// than handling the message. But handling half of the messages may take long.
const lookAgain = 10 * time.Millisecond

// wait returns when there may be room, at the latest after lookAgain, or when ctx ends.
func (m *mailbox) wait(ctx context.Context, capacity int) error {
	m.mu.Lock()
	opened, _ := m.room.Await()
	// The agent may have made room before it could see that somebody waits.
	if m.closed != nil || m.depth() < capacity {
		m.mu.Unlock()
		return nil
	}
	m.room.OpenAfter(lookAgain, &m.mu)
	m.mu.Unlock()
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return failure.ContextError(ctx)
	}
}

// take removes and returns the whole queue, and how many of its messages are not in the system's gauge; nil if
// the queue is empty.
func (m *mailbox) take() (b *batch, uncounted int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takeLocked()
}

// takeToHandle is take for the agent, when it has handled the batch before.
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

// forget releases the last batch that the agent has handled.
func (m *mailbox) forget() {
	m.mu.Lock()
	done := m.taken
	m.taken = nil
	m.mu.Unlock()
	if done != nil {
		done.release()
	}
}

// handled records that n of the taken messages are handled, and wakes senders if half of the mailbox is free.
// It returns how many of the n were still counted as unhandled: none after forgetTaken.
func (m *mailbox) handled(n int, capacity int) (counted int) {
	left := int(m.unhandled.Add(-int32(n)))
	if m.room.Awaited() && left <= capacity/2 {
		m.wakeSenders()
	}
	if left < 0 {
		return max(left+n, 0)
	}
	return n
}

// forgetTaken counts all taken messages as handled, whatever becomes of them, and returns how many there
// were.
func (m *mailbox) forgetTaken() int {
	if m.unhandled.Load() == 0 {
		return 0
	}
	return int(max(m.unhandled.Swap(0), 0))
}

// requeue puts the messages of a taken batch, from a position on, back in front of the queue. It returns false
// if the agent has ended, so that nobody would take them.
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
	// They are already in the system's gauge.
	b.counted, b.countAt = b.counted+len(messages), b.countAt+len(messages)
	if b.figures != nil { // the queue may have begun without an Inspector
		b.countAt = len(b.messages) + 1
	}
	b.awaited = b.awaited || taken.awaited
	return true
}

// wakeSenders wakes the senders that wait for room.
func (m *mailbox) wakeSenders() {
	m.mu.Lock()
	m.room.Open()
	m.mu.Unlock()
}

// release keeps a batch for another mailbox.
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

// closeLocked makes the mailbox refuse messages with a reason. The caller holds the lock.
func (m *mailbox) closeLocked(reason error) {
	m.closed = reason
	m.free = 0
	m.room.Open()
}

// empty reports whether no message or signal waits.
func (m *mailbox) empty() bool { return !m.waiting.Load() }

// reason returns why the mailbox is closed.
func (m *mailbox) reason() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
