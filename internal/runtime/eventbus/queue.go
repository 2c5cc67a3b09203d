package eventbus

import "sync"

// A queue holds the waiting events of one subscription.
type queue struct {
	policy Policy
	length int

	mu     sync.Mutex
	ring   []Event // grows to length
	first  int
	n      int
	parked bool
	closed bool
}

func newQueue(policy Policy, length int) *queue {
	return &queue{policy: policy, length: length, parked: true}
}

// grow enlarges the ring, up to the length of the queue.
func (q *queue) grow() {
	ring := make([]Event, min(max(2*len(q.ring), 8), q.length))
	for i := range q.n {
		ring[i] = q.ring[(q.first+i)%len(q.ring)]
	}
	q.ring, q.first = ring, 0
}

// push adds an event. It reports whether the subscriber has to be woken, how many events were dropped,
// and whether the subscription has to end.
func (q *queue) push(e *Event) (wake bool, dropped uint64, disconnect bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, 1, false
	}
	switch {
	case q.n < len(q.ring):
	case len(q.ring) < q.length:
		q.grow()
	default:
		switch q.policy {
		case DropNewest:
			return false, 1, false
		case Disconnect:
			return false, 1, true
		}
		q.first = (q.first + 1) % len(q.ring)
		q.n--
		dropped = 1
	}
	e.copyTo(&q.ring[(q.first+q.n)%len(q.ring)])
	q.n++
	wake, q.parked = q.parked, false
	return wake, dropped, false
}

// pop removes and returns the oldest event; false if there is none.
func (q *queue) pop() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return Event{}, false
	}
	e := q.ring[q.first]
	q.ring[q.first] = Event{} // so that its data can be freed
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return e, true
}

// park makes the next event wake the subscriber. It returns false if there is an event already.
func (q *queue) park() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parked = q.n == 0
	return q.parked
}

// depth returns the number of waiting events.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// lose discards the waiting events and returns how many there were.
func (q *queue) lose() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.n
	clear(q.ring) // so that the data can be freed
	q.n = 0
	return uint64(lost)
}

// close discards the waiting events, refuses further ones, and returns how many were waiting.
func (q *queue) close() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.n
	q.closed, q.ring, q.n = true, nil, 0
	return uint64(lost)
}
