package ui

import "slices"

// A figure is one number of the live screen.
type figure struct {
	name, probe, unit string
	// counter says that the probe only grows: its rate is drawn.
	counter bool
}

// figures are in the order of their importance: smaller screens show the
// first.
var figures = []figure{
	{name: "completed", probe: "completed_per_second", unit: perSecond},
	{name: "p99", probe: "action_p99_ms", unit: millis},
	{name: "delivered", probe: "events_delivered_per_second", unit: perSecond},
	{name: "dropped", probe: "events_dropped", unit: count, counter: true},
	{name: "heap", probe: "heap_bytes", unit: bytesUnit},
	{name: "goroutines", probe: "goroutines", unit: count},
	{name: "offered", probe: "offered_per_second", unit: perSecond},
	{name: "p50", probe: "action_p50_ms", unit: millis},
	{name: "published", probe: "events_published_per_second", unit: perSecond},
	{name: "agents", probe: "agents", unit: count},
	{name: "heap live", probe: "heap_live_bytes", unit: bytesUnit},
	{name: "p95", probe: "action_p95_ms", unit: millis},
	{name: "backlog", probe: "mailbox_depth", unit: count},
	{name: "cpu", probe: "cpu_percent", unit: percent},
	{name: "resident", probe: "rss_bytes", unit: bytesUnit},
	{name: "stacks", probe: "stack_bytes", unit: bytesUnit},
}

// runtimeFigures are those of the runtime tab, where it has no charts.
var runtimeFigures = []figure{
	{name: "scheduler", probe: "sched_latency_p99_ms", unit: millis},
	{name: "GC pause", probe: "gc_pause_p99_ms", unit: millis},
	{name: "cpu", probe: "cpu_percent", unit: percent},
	{name: "resident", probe: "rss_bytes", unit: bytesUnit},
	{name: "running", probe: "goroutines_running", unit: count},
	{name: "runnable", probe: "goroutines_runnable", unit: count},
	{name: "waiting", probe: "goroutines_waiting", unit: count},
	{name: "threads", probe: "threads", unit: count},
	{name: "allocated", probe: "alloc_bytes_per_second", unit: bytesPerSecond},
	{name: "GC cycles", probe: "gc_cycles", unit: count, counter: true},
	{name: "GC share", probe: "gc_cpu_ratio", unit: ratio},
	{name: "open files", probe: "open_files", unit: count},
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
