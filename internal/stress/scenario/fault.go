package scenario

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// A Fault is a disturbance of the system under test that a step asks for: what is
// injected while the step's load runs, how often, and when.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Params holds how often the fault is injected, under the name of its kind: an
	// int is a number of injections, all at once, and a float64 a rate per second.
	// The others are from and until, counted from the start of the load, and those
	// of the kind.
	Params Params `json:"params"`
}

// spec returns the description of the fault's kind, which is known.
func (f Fault) spec() faultSpec {
	return faultSpecs[slices.IndexFunc(faultSpecs, func(k faultSpec) bool { return k.kind == f.Kind })]
}

// frequency returns how often the fault is injected.
func (f Fault) frequency() any { return f.Params[string(f.Kind)] }

// Target returns what the fault hits; it is empty for the process.
func (f Fault) Target() Target { return f.spec().target }

// Due returns when injection n (counted from 0) is due, counted from the start of
// the load; false if there are fewer.
func (f Fault) Due(n int) (at time.Duration, ok bool) {
	at = f.Params.Duration(faultFrom.Name)
	if rate, ok := f.frequency().(float64); ok {
		at += time.Duration(float64(n) / rate * float64(time.Second))
		return at, !f.Params.Has(faultUntil.Name) || at < f.Params.Duration(faultUntil.Name)
	}
	return at, n < f.frequency().(int)
}

// Planned returns the number of injections; false if it depends on how long the
// load runs.
func (f Fault) Planned() (n int, ok bool) {
	if count, ok := f.frequency().(int); ok {
		return count, true
	}
	if !f.Params.Has(faultUntil.Name) {
		return 0, false
	}
	// Due decides when rounding lets the last one be due.
	most := f.Params.Float(string(f.Kind))*(f.Params.Duration(faultUntil.Name)-f.Params.Duration(faultFrom.Name)).Seconds() + 2
	return sort.Search(int(most), func(n int) bool {
		_, due := f.Due(n)
		return !due
	}), true
}

// NotInjected returns the error of an injection that did not happen.
func (f Fault) NotInjected(why string) string {
	return fmt.Sprintf("%s was not injected: %s", f.Kind, why)
}
