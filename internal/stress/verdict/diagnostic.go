package verdict

import (
	"fmt"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// A diagnostic is a probe that can explain why a metric got worse.
type diagnostic struct {
	probe probe.Name
	// leastChange is the smallest increase that counts, in the probe's unit.
	leastChange float64
	// high is the value from which on the probe is reported without a comparison; 0 if
	// it never is.
	high float64
	// advice says what the value means and what to look at next.
	advice string
	// relevant reports whether the probe is about what the step measures; nil if it
	// always is.
	relevant func(report.Step) bool
}

// value returns the value of the probe that matters: the mean, or the maximum of a
// counter, because its mean depends on when it grew.
func (d diagnostic) value(p report.Probe) float64 {
	if definition, _ := probe.Find(d.probe); definition.Kind == probe.Counter {
		return p.Max
	}
	return p.Mean
}

// diagnostics are sorted by how much they explain, the most first.
var diagnostics = []diagnostic{
	{probe.GCCPURatio, 0.01, 0.1, "the garbage collector takes CPU time from the load; look for allocations in a heap profile (alloc_space)", busy},
	{probe.GCPauseP99MS, 0.1, 5, "GC pauses are long; look at the live heap and the number of goroutines", nil},
	{probe.SchedLatencyP99MS, 0.1, 1, "goroutines wait for a CPU; look at the runnable goroutines and at an execution trace", nil},
	{probe.MailboxDepthMax, 10, 500, "messages queue up; look for agents that cannot keep up", nil},
	{probe.EventsDropped, 1, 1, "events are dropped; look at the queues of the subscribers", nil},
	{probe.ActionsFailedPerSecond, 1, 1, "actions fail; look at the errors of the step first", failed},
	{probe.Goroutines, 10, 0, "there are more goroutines; look at a goroutine profile", nil},
	{probe.HeapLiveBytes, 1 << 20, 0, "the live heap is larger; look at a heap profile (inuse_space)", nil},
	{probe.Threads, 2, 0, "there are more threads; look for blocking system calls", nil},
}

// busy reports whether the step used half a CPU or more. Below that, the garbage
// collector takes time from nobody.
func busy(step report.Step) bool { return step.Probes[probe.CPUPercent].Mean >= 50 }

// failed reports whether operations of the load failed. Measurements provoke other
// failures on purpose.
func failed(step report.Step) bool { return step.Operations.Failed > 0 }

// mostDiagnostics is the number of diagnostics in one message.
const mostDiagnostics = 3

// stepDiagnostics lists the injected faults and the remarkable probes of a step that
// did badly, and says what to look at next. It is empty if there are none.
func stepDiagnostics(step report.Step) string {
	var texts []string
	for _, f := range step.Faults {
		if f.Injected > 0 {
			texts = append(texts, "the scenario injected "+f.Text())
		}
	}
	if host, ok := step.Probes[probe.HostCPUPercent]; ok && host.Mean > 95 {
		texts = append(texts, fmt.Sprintf("host_cpu_percent was %s: all CPUs were busy; use a lower load or a larger machine", quantity.Percent(host.Mean/100)))
	}
	for _, d := range diagnostics {
		if d.relevant != nil && !d.relevant(step) {
			continue
		}
		if p, ok := step.Probes[d.probe]; ok && d.high > 0 && d.value(p) >= d.high {
			texts = append(texts, fmt.Sprintf("%s was %s: %s", d.probe, quantity.Format(d.value(p), d.probe.Unit()), d.advice))
		}
	}
	return strings.Join(texts[:min(len(texts), mostDiagnostics)], "; ")
}
