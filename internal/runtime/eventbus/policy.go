package eventbus

import (
	"errors"
	"fmt"

	"mabeam-top/internal/runtime/internal/enum"
)

// A Policy decides what happens to a new event when a subscription's queue is full.
type Policy int

// The policies.
const (
	// Block makes the publisher wait, so that nothing is lost while it can wait.
	Block Policy = iota
	// DropOldest drops the oldest waiting event.
	DropOldest
	// DropNewest drops the new event.
	DropNewest
	// Disconnect ends the subscription.
	Disconnect
)

// ErrDisconnected means that a subscription with policy Disconnect ended because its queue was full.
var ErrDisconnected = errors.New("disconnected: queue full")

var errNoHandler = errors.New("no handler")

var policyNames = []string{"block", "drop-oldest", "drop-newest", "disconnect"}

// Known reports whether there is such a policy.
func (p Policy) Known() bool { return p >= Block && p <= Disconnect }

func (p Policy) String() string { return enum.Name(policyNames, p) }

// ParsePolicy returns the policy with a name.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("unknown queue policy %q (one of %v)", name, policyNames)
}
