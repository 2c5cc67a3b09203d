package measure

import (
	"context"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// stallTimeout is the time without any delivery after which missing events count as lost.
const stallTimeout = 5 * time.Second

// total is the sum of a count over all subscribers.
func (all subscriberSet) total(of func(*subscriber) int64) (n int64) {
	for _, r := range all {
		n += of(r)
	}
	return n
}

// delivered counts deliveries, including duplicates.
func (all subscriberSet) delivered() int64 { return all.total((*subscriber).delivered) }

func (r *subscriber) delivered() (n int64) {
	for phase := range r.received {
		n += r.received[phase].Load()
	}
	return n
}

// distinct counts deliveries without duplicates.
func (all subscriberSet) distinct() int64 { return all.total((*subscriber).distinct) }

func (r *subscriber) distinct() int64 { return r.delivered() - r.duplicates.Load() }

// duplicates counts deliveries of an event that the subscriber had already received.
func (all subscriberSet) duplicates() int64 {
	return all.total(func(r *subscriber) int64 { return r.duplicates.Load() })
}

// outOfOrder counts events that came after a later event of their publisher.
func (all subscriberSet) outOfOrder() int64 {
	return all.total(func(r *subscriber) int64 { return r.outOfOrder.Load() })
}

// supplyProbes makes windows count the deliveries to these subscribers instead of those of
// all steps.
func (all subscriberSet) supplyProbes(env *stress.Env) {
	env.Supply(probe.EventsDeliveredPerSecond, all.delivered)
	env.Supply(probe.EventsDropped, all.dropped)
}

// dropped counts the deliveries that the bus reports as dropped.
func (all subscriberSet) dropped() int64 { return all.total((*subscriber).dropped) }

func (r *subscriber) dropped() (n int64) {
	for _, s := range r.subscriptionList() {
		n += int64(s.Dropped())
	}
	return n
}

// waiting counts the events that the bus reports as queued.
func (all subscriberSet) waiting() int64 { return all.total((*subscriber).waiting) }

func (r *subscriber) waiting() (n int64) {
	for _, s := range r.subscriptionList() {
		n += int64(s.Waiting())
	}
	return n
}

// areRestarted reports whether the subscribers are agents that are restarted. While such
// an agent restarts, no events are due to it, so there may be fewer deliveries than
// events.
func (all subscriberSet) areRestarted() bool { return len(all) > 0 && all[0].restarts }

// backlog is how many deliveries are due but not made, for that many accepted events.
func (all subscriberSet) backlog(accepted int64) int64 {
	if all.areRestarted() {
		return all.waiting()
	}
	return accepted*int64(len(all)) - all.distinct() - all.dropped()
}

// awaitDeliveries waits until all deliveries of that many events are made or dropped, and
// returns when the last was. If there is no progress for stallTimeout, it returns false.
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

// lost counts deliveries of accepted events that were neither made nor counted as dropped.
// For each failed event the bus may have counted a drop with every subscriber. Of
// restarted subscribers, only events missing within one life are known to be lost.
func (all subscriberSet) lost(accepted, failed int64) int64 {
	return all.total(func(r *subscriber) int64 {
		dropped := max(r.dropped()-failed, 0)
		if r.restarts {
			return max(r.missing.Load()-dropped, 0)
		}
		return max(accepted-r.distinct()-dropped, 0)
	})
}

// deliveryMetrics describes what becomes of each delivery, apart from how many were made.
func deliveryMetrics() []scenario.Metric {
	return []scenario.Metric{
		mustBeZero("lost", "Deliveries of accepted events that were neither made nor counted as dropped."),
		mustBeZero("duplicates", "Deliveries of an event that the subscriber had already received."),
		mustBeZero("ordering_violations", "Deliveries of an event after a later event of the same publisher."),
		telemetryMismatches(),
	}
}

// reportDeliveries reports deliveryMetrics except telemetry_mismatches, with explanations
// in the errors.
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
		env.Note("deliveries not made because the subscriber was restarting", missing)
	}
}

// reportEnded reports the subscriptions that ended by themselves, and returns their
// number. An end by a fault is not a finding.
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

// checkTelemetry compares the telemetry with the events of a load that has ended; other is
// how many events the runtime's agents published meanwhile.
func (all subscriberSet) checkTelemetry(ctx context.Context, w *telemetryCheck, p publishCounts, other int64) {
	if all.areRestarted() {
		resources.WaitWhile(ctx, func() bool { return all.waiting() > 0 })
	} else {
		// A subscription counts up to a sixteenth of its queue late.
		counted := func() int64 {
			return all.total(func(r *subscriber) int64 { return int64(r.subscriptionList()[0].Delivered()) })
		}
		resources.WaitWhile(ctx, func() bool { return all.waiting() > 0 || counted() != all.delivered() })
		if got, made := counted(), all.delivered(); got != made {
			w.recordMismatch("the deliveries of the subscriptions", got, countRange{made, made})
		}
	}
	w.expect(ctx, map[string]int64{
		"EventsPublished": p.accepted + p.failed + other, "EventsDelivered": all.delivered(), "EventsDropped": all.dropped(),
	})
}

// unsubscribeAll ends the subscriptions and checks that they are gone: events that are
// published afterwards reach no handler, and the bus counts no subscription any more.
// Restarted subscribers end with the system.
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
		env.Finding("deliveries to subscribers that had unsubscribed", late)
	}
	w.expect(ctx, map[string]int64{"EventsPublished": probes, "EventsDelivered": 0, "Subscriptions": -open})
	return late == 0 && w.mismatches == mismatches, nil
}
