package session

import (
	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/ui/theme"
)

// A Figure is a probe that is shown as one number.
type Figure struct {
	Name  string
	Probe probe.Name
	Unit  string
	// Counter is true if the probe only grows. Its chart shows the rate.
	Counter bool
}

// Figures are the most important probes, in order.
var Figures = []Figure{
	{Name: "completed", Probe: probe.CompletedPerSecond, Unit: theme.PerSecond},
	{Name: "p99", Probe: probe.ActionP99MS, Unit: theme.Millis},
	{Name: "delivered", Probe: probe.EventsDeliveredPerSecond, Unit: theme.PerSecond},
	{Name: "dropped", Probe: probe.EventsDropped, Unit: theme.Count, Counter: true},
	{Name: "heap", Probe: probe.HeapBytes, Unit: theme.Bytes},
	{Name: "goroutines", Probe: probe.Goroutines, Unit: theme.Count},
	{Name: "offered", Probe: probe.OfferedPerSecond, Unit: theme.PerSecond},
	{Name: "p50", Probe: probe.ActionP50MS, Unit: theme.Millis},
	{Name: "published", Probe: probe.EventsPublishedPerSecond, Unit: theme.PerSecond},
	{Name: "agents", Probe: probe.Agents, Unit: theme.Count},
	{Name: "heap live", Probe: probe.HeapLiveBytes, Unit: theme.Bytes},
	{Name: "p95", Probe: probe.ActionP95MS, Unit: theme.Millis},
	{Name: "backlog", Probe: probe.MailboxDepth, Unit: theme.Count},
	{Name: "cpu", Probe: probe.CPUPercent, Unit: theme.Percent},
	{Name: "resident", Probe: probe.RSSBytes, Unit: theme.Bytes},
	{Name: "stacks", Probe: probe.StackBytes, Unit: theme.Bytes},
}

// RuntimeFigures are the probes of the Go runtime and the process.
var RuntimeFigures = []Figure{
	{Name: "scheduler", Probe: probe.SchedLatencyP99MS, Unit: theme.Millis},
	{Name: "GC pause", Probe: probe.GCPauseP99MS, Unit: theme.Millis},
	{Name: "cpu", Probe: probe.CPUPercent, Unit: theme.Percent},
	{Name: "resident", Probe: probe.RSSBytes, Unit: theme.Bytes},
	{Name: "running", Probe: probe.GoroutinesRunning, Unit: theme.Count},
	{Name: "runnable", Probe: probe.GoroutinesRunnable, Unit: theme.Count},
	{Name: "waiting", Probe: probe.GoroutinesWaiting, Unit: theme.Count},
	{Name: "threads", Probe: probe.Threads, Unit: theme.Count},
	{Name: "allocated", Probe: probe.AllocBytesPerSecond, Unit: theme.BytesPerSecond},
	{Name: "GC cycles", Probe: probe.GCCycles, Unit: theme.Count, Counter: true},
	{Name: "GC share", Probe: probe.GCCPURatio, Unit: theme.Ratio},
	{Name: "open files", Probe: probe.OpenFiles, Unit: theme.Count},
}
