package ui

import (
	"slices"

	"mabeam-top/internal/probes/probe"
)

// A figure is one number of the live screen.
type figure struct {
	name  string
	probe probe.Name
	unit  string
	// counter says that the probe only grows: its rate is drawn.
	counter bool
}

// figures are in the order of their importance: smaller screens show the
// first.
var figures = []figure{
	{name: "completed", probe: probe.CompletedPerSecond, unit: perSecond},
	{name: "p99", probe: probe.ActionP99MS, unit: millis},
	{name: "delivered", probe: probe.EventsDeliveredPerSecond, unit: perSecond},
	{name: "dropped", probe: probe.EventsDropped, unit: count, counter: true},
	{name: "heap", probe: probe.HeapBytes, unit: bytesUnit},
	{name: "goroutines", probe: probe.Goroutines, unit: count},
	{name: "offered", probe: probe.OfferedPerSecond, unit: perSecond},
	{name: "p50", probe: probe.ActionP50MS, unit: millis},
	{name: "published", probe: probe.EventsPublishedPerSecond, unit: perSecond},
	{name: "agents", probe: probe.Agents, unit: count},
	{name: "heap live", probe: probe.HeapLiveBytes, unit: bytesUnit},
	{name: "p95", probe: probe.ActionP95MS, unit: millis},
	{name: "backlog", probe: probe.MailboxDepth, unit: count},
	{name: "cpu", probe: probe.CPUPercent, unit: percent},
	{name: "resident", probe: probe.RSSBytes, unit: bytesUnit},
	{name: "stacks", probe: probe.StackBytes, unit: bytesUnit},
}

// runtimeFigures are those of the runtime tab, where it has no charts.
var runtimeFigures = []figure{
	{name: "scheduler", probe: probe.SchedLatencyP99MS, unit: millis},
	{name: "GC pause", probe: probe.GCPauseP99MS, unit: millis},
	{name: "cpu", probe: probe.CPUPercent, unit: percent},
	{name: "resident", probe: probe.RSSBytes, unit: bytesUnit},
	{name: "running", probe: probe.GoroutinesRunning, unit: count},
	{name: "runnable", probe: probe.GoroutinesRunnable, unit: count},
	{name: "waiting", probe: probe.GoroutinesWaiting, unit: count},
	{name: "threads", probe: probe.Threads, unit: count},
	{name: "allocated", probe: probe.AllocBytesPerSecond, unit: bytesPerSecond},
	{name: "GC cycles", probe: probe.GCCycles, unit: count, counter: true},
	{name: "GC share", probe: probe.GCCPURatio, unit: ratio},
	{name: "open files", probe: probe.OpenFiles, unit: count},
}

// value returns the reading of a figure at the moment shown; a dash where there
// is none.
func (l *live) value(f figure) string {
	v, ok := l.valueAt(f.probe, l.span().to)
	if !ok {
		return "-"
	}
	return reading(v, f.unit)
}

// drawFigures draws numbers in columns, with a small chart where there is room:
// exactly rows rows, each exactly width wide.
func (l *live) drawFigures(s *styles, list []figure, columns, width, rows int) []string {
	const nameWidth, valueWidth = 11, 9
	at := l.span()
	each := width / columns
	out := slices.Repeat([]string{spaces(width)}, max(rows, 0))
	for i := range out {
		row := ""
		for _, f := range list[min(i*columns, len(list)):min((i+1)*columns, len(list))] {
			text := " " + s.muted.on(s.pad(f.name, nameWidth)) + s.strong.on(s.padLeft(l.value(f), valueWidth))
			if room := each - nameWidth - valueWidth - 4; room >= 6 {
				points := l.shown.Points(f.probe, at.from)
				if f.counter {
					points = rates(points)
				}
				text += "  " + s.spark.on(s.sparkline(drawable(points), at, room))
			}
			row += s.pad(text, each)
		}
		out[i] = s.pad(row, width)
	}
	return out
}

// small draws the figures alone, for terminals under 80×24.
func (l *live) small(s *styles, width, height int) []string {
	list := figures
	if l.tab == runtimeTab {
		list = runtimeFigures
	}
	columns := max(width/30, 1)
	rows := min((len(list)+columns-1)/columns, height)
	out := l.drawFigures(s, list, columns, width, rows)
	if len(out) < height && l.tab == overviewTab {
		out = append(out, s.pad(" "+s.muted.on("verdicts   ")+tallyOf(l.verdicts.all).text(s), width))
	}
	return out
}
