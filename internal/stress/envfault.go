package stress

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/scenario"
)

// Agent returns the spec of an agent that the step's faults can hit. Each life of
// each agent needs a call of its own, and has to be started on System, or on the
// system given to Watch.
func (e *Env) Agent(spec mabeam.Spec) mabeam.Spec { return e.faults.Agent(spec) }

// Subscriber returns the handler of subscriber n, counted from 0, that the step's
// faults can hit.
func (e *Env) Subscriber(n int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
	return e.faults.Subscriber(SubscriberName(n), handler)
}

// SubscriberName returns the name of subscriber n, counted from 0, in faults, on the
// bus and in reports.
func SubscriberName(n int) string { return fmt.Sprintf("subscriber-%d", n+1) }

// Hits reports whether a fault of the step can hit such targets.
func (e *Env) HasFaultsOn(t scenario.Target) bool { return e.faults.Hits(t) }

// Ended reports whether a fault has ended a life of the agent of that id, which has
// a supervisor.
func (e *Env) EndedByFault(id string) bool { return e.faults.Ended(id) }
