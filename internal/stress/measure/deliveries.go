package measure

import (
	"context"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// stallTimeout is how long no event may be delivered before those that are
// missing count as lost.
const stallTimeout = 5 * time.Second

// total is the sum of something over all receivers.
func (all subscriberSet) total(of func(*subscriber) int64) (n int64) {
	for _, r := range all {
		n += of(r)
	}
	return n
}

// delivered is how many deliveries were made, duplicates included.
func (all subscriberSet) delivered() int64 { return all.total((*subscriber).delivered) }

func (r *subscriber) delivered() (n int64) {
	for phase := range r.received {
		n += r.received[phase].Load()
	}
	return n
}

// distinct is how many deliveries were made, each event once.
func (all subscriberSet) distinct() int64 { return all.total((*subscriber).distinct) }

func (r *subscriber) distinct() int64 { return r.delivered() - r.duplicates.Load() }

// duplicates is how many deliveries were of an event that the subscriber had received
// before.
func (all subscriberSet) duplicates() int64 {
	return all.total(func(r *subscriber) int64 { return r.duplicates.Load() })
}

// disorder is how many events came after a later one of their publisher.
func (all subscriberSet) outOfOrder() int64 {
	return all.total(func(r *subscriber) int64 { return r.outOfOrder.Load() })
}

// supply has windows look at the deliveries to these subscribers, and not at those of
// other steps.
func (all subscriberSet) supplyProbes(env *stress.Env) {
	env.Supply(scenario.DeliveredRate, all.delivered)
	env.Supply(scenario.EventsDropped, all.dropped)
}

// dropped is how many deliveries the bus says that it dropped.
func (all subscriberSet) dropped() int64 { return all.total((*subscriber).dropped) }

func (r *subscriber) dropped() (n int64) {
	for _, s := range r.subscriptionList() {
		n += int64(s.Dropped())
	}
	return n
}

// waiting is how many events the bus says that it still has to deliver.
func (all subscriberSet) waiting() int64 { return all.total((*subscriber).waiting) }

func (r *subscriber) waiting() (n int64) {
	for _, s := range r.subscriptionList() {
		n += int64(s.Waiting())
	}
	return n
}

// restart says whether the subscribers are agents that are restarted. Nothing is due
// to one while it is being restarted, so that fewer deliveries may be made than
// there were events.
func (all subscriberSet) areRestarted() bool { return len(all) > 0 && all[0].restarts }

// backlog is how many deliveries, of so many events accepted, wait to be made.
func (all subscriberSet) backlog(accepted int64) int64 {
	if all.areRestarted() {
		return all.waiting()
	}
	return accepted*int64(len(all)) - all.distinct() - all.dropped()
}

// await waits until no delivery of so many events waits any more, and returns when
// the last was made or dropped. It gives up when nothing has moved for stallTimeout,
// and says false then.
func (all subscriberSet) awaitDeliveries(ctx context.Context, accepted int64) (end time.Time, delivered bool, err error) {
	last, moved := int64(-1), time.Now()
	for {
		n := all.distinct() + all.dropped()
		now := time.Now()
		switch {
		case n >= accepted*int64(len(all)):
			return now, true, nil
		case n > last:
			last, moved = n, now
		case all.areRestarted() && all.backlog(accepted) == 0:
			return moved, true, nil
		case now.Sub(moved) > stallTimeout:
			return moved, false, nil
		}
		if !load.Sleep(ctx, 50*time.Microsecond) {
			return now, false, ctx.Err()
		}
	}
}

// lost is how many deliveries, of events that the bus accepted, were neither made
// nor counted as dropped. For each of the failed ones the bus may have counted a drop
// with every subscriber. Of subscribers that are restarted, only what is missing in
// the middle of a life is known to be lost.
func (all subscriberSet) lost(accepted, failed int64) int64 {
	return all.total(func(r *subscriber) int64 {
		dropped := max(r.dropped()-failed, 0)
		if r.restarts {
			return max(r.missing.Load()-dropped, 0)
		}
		return max(accepted-r.distinct()-dropped, 0)
	})
}

// deliveryMetrics are the metrics of what became of each delivery, besides how many
// were made.
func deliveryMetrics() []scenario.Metric {
	return []scenario.Metric{
		mustBeZero("lost", "Deliveries of accepted events that were neither made nor counted as dropped."),
		mustBeZero("duplicates", "Deliveries of an event that the same subscriber had received before."),
		mustBeZero("ordering_violations", "Deliveries of an event after a later one of the same publisher."),
		telemetryMismatches(),
	}
}

// reportDeliveries reports the deliveryMetrics but telemetry_mismatches, and adds to
// the errors what is behind them.
func (all subscriberSet) reportDeliveries(env *stress.Env, p publishCounts) {
	dropped, lost := all.dropped(), all.lost(p.accepted, p.failed)
	duplicates := all.duplicates()
	env.Value("lost", float64(lost))
	env.Value("duplicates", float64(duplicates))
	env.Value("ordering_violations", float64(all.outOfOrder()))
	if dropped > 0 {
		why := "a subscriber's queue was full"
		if env.HasFaultsOn(scenario.TargetAgents) || env.HasFaultsOn(scenario.TargetComponents) {
			why += ", or a fault hit the subscriber or the bus"
		}
		first, _ := env.System().Bus().FirstDrop()
		env.DetailSince(first, "deliveries dropped by the bus because "+why, dropped)
	}
	if lost > 0 {
		env.Detail("deliveries lost: neither made nor counted as dropped", lost)
	}
	if duplicates > 0 {
		env.Detail("deliveries made more than once", duplicates)
	}
	missing := p.accepted*int64(len(all)) - all.distinct() - dropped - lost
	if all.areRestarted() && missing > 0 {
		env.Note("deliveries not made because the subscriber was being restarted", missing)
	}
}

// ended reports the subscribers whose subscription has ended by itself, and returns
// how many those are. What a fault has ended is not the system's failure.
func (all subscriberSet) reportEnded(env *stress.Env) (n int64) {
	report := env.Finding
	if env.HasFaultsOn(scenario.TargetAgents) || env.HasFaultsOn(scenario.TargetComponents) {
		report = env.Note
	}
	for _, r := range all {
		for _, s := range r.subscriptionList() {
			if err := s.Err(); err != nil {
				report("a subscription ended during the load: "+err.Error(), 1)
				n++
			}
		}
	}
	return n
}

// unsubscribe ends the subscriptions.
func (all subscriberSet) unsubscribe() {
	for _, r := range all {
		for _, s := range r.subscriptionList() {
			s.Unsubscribe()
		}
	}
}

// witnessed compares the telemetry with what became of the events of a load that
// nobody publishes to any more. Other is how many events the runtime's own agents
// published meanwhile.
func (all subscriberSet) checkTelemetry(ctx context.Context, w *telemetryCheck, p publishCounts, other int64) {
	if all.areRestarted() {
		waitWhile(ctx, func() bool { return all.waiting() > 0 })
	} else {
		// A subscription counts up to a sixteenth of its queue late.
		counted := func() int64 {
			return all.total(func(r *subscriber) int64 { return int64(r.subscriptionList()[0].Delivered()) })
		}
		waitWhile(ctx, func() bool { return all.waiting() > 0 || counted() != all.delivered() })
		if got, made := counted(), all.delivered(); got != made {
			w.recordMismatch("the deliveries of the subscriptions", got, countRange{made, made})
		}
	}
	w.expect(ctx, map[string]int64{
		"EventsPublished": p.accepted + p.failed + other, "EventsDelivered": all.delivered(), "EventsDropped": all.dropped(),
	})
}

// dismiss ends the subscriptions and checks that they are gone: nothing that is
// published afterwards reaches a handler, and the bus counts none of them any more.
// Subscribers that are restarted end with the system.
func (all subscriberSet) unsubscribeAll(ctx context.Context, env *stress.Env, w *telemetryCheck, from publishers, eventType string) (gone bool, err error) {
	if all.areRestarted() {
		return true, nil
	}
	mismatches := w.mismatches
	before := all.delivered()
	open := all.total(func(r *subscriber) int64 {
		if s := r.subscriptionList()[0]; s.Err() != nil {
			return 0
		}
		return 1
	})
	all.unsubscribe()
	const probes = 3
	for range probes {
		p := from.payload(load.Op{})
		p.timed = false
		if err := env.System().Bus().Publish(ctx, mabeam.Event{Type: eventType, Data: &p}); err != nil {
			return false, err
		}
	}
	load.Sleep(ctx, time.Millisecond)
	late := all.delivered() - before
	if late > 0 {
		env.Finding("deliveries to subscribers that had unsubscribed before", late)
	}
	w.expect(ctx, map[string]int64{"EventsPublished": probes, "EventsDelivered": 0, "Subscriptions": -open})
	return late == 0 && w.mismatches == mismatches, nil
}
