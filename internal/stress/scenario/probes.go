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

// The probes that each step has of its own, also in parallel with other steps.
const (
	OfferedRate   = probe.OfferedPerSecond
	CompletedRate = probe.CompletedPerSecond
	FailedRate    = probe.FailedPerSecond
	// A step has these if its measurement supplies them.
	DeliveredRate = probe.EventsDeliveredPerSecond
	EventsDropped = probe.EventsDropped
)

// StepProbes are the probes that each step has of its own.
var StepProbes = []probe.Name{OfferedRate, CompletedRate, FailedRate, DeliveredRate, EventsDropped}
