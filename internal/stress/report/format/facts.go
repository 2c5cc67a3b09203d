package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// steeredManually says that somebody changed the load while the step ran.
const steeredManually = "steered manually"

// stepFacts say what a step measured, and how.
func stepFacts(s report.Step) []string {
	facts := []string{s.Measurement}
	if s.Steered { // first: narrow pages cut the rest
		facts = append(facts, steeredManually)
	}
	if repetitions := s.RepetitionCount(); repetitions > 1 && !s.Partial() {
		facts = append(facts, strconv.Itoa(repetitions)+" repetitions")
	}
	if s.Isolated {
		facts = append(facts, "child process")
	}
	return facts
}

// partialMetrics says how many repetitions the metrics of an unfinished step come from.
func partialMetrics(s report.Step) string { return "metrics from " + s.Repetitions.Text() }

func operations(o report.Operations) string {
	n := func(v int64) string { return quantity.Count(float64(v)) }
	return fmt.Sprintf("%s attempted: %s succeeded, %s failed, %s dropped", n(o.Attempted), n(o.Succeeded), n(o.Failed), n(o.Dropped))
}

// peakProbes are the probes that show best how near the machine came to its limits.
var peakProbes = []struct {
	name        probe.Name
	label, unit string
}{
	{probe.HostCPUPercent, "host CPU", "%"},
	{probe.CPUPercent, "process CPU", "% of one core"},
	{probe.HeapBytes, "heap", "bytes"},
	{probe.RSSBytes, "RSS", "bytes"},
	{probe.Goroutines, "goroutines", "count"},
	{probe.GCPauseP99MS, "GC pause p99", "ms"},
	{probe.GeneratorLagMS, "generator lag", "ms"},
}

// peaks lists the maxima of peakProbes.
func peaks(probes map[probe.Name]report.Probe) string {
	var texts []string
	for _, p := range peakProbes {
		peak, ok := probes[p.name]
		switch {
		case !ok:
		case strings.HasPrefix(p.unit, "%"):
			texts = append(texts, p.label+" "+quantity.Number(peak.Max)+" "+p.unit)
		default:
			texts = append(texts, p.label+" "+quantity.Format(peak.Max, p.unit))
		}
	}
	return strings.Join(texts, ", ")
}

// A fact is a named text.
type fact struct{ Name, Text string }

// environment lists the facts that are needed to repeat a run. It leaves out what a run
// that died early did not say.
func environment(r report.Report) []fact {
	var facts []fact
	if r.Host != (report.Host{}) {
		facts = append(facts, fact{"host", machine(r.Host)})
	}
	run := r.ID
	if !r.StartedAt.IsZero() {
		run += " at " + r.StartedAt.UTC().Format(time.RFC3339)
	}
	facts = append(facts, fact{"run", join(", ", run, fmt.Sprintf("seed %d", r.Seed))})
	if r.Tool != (report.Tool{}) {
		facts = append(facts, fact{"version", build(r.Tool)})
	}
	return facts
}

func build(t report.Tool) string {
	text := "mabeam-top " + t.Version
	if t.Commit != "" {
		text += " (" + t.Commit[:min(12, len(t.Commit))] + ")"
	}
	return join(", ", text, t.Go)
}

func machine(h report.Host) string {
	cpus := fmt.Sprintf("%d CPUs", h.CPUs)
	if h.GOMAXPROCS != h.CPUs {
		cpus += fmt.Sprintf(" (GOMAXPROCS %d)", h.GOMAXPROCS)
	}
	memory := quantity.Format(float64(h.MemoryBytes), "bytes") + " memory"
	if h.CgroupMemoryBytes != nil {
		memory += " (limited to " + quantity.Format(float64(*h.CgroupMemoryBytes), "bytes") + ")"
	}
	if h.GOMemLimit > 0 && h.GOMemLimit < math.MaxInt64 {
		memory += ", GOMEMLIMIT " + quantity.Format(float64(h.GOMemLimit), "bytes")
	}
	kernel := ""
	if h.Kernel != "" {
		kernel = "kernel " + h.Kernel
	}
	return join(", ", h.OS+"/"+h.Arch, h.CPUModel, cpus, memory, kernel)
}

// scoreLine is the score of a run and how long it took.
func scoreLine(r report.Report) string {
	return fmt.Sprintf("score %s, grade %s, took %s", quantity.Number(r.Score), r.Grade, quantity.Format(r.DurationSeconds, "s"))
}
