package mabeam

import (
	"context"

	"mabeam-top/internal/runtime/guard"
)

// The runtime's own operations, which Options.Rates can set rates for. What
// refuses when there is no room in a queue is refused over its rate too, with
// ErrRateLimited; what waits for room waits for its turn, until its context ends, or, if
// that has no deadline, for Options.WaitTimeout.
// What the runtime does by itself, such as reporting an agent's end, has no rate.
const (
	// OperationStartAgent is the start of an agent. It refuses.
	OperationStartAgent guard.Operation = "start_agent"
	// OperationAction is an action of an agent. Execute refuses, and so do Ask,
	// Send and each question of a coordination; Tell waits. Timers keep to no rate.
	OperationAction guard.Operation = "action"
	// OperationPublish is the publishing of an event. It waits.
	OperationPublish guard.Operation = "publish"
	// OperationSignal is the sending of a signal. It refuses.
	OperationSignal guard.Operation = "signal"
)

// newLimiter returns the limiter of a system's operations and of the users' own.
func newLimiter(ctx context.Context, rates map[guard.Operation]guard.Rate) (*guard.Limiter, error) {
	return guard.NewLimiter(ctx, rates, OperationStartAgent, OperationAction, OperationPublish, OperationSignal)
}
