package diagnostic

import (
	"cmp"
	"fmt"
	"math"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/theme"
)

// limits finds limits that are exceeded now. A baseline is about a whole
// repetition, so it counts only once a repetition has gone on for a while.
func (r recent) limits() []Warning {
	var out []Warning
	for _, step := range r.Active() {
		if step.Repetition == nil || step.Repetition.Number == 0 {
			continue
		}
		for _, l := range step.Step.Limits {
			if l.Probe == "" || l.ProbeScale < 0 {
				continue
			}
			scale := cmp.Or(l.ProbeScale, 1)
			long, since, mean := r.lasted(l.Probe, func(v float64) bool { return beyond(l, v/scale) })
			if long < steadySeconds {
				continue
			}
			out = append(out, r.warn("limit "+step.Step.Name+" "+l.Metric+l.Op, since, "%s: %s for %s, limit %s",
				theme.Clean(l.Metric), quantity.Format(mean/scale, l.Unit), theme.Seconds(long), check.Condition(l)))
		}
	}
	return out
}

// beyond reports whether a value misses a limit by more than the tolerance.
func beyond(l stream.Limit, v float64) bool {
	slack := math.Abs(l.Value) * l.Tolerance
	switch l.Op {
	case "<":
		return v >= l.Value+slack
	case "<=":
		return v > l.Value+slack
	case ">":
		return v <= l.Value-slack
	case ">=":
		return v < l.Value-slack
	}
	return false
}

func (r recent) subscriptions() []Warning {
	in, ok := r.inspection()
	if !ok {
		return nil
	}
	var out []Warning
	for _, sub := range in.Subscriptions {
		if sub.FullSeconds < fullSeconds {
			continue
		}
		effect := ""
		switch {
		case sub.Blocks:
			effect = ", blocks publishers"
		case sub.Dropped > 0:
			effect = fmt.Sprintf(", %s events dropped", count(sub.Dropped))
		}
		out = append(out, r.warn("subscriber "+sub.Subscriber+sub.Pattern, in.T-sub.FullSeconds, "slow subscriber %s: queue %d %% full for %s%s",
			theme.Clean(sub.Subscriber), int(100*theme.Share(sub.Queued, sub.Capacity)), theme.Seconds(sub.FullSeconds), effect))
	}
	return atMost(3, out)
}

func (r recent) agents() []Warning {
	in, ok := r.inspection()
	if !ok {
		return nil
	}
	var out []Warning
	for _, a := range in.Agents {
		id, name := "agent "+a.ID, theme.Clean(a.ID)
		switch full := theme.Share(a.Mailbox, a.MailboxCapacity); {
		case full >= FullQueue:
			out = append(out, Warning{id, in.T, fmt.Sprintf("agent %s: mailbox %d %% full, %s messages queued", name, int(100*full), count(a.Mailbox))})
		case a.BusySeconds >= busySeconds && float64(a.Mailbox) >= longWait*a.ActionsPerSecond && a.Mailbox > 0:
			out = append(out, r.warn(id, in.T-a.BusySeconds, "agent %s: busy for %s without a break, %s messages queued", name, theme.Seconds(a.BusySeconds), count(a.Mailbox)))
		}
	}
	return atMost(3, out)
}

// atMost keeps the first n warnings, and adds the number of the others to the
// last.
func atMost(n int, warnings []Warning) []Warning {
	if len(warnings) > n {
		warnings[n-1].Text += fmt.Sprintf(" (and %d more)", len(warnings)-n)
		warnings = warnings[:n]
	}
	return warnings
}

// generator finds a load generator that cannot keep its schedule. That is a
// problem of the machine and not of the system under test.
func (r recent) generator() []Warning {
	long, since, mean := r.lasted(probe.GeneratorLagMS, func(v float64) bool { return v >= lagMillis })
	if long < steadySeconds {
		return nil
	}
	return []Warning{{"generator", since, fmt.Sprintf("load generator: %s late for %s; this machine is too slow or too busy for this load", quantity.Format(mean, theme.Millis), theme.Seconds(long))}}
}

// throughput finds a completed rate below the offered rate.
func (r recent) throughput() []Warning {
	var offered, completed, n, since float64
	for sample := range r.Backward(r.from) {
		due, ok := sample.Value(probe.OfferedPerSecond)
		done, both := sample.Value(probe.CompletedPerSecond)
		if !ok || !both || sample.T < r.T-2*steadySeconds {
			break
		}
		offered, completed, n, since = offered+due, completed+done, n+1, sample.T
	}
	if n == 0 || r.T-since < steadySeconds || offered == 0 || completed >= (1-missedShare)*offered {
		return nil
	}
	inFlight := ""
	if v, ok := r.Latest(probe.InFlight); ok && v > 0 {
		inFlight = fmt.Sprintf(", %s operations in flight", count(v))
	}
	return []Warning{r.warn("throughput", since, "throughput: %s completed of %s offered%s", theme.Number(completed/n, theme.PerSecond), theme.Number(offered/n, theme.PerSecond), inFlight)}
}

// failures finds operations that fail, dropped events and crashed agents.
func (r recent) failures() []Warning {
	var out []Warning
	if long, since, mean := r.lasted(probe.FailedPerSecond, func(v float64) bool { return v > 0 }); long >= steadySeconds {
		out = append(out, r.warn("failures", since, "failed operations: %s for %s", theme.Number(mean, theme.PerSecond), theme.Seconds(long)))
	}
	for _, counter := range []struct {
		probe probe.Name
		text  string
	}{{probe.EventsDropped, "dropped events"}, {probe.AgentsCrashed, "crashed agents"}} {
		if n, long, since := r.recentGrowth(counter.probe); n > 0 {
			out = append(out, r.warn(string(counter.probe), since, "%s: %s in the last %s", counter.text, count(n), theme.Seconds(long)))
		}
	}
	return out
}

// trends finds probes that only grow.
func (r recent) trends() []Warning {
	var out []Warning
	for _, trend := range []struct {
		probe      probe.Name
		unit, text string
		least      float64
	}{
		{probe.MailboxDepth, theme.Count, "mailbox backlog: growing for %s, from %s to %s messages", leastBacklog},
		{probe.Goroutines, theme.Count, "goroutines: growing for %s, from %s to %s", leastGoroutines},
		{probe.HeapLiveBytes, theme.Bytes, "live heap: growing for %s, from %s to %s", leastHeap},
	} {
		long, from, to := r.grown(trend.probe)
		if long < leastTrend || to-from < trend.least || to-from < trendShare*from {
			continue
		}
		out = append(out, r.warn(string(trend.probe), r.T-float64(long), trend.text,
			theme.Seconds(float64(long)), quantity.Format(math.Round(from), trend.unit), quantity.Format(math.Round(to), trend.unit)))
	}
	return out
}

// runtime finds problems of the Go runtime.
func (r recent) runtime() []Warning {
	var out []Warning
	if long, since, mean := r.lasted(probe.GCCPURatio, func(v float64) bool { return v >= gcShare }); long >= steadySeconds {
		allocated := ""
		if v, ok := r.Latest(probe.AllocBytesPerSecond); ok {
			allocated = fmt.Sprintf(", %s allocated", theme.Number(v, theme.BytesPerSecond))
		}
		out = append(out, r.warn("collector", since, "garbage collector: %s of CPU time for %s%s", theme.Number(mean, theme.Ratio), theme.Seconds(long), allocated))
	}
	if long, since, mean := r.lasted(probe.SchedLatencyP99MS, func(v float64) bool { return v >= schedMillis }); long >= steadySeconds {
		busy := ""
		if v, ok := r.Latest(probe.HostCPUPercent); ok {
			busy = fmt.Sprintf(", machine %s busy", theme.Number(v, theme.Percent))
		}
		out = append(out, r.warn("scheduler", since, "scheduler latency: p99 %s for %s%s", quantity.Format(mean, theme.Millis), theme.Seconds(long), busy))
	}
	return out
}
