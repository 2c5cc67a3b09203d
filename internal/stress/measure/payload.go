package measure

import (
	"time"

	"mabeam-top/internal/stress/load"
)

// A payload is the data of a measured event.
type payload struct {
	publisher, seq int // number among the events of its publisher, from 0
	phase          int // of the load
	due            time.Time
	timed          bool // record its latency
}

// payloads are the payloads of a load's operations. All planned ones are allocated before
// the load begins; if a user raises the rate, more are allocated.
type payloads []payload

// payloadsOf allocates the payloads of a stage.
func payloadsOf(s load.Stage) payloads { return make(payloads, int(s.Rate*s.For.Seconds())+1) }

// of returns the payload of an operation.
func (p payloads) of(n int) *payload {
	if n < len(p) {
		return &p[n]
	}
	return &payload{}
}

// publishers number the events of each publisher, so that a subscriber detects missing
// ones.
type publishers []publisherCount

type publisherCount struct {
	next int
	_    [56]byte // two publishers do not share a cache line
}

// payload returns the next payload of the worker of an operation, with its latency
// recorded.
func (p publishers) payload(op load.Op) payload {
	own := &p[op.Worker]
	own.next++
	return payload{publisher: op.Worker, seq: own.next - 1, due: op.Due, timed: true}
}

// maxPhases is the maximum of phases of an event load.
const maxPhases = 2

// publishCounts are the results of the publications of a load.
type publishCounts struct{ accepted, failed int64 }
