package supervision

import (
	"slices"

	"mabeam-top/internal/runtime/internal/enum"
)

// A Strategy says which children a supervisor restarts when one of them has to
// be.
type Strategy int

// The strategies. Children that are restarted together are stopped in reverse
// order of their start before the first of them is started again. A transient
// one among them that had ended normally is started again too, and a temporary
// one is stopped for good.
const (
	// OneForOne restarts that child only.
	OneForOne Strategy = iota
	// OneForAll restarts all children.
	OneForAll
	// RestForOne restarts that child and those started after it.
	RestForOne
)

var strategyNames = []string{"one-for-one", "one-for-all", "rest-for-one"}

func (s Strategy) String() string { return enum.Name(strategyNames, s) }

// tied lists the children that are restarted with one of them, in their order. The caller
// holds mu.
func (v *Supervisor) tied(c *child) []*child {
	switch v.spec.Strategy {
	case OneForAll:
		return v.children
	case RestForOne:
		return v.children[slices.Index(v.children, c):]
	default:
		return []*child{c}
	}
}
