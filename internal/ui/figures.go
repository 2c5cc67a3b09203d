package ui

import (
	"slices"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
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
	{name: "completed", probe: probe.CompletedPerSecond, unit: theme.PerSecond},
	{name: "p99", probe: probe.ActionP99MS, unit: theme.Millis},
	{name: "delivered", probe: probe.EventsDeliveredPerSecond, unit: theme.PerSecond},
	{name: "dropped", probe: probe.EventsDropped, unit: theme.Count, counter: true},
	{name: "heap", probe: probe.HeapBytes, unit: theme.Bytes},
	{name: "goroutines", probe: probe.Goroutines, unit: theme.Count},
	{name: "offered", probe: probe.OfferedPerSecond, unit: theme.PerSecond},
	{name: "p50", probe: probe.ActionP50MS, unit: theme.Millis},
	{name: "published", probe: probe.EventsPublishedPerSecond, unit: theme.PerSecond},
	{name: "agents", probe: probe.Agents, unit: theme.Count},
	{name: "heap live", probe: probe.HeapLiveBytes, unit: theme.Bytes},
	{name: "p95", probe: probe.ActionP95MS, unit: theme.Millis},
	{name: "backlog", probe: probe.MailboxDepth, unit: theme.Count},
	{name: "cpu", probe: probe.CPUPercent, unit: theme.Percent},
	{name: "resident", probe: probe.RSSBytes, unit: theme.Bytes},
	{name: "stacks", probe: probe.StackBytes, unit: theme.Bytes},
}

// runtimeFigures are those of the runtime tab, where it has no charts.
var runtimeFigures = []figure{
	{name: "scheduler", probe: probe.SchedLatencyP99MS, unit: theme.Millis},
	{name: "GC pause", probe: probe.GCPauseP99MS, unit: theme.Millis},
	{name: "cpu", probe: probe.CPUPercent, unit: theme.Percent},
	{name: "resident", probe: probe.RSSBytes, unit: theme.Bytes},
	{name: "running", probe: probe.GoroutinesRunning, unit: theme.Count},
	{name: "runnable", probe: probe.GoroutinesRunnable, unit: theme.Count},
	{name: "waiting", probe: probe.GoroutinesWaiting, unit: theme.Count},
	{name: "threads", probe: probe.Threads, unit: theme.Count},
	{name: "allocated", probe: probe.AllocBytesPerSecond, unit: theme.BytesPerSecond},
	{name: "GC cycles", probe: probe.GCCycles, unit: theme.Count, counter: true},
	{name: "GC share", probe: probe.GCCPURatio, unit: theme.Ratio},
	{name: "open files", probe: probe.OpenFiles, unit: theme.Count},
}

// value returns the reading of a figure at the moment shown; a dash where there
// is none.
func (l *live) value(f figure) string {
	v, ok := l.valueAt(f.probe, l.span().To)
	if !ok {
		return "-"
	}
	return theme.Number(v, f.unit)
}

// drawFigures draws numbers in columns, with a small chart where there is room:
// exactly rows rows, each exactly width wide.
func (l *live) drawFigures(s *theme.Theme, list []figure, columns, width, rows int) []string {
	const nameWidth, valueWidth = 11, 9
	at := l.span()
	each := width / columns
	out := slices.Repeat([]string{theme.Spaces(width)}, max(rows, 0))
	for i := range out {
		row := ""
		for _, f := range list[min(i*columns, len(list)):min((i+1)*columns, len(list))] {
			text := " " + s.Muted.Render(s.Pad(f.name, nameWidth)) + s.Strong.Render(s.PadLeft(l.value(f), valueWidth))
			if room := each - nameWidth - valueWidth - 4; room >= 6 {
				points := l.shown.Points(f.probe, at.From)
				if f.counter {
					points = rates(points)
				}
				text += "  " + s.Spark.Render(chart.Sparkline(s, drawable(points), at, room))
			}
			row += s.Pad(text, each)
		}
		out[i] = s.Pad(row, width)
	}
	return out
}

// small draws the figures alone, for terminals under 80×24.
func (l *live) small(s *theme.Theme, width, height int) []string {
	list := figures
	if l.tab == runtimeTab {
		list = runtimeFigures
	}
	columns := max(width/30, 1)
	rows := min((len(list)+columns-1)/columns, height)
	out := l.drawFigures(s, list, columns, width, rows)
	if len(out) < height && l.tab == overviewTab {
		out = append(out, s.Pad(" "+s.Muted.Render("verdicts   ")+tallyOf(l.verdicts.all).text(s), width))
	}
	return out
}
