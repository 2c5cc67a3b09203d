package live

import (
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/ui/theme"
)

// A chartPanel is one plot, or several over the same time.
type chartPanel struct {
	title    string
	sections []section
}

// A section is one plot of a chart panel.
type section struct {
	// title is empty for the first section of a panel.
	title string
	unit  string
	// log selects a logarithmic scale, unless the user wants a linear one.
	log   bool
	lines []line
	// collections marks garbage collections.
	collections bool
	// absent replaces the plot if no probe has values, and quiet if all values are
	// 0; empty to draw a line at 0.
	absent, quiet string
}

// A line is one probe in a plot.
type line struct {
	// short is the name where there is little room.
	name, short string
	probe       probe.Name
	filled      bool
	// faint is for a line that others are compared with.
	faint bool
	// problem is for a line that should be 0. It is drawn only where it is not.
	problem bool
	// counter is for a probe that only grows. The chart shows its rate and the
	// legend its total. If it is steady, the rate is that over a second, because
	// a sample has one count or none.
	counter, steady bool
}

// The numbers of the charts.
const (
	throughputChart = iota
	latencyChart
	memoryChart
	populationChart
	eventsChart
	backlogChart
	schedulerChart
	processorChart
	goroutinesChart
	machineChart
	allocationChart
	collectorChart
	chartCount
)

// charts are all charts, by their numbers.
var charts = [chartCount]chartPanel{
	throughputChart: {"Throughput", []section{{
		unit: theme.PerSecond, absent: "no operations measured in this step", quiet: "no operations yet in this step",
		lines: []line{
			{name: "completed", short: "done", probe: probe.CompletedPerSecond, filled: true},
			{name: "offered", short: "due", probe: probe.OfferedPerSecond, faint: true},
			{name: "failed", short: "fail", probe: probe.FailedPerSecond, problem: true},
		},
	}}},
	latencyChart: {"Latency", []section{{
		unit: theme.Millis, log: true, absent: "no latency measured in this step", quiet: "no operations yet in this step",
		lines: []line{
			{name: "p99", short: "p99", probe: probe.ActionP99MS},
			{name: "p95", short: "p95", probe: probe.ActionP95MS},
			{name: "p50", short: "p50", probe: probe.ActionP50MS},
		},
	}}},
	memoryChart: {"Memory", []section{{
		unit: theme.Bytes, collections: true, absent: "memory not available on this system",
		lines: []line{
			{name: "heap", short: "heap", probe: probe.HeapBytes, filled: true},
			{name: "live after GC", short: "live", probe: probe.HeapLiveBytes},
			{name: "stacks", short: "stack", probe: probe.StackBytes},
		},
	}}},
	populationChart: {"Goroutines", []section{
		{unit: theme.Count, absent: "goroutines not available on this system", lines: []line{{name: "goroutines", short: "gor", probe: probe.Goroutines, filled: true}}},
		{title: "Agents", unit: theme.Count, absent: "no agents in this step", quiet: "no agents in this step", lines: []line{
			{name: "agents", short: "agents", probe: probe.Agents, filled: true},
			{name: "crashed", short: "crash", probe: probe.AgentsCrashed, problem: true, counter: true},
		}},
	}},
	eventsChart: {"Events", []section{{
		unit: theme.PerSecond, absent: "no events measured in this step", quiet: "no events in this step",
		lines: []line{
			{name: "delivered", short: "deliv", probe: probe.EventsDeliveredPerSecond, filled: true},
			{name: "published", short: "publ", probe: probe.EventsPublishedPerSecond},
			{name: "dropped", short: "drop", probe: probe.EventsDropped, problem: true, counter: true},
		},
	}}},
	backlogChart: {"Mailbox backlog", []section{{
		unit: theme.Count, absent: "no mailboxes in this step", quiet: "no messages queued",
		lines: []line{
			{name: "all mailboxes", short: "all", probe: probe.MailboxDepth, filled: true},
			{name: "deepest", short: "deepest", probe: probe.MailboxDepthMax},
		},
	}}},
	schedulerChart: {"Scheduler", []section{{
		unit: theme.Millis, log: true, absent: "scheduler latency not available on this system", quiet: "no scheduler latency",
		lines: []line{
			{name: "latency p99", short: "p99", probe: probe.SchedLatencyP99MS},
			{name: "p50", short: "p50", probe: probe.SchedLatencyP50MS},
			{name: "GC pause p99", short: "GC", probe: probe.GCPauseP99MS},
		},
	}}},
	processorChart: {"CPU", []section{
		{unit: theme.Percent, absent: "CPU time not available on this system", lines: []line{
			{name: "of one core", short: "cpu", probe: probe.CPUPercent, filled: true},
		}},
		{title: "Resident memory", unit: theme.Bytes, absent: "resident memory not available on this system", lines: []line{
			{name: "resident", short: "rss", probe: probe.RSSBytes, filled: true},
		}},
	}},
	goroutinesChart: {"Goroutine states", []section{
		{unit: theme.Count, absent: "goroutines not available on this system", lines: []line{
			{name: "running", short: "run", probe: probe.GoroutinesRunning},
			{name: "runnable", short: "ready", probe: probe.GoroutinesRunnable},
			{name: "waiting", short: "wait", probe: probe.GoroutinesWaiting, filled: true},
		}},
		{title: "Threads", unit: theme.Count, absent: "threads not available on this system", lines: []line{{name: "threads", short: "thr", probe: probe.Threads, filled: true}}},
	}},
	machineChart: {"Machine", []section{
		{unit: theme.Percent, absent: "machine not available on this system", lines: []line{
			{name: "CPU of all cores", short: "cpu", probe: probe.HostCPUPercent, filled: true},
			{name: "memory", short: "mem", probe: probe.HostMemoryPercent},
		}},
		{title: "Open files", unit: theme.Count, absent: "open files not available on this system", lines: []line{{name: "open files", short: "files", probe: probe.OpenFiles, filled: true}}},
	}},
	allocationChart: {"Allocation per second", []section{{
		unit: theme.BytesPerSecond, absent: "allocation not available on this system", quiet: "no allocation",
		lines: []line{{name: "heap", short: "heap", probe: probe.AllocBytesPerSecond, filled: true}},
	}}},
	collectorChart: {"Garbage collector", []section{
		{unit: theme.PerSecond, absent: "garbage collector not available on this system", quiet: "no garbage collections", lines: []line{{name: "cycles", short: "cycles", probe: probe.GCCycles, counter: true, steady: true, filled: true}}},
		{title: "Share of CPU", unit: theme.Ratio, absent: "no garbage collections", quiet: "no garbage collections", lines: []line{{name: "GC", short: "GC", probe: probe.GCCPURatio, filled: true}}},
	}},
}

// A chartPlace is where a probe is drawn.
type chartPlace struct {
	chart int
	unit  string
	// extra is true for a probe that is drawn only because it has a limit.
	extra bool
}

// placeOf returns where a probe is drawn. A probe that has a limit but no line of
// its own is drawn with the probes of its unit.
func placeOf(name probe.Name) chartPlace {
	for i, c := range charts {
		for _, section := range c.sections {
			for _, line := range section.lines {
				if line.probe == name {
					return chartPlace{i, section.unit, false}
				}
			}
		}
	}
	for _, place := range []struct {
		suffix string
		chartPlace
	}{
		{"_per_second", chartPlace{throughputChart, theme.PerSecond, true}},
		{"_ms", chartPlace{latencyChart, theme.Millis, true}},
		{"_bytes", chartPlace{memoryChart, theme.Bytes, true}},
		{"_percent", chartPlace{processorChart, theme.Percent, true}},
		{"_ratio", chartPlace{collectorChart, theme.Ratio, true}},
		{"_seconds", chartPlace{chart: -1, extra: true}}, // no chart has this unit
	} {
		if strings.HasSuffix(string(name), place.suffix) {
			return place.chartPlace
		}
	}
	return chartPlace{populationChart, theme.Count, true}
}
