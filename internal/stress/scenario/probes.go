package scenario

import "strings"

// MedianLatency is the probe of the median latency of the operations of the load.
const MedianLatency = "action_p50_ms"

// latencyProbes are the probes of the statistics of a distribution whose median is
// MedianLatency.
var latencyProbes = map[string]string{
	"p50": MedianLatency, "p95": "action_p95_ms", "p99": "action_p99_ms",
}

// ProbeFor returns the probe that shows the metric, or its statistic for a name
// NAME.STAT; empty if there is none.
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

// The probes that each step has of its own, also in parallel with other steps.
const (
	OfferedRate   = "offered_per_second"
	CompletedRate = "completed_per_second"
	FailedRate    = "failed_per_second"
	// A step has these if its measurement supplies them.
	DeliveredRate = "events_delivered_per_second"
	EventsDropped = "events_dropped"
)

// StepProbes are the probes that each step has of its own.
var StepProbes = []string{OfferedRate, CompletedRate, FailedRate, DeliveredRate, EventsDropped}
