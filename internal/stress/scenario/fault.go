package scenario

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// An Injection is a fault that a step asks for: what is done to the system
// under test while the step's load runs, how often, and when.
type Fault struct {
	// Kind says what is done, such as kill_agents.
	Kind string
	// Params holds how often it is done under the name of the kind: an int is
	// a number, all at once, and a float64 a rate per second. The others are
	// from and until, counted from the load's start, and those of the kind.
	Params Params
}

// kind returns the kind of the injection, which is known.
func (i Fault) kind() faultKind {
	return faultKinds[slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == i.Kind })]
}

// due is when number n (counted from 0) is to be injected, counted from the
// load's start; false if there are fewer.
func (i Fault) Due(n int) (at time.Duration, ok bool) {
	at = i.Params.Duration("from")
	switch often := i.Params[i.Kind].(type) {
	case float64:
		at += time.Duration(float64(n) / often * float64(time.Second))
		return at, !i.Params.Has("until") || at < i.Params.Duration("until")
	default:
		return at, n < i.Params.Int(i.Kind)
	}
}

// planned is how many there are; false if that hangs on how long the load runs.
func (i Fault) Planned() (n int, ok bool) {
	if count, whole := i.Params[i.Kind].(int); whole {
		return count, true
	}
	if !i.Params.Has("until") {
		return 0, false
	}
	// Where rounding makes the last one due is for due to say.
	most := i.Params.Float(i.Kind)*(i.Params.Duration("until")-i.Params.Duration("from")).Seconds() + 2
	return sort.Search(int(most), func(n int) bool {
		_, due := i.Due(n)
		return !due
	}), true
}

// missed says that it was not injected and why, for the step's errors.
func (i Fault) NotInjected(why string) string {
	return fmt.Sprintf("%s was not injected: %s", i.Kind, why)
}

// Target returns what the fault hits; it is empty for the process.
func (i Fault) Target() Target { return i.kind().target }
