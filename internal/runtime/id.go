package mabeam

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
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

var lastAgent, lastSignal, lastMessage, lastOther, lastSystem atomic.Uint64

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

// eventSequenceBits is how much of an EventID counts events; the rest tells
// the system.
const eventSequenceBits = 48

// number counts the events of a system.
func (id EventID) number() uint64 { return uint64(id) & (1<<eventSequenceBits - 1) }

// String returns the id with its prefix, unique across nodes.
func (id EventID) String() string {
	return "event_" + processToken + "_" + strconv.FormatUint(uint64(id), 36)
}

// MarshalText writes the id as String does.
func (id EventID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// NewID returns an id that nothing else has, of this or another node, for what is built on
// the runtime; kind is its prefix, such as "supervisor_".
func NewID(kind string) string { return newID(kind, &lastOther) }
