// Package id makes ids that are unique in the process and across nodes.
package id

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// token distinguishes the ids of this process from those of other nodes. It and the counters are
// the only state that systems share, because ids must be unique in the process.
var token = func() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}()

// A Kind makes the ids of one kind of thing. It must not be copied.
type Kind struct {
	prefix string
	last   atomic.Uint64
}

// NewKind returns a Kind whose ids begin with prefix, such as "agent_".
func NewKind(prefix string) *Kind { return &Kind{prefix: prefix} }

// Next returns an id that nothing else has, on this or another node.
func (k *Kind) Next() string { return Format(k.prefix, k.last.Add(1)) }

// Format returns the id with a prefix and a number that is unique in the process.
func Format(prefix string, number uint64) string {
	buf := make([]byte, 0, 32)
	buf = append(buf, prefix...)
	buf = append(buf, token...)
	buf = append(buf, '_')
	return string(strconv.AppendUint(buf, number, 36))
}
