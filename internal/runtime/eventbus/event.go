package eventbus

import (
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/id"
)

// An Event goes to all subscriptions to its type. It has no answer.
type Event struct {
	// ID is set by the bus.
	ID EventID
	// Type is what subscribers subscribe to, such as "demo_ping".
	Type string
	// Source is the id of the publisher.
	Source string
	// Data and Metadata are shared by all subscribers and must not be modified.
	Data     any
	Metadata map[string]any
	// Timestamp is when it was published; the bus sets it if it is zero.
	Timestamp time.Time
}

// copyTo copies the event field by field. Most events were written field by field just before, and a
// processor stalls when it reads in larger pieces what it has just written in smaller ones.
func (e *Event) copyTo(to *Event) {
	to.ID, to.Type, to.Source, to.Data, to.Metadata, to.Timestamp = e.ID, e.Type, e.Source, e.Data, e.Metadata, e.Timestamp
}

// An EventID is unique in the process. The ids of one system's events rise in the order in which the
// events were published.
type EventID uint64

// String returns the id with its prefix, which is unique across nodes.
func (x EventID) String() string { return id.Format("event_", uint64(x)) }

// MarshalText returns the id as String does.
func (x EventID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// idBlockBits is how many bits of an EventID number the events of a block. A bus that has used up its
// block takes the next one of the process. So no two events share an id before 2^64 events have been
// published or 2^32 systems have been started.
const idBlockBits = 32

// lastIDBlock is the last block that a bus of this process has taken.
var lastIDBlock atomic.Uint64

// eventIDs makes the ids of the events of a bus.
type eventIDs struct {
	first idBlock

	mu    sync.Mutex
	later []idBlock // the blocks after the first
}

// An idBlock is a block of event ids. The lower bits are 0.
type idBlock EventID

func takeIDBlock() idBlock { return idBlock(lastIDBlock.Add(1) << idBlockBits) }

// of returns the id of the bus's nth event.
func (x *eventIDs) of(n uint64) EventID {
	if n < 1<<idBlockBits { // nearly always
		return EventID(x.first) | EventID(n)
	}
	return x.ofLater(n)
}

func (x *eventIDs) ofLater(n uint64) EventID {
	x.mu.Lock()
	defer x.mu.Unlock()
	index := int(n>>idBlockBits) - 1
	for len(x.later) <= index {
		x.later = append(x.later, takeIDBlock())
	}
	return EventID(x.later[index]) | EventID(n&(1<<idBlockBits-1))
}
