// Package diagnostic finds problems of a run in progress, such as a slow subscriber
// or a growing heap.
package diagnostic

import (
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A Warning is a problem in the newest part of a run.
type Warning struct {
	// ID identifies the problem. A warning of a later snapshot with the same ID is
	// the same problem, which still lasts.
	ID string
	// Since is when the problem began, in seconds since the start of the run.
	Since float64
	// Text is the problem and, after a colon, the evidence.
	Text string
}

// Subject is the problem without the evidence.
func (w Warning) Subject() string {
	subject, _, _ := strings.Cut(w.Text, ":")
	return subject
}

// The thresholds of warnings. A healthy run stays below all of them, also during
// a short burst.
const (
	// window is the part of a run that is examined, in seconds. It never begins
	// earlier than settleSeconds after the running repetition: until then a
	// system starts and creates its agents.
	window        = 20
	settleSeconds = 1
	// A trend grows for leastTrend seconds in a row, and in total by trendShare
	// and by the least amount for its probe.
	leastTrend      = 4
	trendShare      = 0.2
	leastBacklog    = 100
	leastGoroutines = 50
	leastHeap       = 8e6 // bytes
	// FullQueue is the share from which on a queue counts as full, and fullSeconds
	// is how long a queue may be full.
	FullQueue   = 0.9
	fullSeconds = 1
	// busySeconds is how long an agent may be busy at every inspection while
	// messages wait. An agent is only slow if its last message has to wait for
	// longWait seconds; a load may keep a fast agent busy all the time.
	busySeconds = 2
	longWait    = 0.05
	// steadySeconds is how long a condition on a probe has to last.
	steadySeconds = 1.5
	// missedShare is the share of the offered rate that may be missing.
	missedShare = 0.1
	lagMillis   = 10
	gcShare     = 0.1
	schedMillis = 10
	// causeSeconds is how soon after a fault a problem has to begin to be
	// attributed to it.
	causeSeconds = 2
	// sampleSeconds is the resolution of times that come from samples.
	sampleSeconds = 0.2
	// Stale is the age from which on an inspection no longer describes a moment,
	// in seconds.
	Stale = 2
)

// Find returns the warnings of a snapshot, the most urgent first. It is a pure
// function of the snapshot.
func Find(s *fold.Snapshot) []Warning {
	if s.Report != nil || s.Len() == 0 {
		return nil
	}
	r := recent{s, max(s.T-window, settled(s))}
	return slices.Concat(r.limits(), r.subscriptions(), r.agents(), r.generator(), r.throughput(), r.failures(), r.trends(), r.runtime())
}

// settled is the time from which on the running repetition is examined.
func settled(s *fold.Snapshot) float64 {
	for _, m := range slices.Backward(s.Marks) {
		if m.Type == stream.RepetitionStarted || m.Type == stream.StepStarted {
			return m.T + settleSeconds
		}
	}
	return 0
}

// recent is the newest part of a snapshot.
type recent struct {
	*fold.Snapshot
	// from is in seconds since the start of the run.
	from float64
}

// lasted returns how long a condition on a probe has held at every sample until
// now, in seconds, when that began, and the mean of the probe since then.
func (r recent) lasted(name probe.Name, holds func(v float64) bool) (long, since, mean float64) {
	sum, n := 0.0, 0
	since = r.T
	for sample := range r.Backward(r.from) {
		v, ok := sample.Value(name)
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

// grown returns for how many whole seconds in a row a probe has grown, and its
// means in the first and in the last of them.
func (r recent) grown(name probe.Name) (seconds int, from, to float64) {
	var means []float64 // one for each second, newest first
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
		v, ok := sample.Value(name)
		if !ok {
			continue
		}
		if int(r.T-sample.T) > second && !flush() {
			break // a second without a sample
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

// recentGrowth returns how much a counter has grown recently, for how long, and
// since when. Growth after a pause of more than a second counts anew.
func (r recent) recentGrowth(name probe.Name) (n, long, since float64) {
	newer, newest, seen := 0.0, r.T, false
	for sample := range r.Backward(r.from) {
		v, ok := sample.Value(name)
		if !ok {
			continue
		}
		if seen && v > newer {
			break // a fresh system, whose counters began at 0
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

// inspection returns the newest inspection; false if it is stale.
func (r recent) inspection() (fold.Inspected, bool) {
	in, ok := r.InspectedAt(r.T)
	return in, ok && r.T-in.T <= Stale
}

// cause names the fault that was injected shortly before a time, in parentheses;
// empty if there was none.
func (r recent) cause(t float64) string {
	for _, m := range slices.Backward(r.Marks) {
		if m.Type != stream.FaultInjected || m.T > t+sampleSeconds || m.T < t-causeSeconds {
			continue
		}
		if t-m.T < sampleSeconds {
			return " (since " + theme.Clean(m.Text) + ")"
		}
		return fmt.Sprintf(" (%.1f s after %s)", t-m.T, theme.Clean(m.Text))
	}
	return ""
}

// warn returns a warning about a problem that began at a time, with its cause.
func (r recent) warn(id string, since float64, format string, args ...any) Warning {
	return Warning{id, since, fmt.Sprintf(format, args...) + r.cause(since)}
}

// count formats a number of things.
func count[T int | int64 | float64](n T) string { return quantity.Format(float64(n), theme.Count) }
