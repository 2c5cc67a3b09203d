package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// HoldReport compares a report with an earlier one, as Compare does, and
// returns it with the comparison in it: its regression, what to look at in
// each step that regressed, and as recommendations of the run what of the two
// runs differed besides. The reports given are not changed.
func HoldReport(now, before report.Report, name string, rule Rule) (report.Report, error) {
	comparison, warnings, err := Compare(before, now, name, rule)
	if err != nil {
		return now, fmt.Errorf("compare with %s: %w", name, err)
	}
	now.Regression = &comparison
	now.Recommendations = slices.Clone(now.Recommendations)
	for _, w := range warnings {
		now.Recommendations = append(now.Recommendations, "compared with "+name+": "+w)
	}
	now.Scenarios = slices.Clone(now.Scenarios)
	for i := range now.Scenarios {
		now.Scenarios[i].Steps = slices.Clone(now.Scenarios[i].Steps)
	}
	for _, p := range pairsOf(before, now) {
		if p.now != nil && p.before != nil {
			p.now.Recommendations = append(slices.Clone(p.now.Recommendations), p.explain(comparison, before.Host.CPUs, now.Host.CPUs)...)
		}
	}
	return now, nil
}

// explain says of each metric of the step that regressed by how much it did,
// what moved with it, and where to look next.
func (p pair) explain(r report.Regression, cpusBefore, cpusNow int) []string {
	var told []string
	for _, m := range r.Metrics {
		if m.Verdict != report.Regressed || m.Scenario != p.scenario || m.Step != p.step {
			continue
		}
		by := "worse"
		if m.DeltaPercent != nil {
			by = quantity.Percent(*m.DeltaPercent/100) + " worse"
		}
		before, now := p.before.Metrics[m.Metric], p.now.Metrics[m.Metric]
		if now.Value == nil {
			told = append(told, fmt.Sprintf("%s was %s in %s and is not measured now", m.Metric, before.Text(), r.Baseline))
			continue
		}
		text := func(v *float64) string {
			value := report.Metric{Value: *v, Unit: now.Unit}
			if now.Unit == "bool" {
				value.Value = *v != 0
			}
			return value.Text()
		}
		told = append(told, fmt.Sprintf("%s is %s than in %s: %s before, %s now", m.Metric, by, r.Baseline, text(m.Old), text(m.New)))
	}
	if len(told) == 0 {
		return nil
	}
	return append(told, p.causes(cpusBefore, cpusNow))
}

// causes says which probes moved in the worse direction, and where to look.
func (p pair) causes(cpusBefore, cpusNow int) string {
	if was, ok := foreignCPU(p.before.Probes, cpusBefore); ok {
		if is, ok := foreignCPU(p.now.Probes, cpusNow); ok && is > was+foreignShare {
			return fmt.Sprintf("other programs took %s of the machine before and %s now: run it again without them before you believe any of this",
				quantity.Percent(was), quantity.Percent(is))
		}
	}
	type move struct {
		text  string
		share float64
	}
	var moves []move
	for _, s := range symptoms {
		probeBefore, before := p.before.Probes[s.probe]
		probeNow, now := p.now.Probes[s.probe]
		was, is := s.value(probeBefore), s.value(probeNow)
		if !before || !now || is-was < s.least || is < was*(1+DefaultThreshold) {
			continue
		}
		moves = append(moves, move{
			fmt.Sprintf("%s, %s before and %s now: %s", s.probe, quantity.Format(was, s.unit), quantity.Format(is, s.unit), s.look),
			(is - was) / max(was, s.least),
		})
	}
	if len(moves) == 0 {
		return "no probe moved with it, so the time is most likely spent in the operation itself: compare CPU profiles of both builds under this step's load"
	}
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(b.share, a.share) })
	var texts []string
	for _, m := range moves[:min(len(moves), mostSymptoms)] {
		texts = append(texts, m.text)
	}
	return "with it moved " + strings.Join(texts, "; and ")
}

// foreignCPU is the share of the machine that other programs took, and false
// if the probes do not tell.
func foreignCPU(probes map[string]report.Probe, cpus int) (float64, bool) {
	host, ok := probes["host_cpu_percent"]
	own, also := probes["cpu_percent"]
	if !ok || !also || cpus <= 0 {
		return 0, false
	}
	return max(0, host.Mean-own.Mean/float64(cpus)) / 100, true
}

// A symptom is a probe that tells why something may have become slower, and
// where to look then.
type symptom struct {
	probe, unit string
	// least is by how much it has to have grown to be told, in its unit.
	least float64
	// high is from what on it is worth telling without anything to hold
	// it against; 0 if it never is.
	high float64
	look string
	// shows says whether the probe is about what the step measures, where that is not
	// always so.
	shows func(report.Step) bool
	// counter says that the probe only grows, so that its most counts instead
	// of its mean: that would depend on when it grew.
	counter bool
}

// value is what of the probe's readings counts.
func (s symptom) value(p report.Probe) float64 {
	if s.counter {
		return p.Max
	}
	return p.Mean
}

// symptoms are in the order in which they are believed: what explains more
// comes first.
var symptoms = []symptom{
	{"gc_cpu_ratio", "ratio", 0.01, 0.1, "the collector takes CPU from the work, so look at what allocates in a heap profile (alloc_space)", busy, false},
	{"gc_pause_p99_ms", "ms", 0.1, 5, "the collector stops the program for long, so look at what is live and how many goroutines there are", nil, false},
	{"sched_latency_p99_ms", "ms", 0.1, 1, "goroutines wait for a processor, so look at how many are runnable, and at an execution trace", nil, false},
	{"mailbox_depth_max", "count", 10, 500, "messages queue up, so look at which agents cannot keep up", nil, false},
	{"events_dropped", "count", 1, 1, "events are dropped, so look at the subscribers' queues", nil, true},
	{"actions_failed_per_second", "1/s", 1, 1, "actions fail, so look at the step's errors first", failed, false},
	{"goroutines", "count", 10, 0, "there are more goroutines, so look at a goroutine profile", nil, false},
	{"heap_live_bytes", "bytes", 1 << 20, 0, "more memory is live, so look at a heap profile (inuse_space)", nil, false},
	{"threads", "count", 2, 0, "there are more threads, so look for calls that block in the operating system", nil, false},
}

// busy says whether the step kept half a processor at work: what the collector takes
// of less takes nothing from anybody.
func busy(step report.Step) bool { return step.Probes["cpu_percent"].Mean >= 50 }

// failed says whether operations of the load failed: measurements provoke others on
// purpose.
func failed(step report.Step) bool { return step.Operations.Failed > 0 }

// mostSymptoms is how many of them are told.
const mostSymptoms = 3

// circumstances says what the probes of a step that did badly showed that is
// remarkable by itself, and where to look; "" if nothing was.
func circumstances(step report.Step) string {
	var texts []string
	probes := step.Probes
	for _, f := range step.Faults {
		if f.Injected > 0 {
			texts = append(texts, f.Text()+" was done to it on purpose")
		}
	}
	if host, ok := probes["host_cpu_percent"]; ok && host.Mean > 95 {
		texts = append(texts, fmt.Sprintf("host_cpu_percent was %s: the machine had no CPU left to give, so use a lower load or a larger machine", quantity.Percent(host.Mean/100)))
	}
	for _, s := range symptoms {
		if s.shows != nil && !s.shows(step) {
			continue
		}
		if p, ok := probes[s.probe]; ok && s.high > 0 && s.value(p) >= s.high {
			texts = append(texts, fmt.Sprintf("%s was %s: %s", s.probe, quantity.Format(s.value(p), s.unit), s.look))
		}
	}
	return strings.Join(texts[:min(len(texts), mostSymptoms)], "; ")
}
