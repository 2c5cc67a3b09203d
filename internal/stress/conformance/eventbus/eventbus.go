// Package eventbus checks whether the event bus of the runtime keeps the rules that its
// documentation states.
package eventbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/conformance"
)

const (
	// stallTimeout is how long an event may take to reach a subscriber.
	stallTimeout = 5 * time.Second
	// defaultQueue and defaultHistory are the documented defaults of Options.BusQueue and
	// Options.History.
	defaultQueue   = 1024
	defaultHistory = 1000
	// maxFill is the longest queue or history that the checks fill.
	maxFill = 1 << 20
)

var errNotDelivered = errors.New("an event did not reach all its subscribers")

// errStillSubscribed stands for the error of a subscription that has not ended.
var errStillSubscribed = errors.New("it has not ended")

// Check checks the documented rules of the bus of a system that has these options, and
// reports bus_rules_broken. If others use the system too, it skips the checks that they
// disturb. Each check takes a few milliseconds.
func Check(ctx context.Context, r conformance.Recorder, system *mabeam.System, options mabeam.Options, shared bool) {
	broken := 0
	check := func(rule string, err error) {
		if err != nil {
			broken++
			r.Detail(fmt.Sprintf("the bus violates the rule that %s: %v", rule, err), 1)
		}
	}
	bus, exact := system.Bus(), !shared
	for _, policy := range []mabeam.QueuePolicy{mabeam.DropOldest, mabeam.DropNewest, mabeam.Disconnect} {
		check(fmt.Sprintf("a full queue of policy %v keeps the right events and counts the rest", policy), checkPolicy(ctx, system, policy, bus.Subscribe, exact))
		check(fmt.Sprintf("a full queue of policy %v does so for a pattern too", policy), checkPolicy(ctx, system, policy, bus.SubscribePattern, exact))
	}
	check("a publisher blocks while a subscriber of policy block has no room, order is kept, and events that it gives up are counted", checkBlocking(ctx, bus, options.BusQueue))
	check("no event arrives after Unsubscribe", checkUnsubscribe(ctx, bus))
	check("a handler that panics ends its own subscription and no other", checkHandlerPanic(ctx, bus))
	check("invalid subscriptions are refused", checkRefusedSubscriptions(bus))
	if exact { // other steps publish and allocate at the same time
		check("a subscription that has ended leaves no memory behind", checkSubscriptionMemory(bus))
		check("the history has the newest events, in order, up to its limit", checkHistory(ctx, bus, options.History))
	}
	check("subscribers receive events of more types than the bus keeps", checkManyTypes(ctx, r, options))
	check("the runtime's own events never block, and a subscriber without room loses the oldest", checkRuntimeEvents(ctx, r, options))
	check("a bus that crashes drops its queues, counts the drops, and continues", checkBusCrash(ctx, r, options))
	r.Value("bus_rules_broken", float64(broken))
}
