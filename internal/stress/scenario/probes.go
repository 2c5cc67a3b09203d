package scenario

import "strings"

// medianLatency is the probe of the median latency of the load's operations.
const MedianLatency = "action_p50_ms"

// latencyProbes show the statistics of a distribution whose median
// medianLatency shows.
var latencyProbes = map[string]string{
	"p50": MedianLatency, "p95": "action_p95_ms", "p99": "action_p99_ms",
}

// shownBy returns the probe that shows the metric, or the statistic of it that
// the name NAME.STAT asks for; empty if none does.
func (m Metric) ProbeFor(name string) string {
	stat, dotted := strings.CutPrefix(name, m.Name+".")
	switch {
	case !dotted:
		return m.Probe
	case m.Probe == MedianLatency:
		return latencyProbes[stat]
	}
	return ""
}

// Probes that a step has of its own, also beside other steps.
const (
	OfferedRate   = "offered_per_second"
	CompletedRate = "completed_per_second"
	FailedRate    = "failed_per_second"
	// These it has if its measurement supplies them.
	DeliveredRate = "events_delivered_per_second"
	EventsDropped = "events_dropped"
)

// ownProbes are all of those.
var StepProbes = []string{OfferedRate, CompletedRate, FailedRate, DeliveredRate, EventsDropped}
