package mabeam

import (
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/id"
)

var (
	agentIDs   = id.NewKind("agent_")
	signalIDs  = id.NewKind("signal_")
	messageIDs = id.NewKind("message_")
	otherIDs   atomic.Uint64
)

// NewID returns an id that nothing else has, on this or another node, for what is built on the
// runtime. The kind is its prefix, such as "supervisor_".
func NewID(kind string) string { return id.Format(kind, otherIDs.Add(1)) }
