package scenario

import (
	"strings"

	"mabeam-top/internal/probes/probe"
)

// MedianLatency is the probe of the median latency of the operations of the load.
const MedianLatency = probe.ActionP50MS

// latencyProbes are the probes of the statistics of a distribution whose median is
// MedianLatency.
var latencyProbes = map[string]probe.Name{
	"p50": MedianLatency, "p95": probe.ActionP95MS, "p99": probe.ActionP99MS,
}

// ProbeFor returns the probe that shows the metric, or its statistic for a name
// NAME.STAT; empty if there is none.
func (m Metric) ProbeFor(name string) probe.Name {
	stat, dotted := strings.CutPrefix(name, m.Name+".")
	switch {
	case !dotted:
		return m.Probe
	case m.Probe == MedianLatency:
		return latencyProbes[stat]
	}
	return ""
}

// StepProbes are the probes that each step has of its own, also in parallel with other
// steps. It has those of events if its measurement supplies them.
var StepProbes = []probe.Name{
	probe.OfferedPerSecond, probe.CompletedPerSecond, probe.FailedPerSecond,
	probe.EventsDeliveredPerSecond, probe.EventsDropped,
}
