package ui

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A lint is something in the latest of a run that somebody should look at, told
// in plain words with what it is seen by.
type lint struct {
	// about says what it is about: a lint of a later snapshot that has the same
	// is the same, going on.
	about string
	// since is when it began, in seconds since the start of the run.
	since float64
	text  string
}

// What has to be seen before it is told. A healthy run passes all of this: a
// short burst is no lint.
const (
	// lintWindow is how far back is looked, in seconds, but never to before
	// settleSeconds after the running repetition began: until then a system is
	// started, and filled with agents.
	lintWindow    = 20
	settleSeconds = 1
	// A trend goes up from second to second for that many of them, and by a
	// share of where it began.
	leastTrend = 4
	trendShare = 0.2
	// leastBacklog and leastGoroutines are growths that are worth a word.
	leastBacklog    = 100
	leastGoroutines = 50
	leastHeap       = 8e6 // bytes
	// fullQueue is the share from which on a queue counts as full.
	fullQueue = 0.9
	// fullSeconds is for how long a queue may be full.
	fullSeconds = 1
	// busySeconds is for how long an agent may be found at work at every look
	// while messages wait for it.
	busySeconds = 2
	// longWait is for how many seconds the latest message of such an agent has to
	// wait, at the rate at which it works, to be worth telling: one that a load
	// keeps at work all the time is not slow.
	longWait = 0.05
	// steadySeconds is how long something that is measured at every sample has
	// to last.
	steadySeconds = 1.5
	// missedShare of what is due is not completed.
	missedShare = 0.1
	lagMillis   = 10
	gcShare     = 0.1
	schedMillis = 10
	// causeSeconds is how soon after a fault something must begin to be held
	// against it.
	causeSeconds = 2
	// sampleSeconds is how closely a moment is known from samples.
	sampleSeconds = 0.2
)

// lintsOf returns what is to be told of a snapshot, the most urgent first. It
// looks at nothing else, so that the same snapshot always says the same.
func lintsOf(s *fold.Snapshot) []lint {
	if s.Report != nil || s.Len() == 0 {
		return nil
	}
	r := recent{s, max(s.T-lintWindow, settled(s))}
	return slices.Concat(r.limits(), r.subscriptions(), r.agents(), r.generator(), r.delivery(), r.failures(), r.trends(), r.runtime())
}

// settled is when the running repetition had begun in earnest.
func settled(s *fold.Snapshot) float64 {
	for _, m := range slices.Backward(s.Marks) {
		if m.Type == stream.RepetitionStarted || m.Type == stream.StepStarted {
			return m.T + settleSeconds
		}
	}
	return 0
}

// recent is the latest part of a snapshot.
type recent struct {
	*fold.Snapshot
	// from is in seconds since the start of the run.
	from float64
}

// last returns for how long a probe has held a condition at every sample until
// now, in seconds, when that began, and the mean while it did.
func (r recent) last(probe probe.Name, holds func(v float64) bool) (long, since, mean float64) {
	sum, n := 0.0, 0
	since = r.T
	for sample := range r.Backward(r.from) {
		v, ok := sample.Value(probe)
		if !ok {
			continue // some probes are not in every sample
		}
		if !holds(v) {
			break
		}
		since = sample.T
		sum += v
		n++
	}
	if n == 0 {
		return 0, r.T, 0
	}
	return r.T - since, since, sum / float64(n)
}

// grown returns for how many whole seconds a probe has gone up, from second to
// second, and the means of the first and of the last of them.
func (r recent) grown(probe probe.Name) (seconds int, from, to float64) {
	var means []float64 // of the seconds before now, the latest first
	sum, n, second := 0.0, 0, 0
	flush := func() bool {
		if n == 0 {
			return false
		}
		means = append(means, sum/float64(n))
		sum, n = 0, 0
		second++
		return true
	}
	for sample := range r.Backward(r.from) {
		v, ok := sample.Value(probe)
		if !ok {
			continue
		}
		if int(r.T-sample.T) > second && !flush() {
			break // a second without a reading
		}
		sum += v
		n++
	}
	flush()
	if len(means) == 0 {
		return 0, 0, 0
	}
	i := 0
	for i+1 < len(means) && means[i] > means[i+1] {
		i++
	}
	return i, means[i], means[0]
}

// limits are limits that what is measured now is beyond. A baseline is held
// against a whole repetition: it is told only while one has gone on for a while.
func (r recent) limits() []lint {
	var out []lint
	for _, step := range r.Active() {
		if step.Repetition == nil || step.Repetition.Number == 0 {
			continue
		}
		for _, l := range step.Step.Limits {
			if l.Probe == "" || l.ProbeScale < 0 {
				continue
			}
			scale := cmp.Or(l.ProbeScale, 1)
			long, since, mean := r.last(l.Probe, func(v float64) bool { return beyond(l, v/scale) })
			if long < steadySeconds {
				continue
			}
			text := fmt.Sprintf("%s is %s for %s, and should be %s", theme.Clean(l.Metric), report.Quantity(mean/scale, l.Unit), theme.Seconds(long), shouldBe(l))
			out = append(out, lint{"limit " + step.Step.Name + " " + l.Metric + l.Op, since, text + r.cause(since)})
		}
	}
	return out
}

// beyond says whether a value misses a limit, by more than a baseline's
// tolerance.
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

func shouldBe(l stream.Limit) string {
	if l.Unit == "bool" && (l.Value == 0 || l.Value == 1) {
		return theme.Clean(l.Op) + " " + report.Metric{Value: l.Value == 1}.Text()
	}
	return theme.Clean(l.Op) + " " + report.Quantity(l.Value, l.Unit)
}

// cause names the fault that came shortly before a time; empty if there was
// none.
func (r recent) cause(t float64) string {
	for _, m := range slices.Backward(r.Marks) {
		if m.Type != stream.FaultInjected || m.T > t+sampleSeconds || m.T < t-causeSeconds {
			continue
		}
		if t-m.T < sampleSeconds {
			return "; it began with " + theme.Clean(m.Text)
		}
		return fmt.Sprintf("; it began %.1f s after %s", t-m.T, theme.Clean(m.Text))
	}
	return ""
}

// inside is the latest look inside; false if it is not of about now.
func (r recent) inside() (fold.Inspected, bool) {
	in, ok := r.InspectedAt(r.T)
	return in, ok && r.T-in.T <= stale
}

func (r recent) subscriptions() []lint {
	in, ok := r.inside()
	if !ok {
		return nil
	}
	var out []lint
	for _, sub := range in.Subscriptions {
		if sub.FullSeconds < fullSeconds {
			continue
		}
		text := fmt.Sprintf("slow subscriber %s: queue %d %% full for %s", theme.Clean(sub.Subscriber), int(100*theme.Share(sub.Queued, sub.Capacity)), theme.Seconds(sub.FullSeconds))
		switch {
		case sub.Blocks:
			text += ", holds back publishers"
		case sub.Dropped > 0:
			text += fmt.Sprintf(", %s events dropped so far", report.Quantity(float64(sub.Dropped), theme.Count))
		}
		since := in.T - sub.FullSeconds
		out = append(out, lint{"subscriber " + sub.Subscriber + sub.Pattern, since, text + r.cause(since)})
	}
	return most(out, 3)
}

func (r recent) agents() []lint {
	in, ok := r.inside()
	if !ok {
		return nil
	}
	var out []lint
	for _, a := range in.Agents {
		switch full := theme.Share(a.Mailbox, a.MailboxCapacity); {
		case full >= fullQueue:
			out = append(out, lint{"agent " + a.ID, in.T, fmt.Sprintf("agent %s: mailbox %d %% full, %s messages wait", theme.Clean(a.ID), int(100*full), report.Quantity(float64(a.Mailbox), theme.Count))})
		case a.BusySeconds >= busySeconds && float64(a.Mailbox) >= longWait*a.ActionsPerSecond && a.Mailbox > 0:
			since := in.T - a.BusySeconds
			out = append(out, lint{"agent " + a.ID, since, fmt.Sprintf("agent %s was never idle for %s, and %s messages wait", theme.Clean(a.ID), theme.Seconds(a.BusySeconds), report.Quantity(float64(a.Mailbox), theme.Count)) + r.cause(since)})
		}
	}
	return most(out, 3)
}

// most keeps the first of many lints of a kind, and says how many there are.
func most(lints []lint, n int) []lint {
	if len(lints) > n {
		lints[n-1].text += fmt.Sprintf(" (and %d more like that)", len(lints)-n)
		lints = lints[:n]
	}
	return lints
}

// generator tells that the load is not what was asked for: that is about the
// machine, and not about the runtime.
func (r recent) generator() []lint {
	long, since, mean := r.last(probe.GeneratorLagMS, func(v float64) bool { return v >= lagMillis })
	if long < steadySeconds {
		return nil
	}
	return []lint{{"generator", since, fmt.Sprintf("load not delivered: its generator is %s behind its own schedule for %s; this machine is too slow for it", report.Quantity(mean, theme.Millis), theme.Seconds(long))}}
}

// delivery tells that less is completed than is due.
func (r recent) delivery() []lint {
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
	text := fmt.Sprintf("%s of %s are completed", theme.Number(completed/n, theme.PerSecond), theme.Number(offered/n, theme.PerSecond))
	if v, ok := r.Latest(probe.InFlight); ok && v > 0 {
		text += fmt.Sprintf(": %s operations are under way", report.Quantity(v, theme.Count))
	}
	return []lint{{"delivery", since, text + r.cause(since)}}
}

// failures tells of what is lost or fails.
func (r recent) failures() []lint {
	var out []lint
	if long, since, mean := r.last(probe.FailedPerSecond, func(v float64) bool { return v > 0 }); long >= steadySeconds {
		out = append(out, lint{"failures", since, fmt.Sprintf("operations fail: %s for %s", theme.Number(mean, theme.PerSecond), theme.Seconds(long)) + r.cause(since)})
	}
	for _, counter := range []struct {
		probe       probe.Name
		about, text string
	}{
		{probe.EventsDropped, "dropped", "the bus drops events: %s in the last %s"},
		{probe.AgentsCrashed, "crashed", "agents crash: %s in the last %s"},
	} {
		if n, long, since := r.counted(counter.probe); n > 0 {
			out = append(out, lint{counter.about, since, fmt.Sprintf(counter.text, report.Quantity(n, theme.Count), theme.Seconds(long)) + r.cause(since)})
		}
	}
	return out
}

// counted returns by how much a counter has grown lately, as long as the
// growths are no more than a second apart, and when that began.
func (r recent) counted(probe probe.Name) (n, long, since float64) {
	newer, newest, seen := 0.0, r.T, false
	for sample := range r.Backward(r.from) {
		v, ok := sample.Value(probe)
		if !ok {
			continue
		}
		if seen && v > newer {
			break // a fresh system began to count anew
		}
		if seen && v < newer {
			n += newer - v
			since, newest = sample.T, sample.T
		}
		if newest-sample.T > 1 {
			break
		}
		newer, seen = v, true
	}
	return n, r.T - since, since
}

// trends are what only goes up.
func (r recent) trends() []lint {
	var out []lint
	for _, trend := range []struct {
		probe       probe.Name
		unit, about string
		least       float64
		text        string
	}{
		{probe.MailboxDepth, theme.Count, "backlog", leastBacklog, "mailboxes grow for %s: %s messages wait, from %s"},
		{probe.Goroutines, theme.Count, "goroutines", leastGoroutines, "goroutines rise for %s: %s, from %s"},
		{probe.HeapLiveBytes, theme.Bytes, "live heap", leastHeap, "what the garbage collector leaves rises for %s: %s, from %s"},
	} {
		long, from, to := r.grown(trend.probe)
		if long < leastTrend || to-from < trend.least || to-from < trendShare*from {
			continue
		}
		since := r.T - float64(long)
		text := fmt.Sprintf(trend.text, theme.Seconds(float64(long)), report.Quantity(math.Round(to), trend.unit), report.Quantity(math.Round(from), trend.unit))
		out = append(out, lint{trend.about, since, text + r.cause(since)})
	}
	return out
}

// runtime is what the Go runtime has trouble with.
func (r recent) runtime() []lint {
	var out []lint
	if long, since, mean := r.last(probe.GCCPURatio, func(v float64) bool { return v >= gcShare }); long >= steadySeconds {
		text := fmt.Sprintf("the garbage collector takes %s of the processors for %s", theme.Number(mean, theme.Ratio), theme.Seconds(long))
		if v, ok := r.Latest(probe.AllocBytesPerSecond); ok {
			text += fmt.Sprintf(": %s is allocated", theme.Number(v, theme.BytesPerSecond))
		}
		out = append(out, lint{"collector", since, text + r.cause(since)})
	}
	if long, since, mean := r.last(probe.SchedLatencyP99MS, func(v float64) bool { return v >= schedMillis }); long >= steadySeconds {
		text := fmt.Sprintf("goroutines wait %s (p99) for a processor for %s", report.Quantity(mean, theme.Millis), theme.Seconds(long))
		if v, ok := r.Latest(probe.HostCPUPercent); ok {
			text += fmt.Sprintf(": the machine is %s busy", theme.Number(v, theme.Percent))
		}
		out = append(out, lint{"scheduler", since, text + r.cause(since)})
	}
	return out
}
