package measure

import (
	"mabeam-top/internal/stress/load"
	"time"
)

// A payload is the data of a measured event.
type payload struct {
	publisher, seq int // the seq-th event of its publisher, from 0
	phase          int // of the load
	due            time.Time
	timed          bool // record its latency
}

// payloads are those of a load's operations. All that are planned are allocated
// before the load begins; a rate that is raised by hand allocates more.
type payloads []payload

// payloadsOf allocates those of a stage.
func payloadsOf(s load.Stage) payloads { return make(payloads, int(s.Rate*s.For.Seconds())+1) }

// of returns the payload of an operation.
func (p payloads) of(n int) *payload {
	if n < len(p) {
		return &p[n]
	}
	return &payload{}
}

// publishers number the events of each publisher, so that a subscriber sees which
// are missing.
type publishers []publisherCount

type publisherCount struct {
	next int
	_    [56]byte // two publishers do not share a cache line
}

// payload is the next payload of the worker of an operation; it is timed.
func (p publishers) payload(op load.Op) payload {
	own := &p[op.Worker]
	own.next++
	return payload{publisher: op.Worker, seq: own.next - 1, due: op.Due, timed: true}
}

// maxPhases is how many phases the load of a measurement of events has.
const maxPhases = 2

// published is what became of the events of a load.
type publishCounts struct{ accepted, failed int64 }
