package mabeam

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"
)

// processToken sets the ids of this process apart from those of every other
// node. It and the counters are the only state that systems share: ids
// must be unique in the whole process.
var processToken = func() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}()

var lastAgent, lastSignal, lastMessage, lastOther atomic.Uint64

// newID returns an id that nothing of this or another node has: its kind, the
// process, and a count.
func newID(prefix string, last *atomic.Uint64) string {
	buf := make([]byte, 0, 32)
	buf = append(buf, prefix...)
	buf = append(buf, processToken...)
	buf = append(buf, '_')
	return string(strconv.AppendUint(buf, last.Add(1), 36))
}

// An EventID tells an event from every other of this process. Events of one
// system that were published one after the other have rising ids.
type EventID uint64

// idBlockBits is how much of an EventID counts the events of a block. A system takes the
// next block of the process when it has used one up, so that no two events share an id
// before 2^64 have been published, or 2^32 systems have been started.
const idBlockBits = 32

// lastIDBlock is the block that a system of this process has taken last.
var lastIDBlock atomic.Uint64

// eventIDs gives the events of a system their ids.
type eventIDs struct {
	first idBlock

	mu    sync.Mutex
	later []idBlock // those that the system has had after the first
}

// An idBlock is a block of event ids, without what counts them.
type idBlock EventID

func takeIDBlock() idBlock { return idBlock(lastIDBlock.Add(1) << idBlockBits) }

// of returns the id of the system's nth event.
func (x *eventIDs) of(n uint64) EventID {
	if n < 1<<idBlockBits { // as nearly always
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

// String returns the id with its prefix, unique across nodes.
func (id EventID) String() string {
	return "event_" + processToken + "_" + strconv.FormatUint(uint64(id), 36)
}

// MarshalText writes the id as String does.
func (id EventID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// NewID returns an id that nothing else has, of this or another node, for what is built on
// the runtime; kind is its prefix, such as "supervisor_".
func NewID(kind string) string { return newID(kind, &lastOther) }
