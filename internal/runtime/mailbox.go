package runtime

import (
	"context"
	"sync"
	"sync/atomic"
)

// Params are the parameters of an action.
type Params map[string]any

// A messageKind says what a message asks of the agent.
type messageKind uint8

const (
	doAction    messageKind = iota
	drainEvents             // a subscription has events
	stopAgent               // the last message of a graceful stop
)

// A message is one piece of work in a mailbox.
type message struct {
	kind   messageKind
	action string
	params Params
	call   *call         // of doAction: who waits for the answer; nil if nobody
	events *Subscription // of drainEvents
}

// A mailbox is an agent's bounded queue of work. Senders append under a lock
// that is held for a few instructions; the agent takes the whole queue at
// once, so an idle agent's mailbox holds no memory of its own.
type mailbox struct {
	mu sync.Mutex
	// queue is nil while nothing waits.
	queue *batch
	// waiting says so to those who do not hold the lock.
	waiting atomic.Bool
	// closed is why nothing more is accepted; nil while open.
	closed error
	// room is closed when a full mailbox has room again; nil while nobody
	// waits for that.
	room chan struct{}
	// unhandled counts the messages that were taken from the queue and are
	// not yet handled; they count against the capacity too.
	unhandled atomic.Int32
}

// A batch is the messages that an agent takes at once.
type batch struct{ messages []message }

// batches holds the queues that no mailbox needs now. It is shared by all
// systems because memory is.
var batches = sync.Pool{New: func() any { return &batch{messages: make([]message, 0, 8)} }}

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

// offer appends a message if there is room and returns the depth after it.
func (m *mailbox) offer(msg message, capacity int) (depth int, err error) {
	m.mu.Lock()
	if m.closed != nil {
		err = m.closed
		m.mu.Unlock()
		return 0, err
	}
	depth = m.depth() + 1
	if depth > capacity {
		m.mu.Unlock()
		return 0, ErrMailboxFull
	}
	m.append(msg)
	m.mu.Unlock()
	return depth, nil
}

// wait returns when there may be room, or when ctx ends.
func (m *mailbox) wait(ctx context.Context, capacity int) error {
	m.mu.Lock()
	if m.closed != nil || m.depth() < capacity {
		m.mu.Unlock()
		return nil
	}
	if m.room == nil {
		m.room = make(chan struct{})
	}
	room := m.room
	m.mu.Unlock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return callError(ctx)
	}
}

// append adds a message; the caller holds the lock. The few that the runtime
// itself sends are taken even when the mailbox is full or closed.
func (m *mailbox) append(msg message) {
	if m.queue == nil {
		m.queue = batches.Get().(*batch)
		m.waiting.Store(true)
	}
	m.queue.messages = append(m.queue.messages, msg)
}

// take returns all that waits, for the agent to handle; nil if nothing does.
func (m *mailbox) take() *batch {
	m.mu.Lock()
	b := m.queue
	m.queue = nil
	if b != nil {
		m.waiting.Store(false)
		m.unhandled.Add(int32(len(b.messages)))
	}
	m.mu.Unlock()
	return b
}

// release lets waiting senders know that a batch was handled, and keeps the
// batch's memory for another mailbox.
func (m *mailbox) release(b *batch) {
	m.mu.Lock()
	room := m.room
	m.room = nil
	m.mu.Unlock()
	if room != nil {
		close(room)
	}
	if cap(b.messages) > maxKeptBatch {
		return
	}
	clear(b.messages)
	b.messages = b.messages[:0]
	batches.Put(b)
}

// close refuses messages from now on, for the reason given.
func (m *mailbox) close(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closeLocked(reason)
}

// closeLocked is close for one who holds the lock.
func (m *mailbox) closeLocked(reason error) {
	m.closed = reason
	if m.room != nil {
		close(m.room)
		m.room = nil
	}
}

// empty says whether nothing waits.
func (m *mailbox) empty() bool { return !m.waiting.Load() }

// reason is why the mailbox is closed.
func (m *mailbox) reason() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
