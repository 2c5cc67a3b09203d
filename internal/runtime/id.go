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
	newest atomic.Pointer[idBlock]

	mu     sync.Mutex
	blocks []*idBlock // all that the system has had
}

// An idBlock is a block of event ids.
type idBlock struct {
	index uint64  // of the system's blocks
	ids   EventID // without the count
}

// of returns the id of the system's nth event.
func (x *eventIDs) of(n uint64) EventID {
	index := n >> idBlockBits
	b := x.newest.Load()
	if b == nil || b.index != index {
		b = x.block(index)
	}
	return b.ids | EventID(n&(1<<idBlockBits-1))
}

// block returns one of the system's blocks, which is taken if it is new.
func (x *eventIDs) block(index uint64) *idBlock {
	x.mu.Lock()
	defer x.mu.Unlock()
	for uint64(len(x.blocks)) <= index {
		b := &idBlock{uint64(len(x.blocks)), EventID(lastIDBlock.Add(1)) << idBlockBits}
		x.blocks = append(x.blocks, b)
		x.newest.Store(b)
	}
	return x.blocks[index]
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
