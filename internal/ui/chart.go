package ui

import (
	"cmp"
	"slices"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A chartPanel is one panel of the live screen: one plot, or several over the same
// time.
type chartPanel struct {
	title    string
	sections []section
}

// A section is one plot of a chart.
type section struct {
	// title is what the plot is called where it shares a chart.
	title string
	unit  string
	// log says that the scale is logarithmic, unless the reader asks for a
	// linear one.
	log   bool
	lines []line
	// collections says that garbage collections are marked.
	collections bool
	// absent says why there is nothing to see when none of the probes was
	// read, and quiet when all of them are 0; empty if 0 needs no word.
	absent, quiet string
}

// A line is one probe in a plot.
type line struct {
	// short is the name where there is little room.
	name, short string
	probe       probe.Name
	filled      bool
	// faint says that it is what another is compared with.
	faint bool
	// trouble says that any of it is too much: it is seen only then.
	trouble bool
	// counter says that the probe only grows: its rate is drawn, its total
	// told. Of one that is steady the rate is that over the last second, because
	// a sample sees one step or none.
	counter, steady bool
}

// The numbers of the charts that limits are drawn in though no line of theirs
// is, and of those that are on more than one tab.
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

// charts are all charts, in the order in which they are shown.
var charts = [chartCount]chartPanel{
	throughputChart: {"Throughput", []section{{
		unit: theme.PerSecond, absent: "no operations measured in this step", quiet: "no operations yet in this step",
		lines: []line{
			{name: "completed", short: "done", probe: probe.CompletedPerSecond, filled: true},
			{name: "offered", short: "due", probe: probe.OfferedPerSecond, faint: true},
			{name: "failed", short: "fail", probe: probe.FailedPerSecond, trouble: true},
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
		unit: theme.Bytes, collections: true, absent: "memory cannot be read here",
		lines: []line{
			{name: "heap", short: "heap", probe: probe.HeapBytes, filled: true},
			{name: "live after GC", short: "live", probe: probe.HeapLiveBytes},
			{name: "stacks", short: "stack", probe: probe.StackBytes},
		},
	}}},
	populationChart: {"Goroutines", []section{
		{unit: theme.Count, absent: "goroutines cannot be read here", lines: []line{{name: "goroutines", short: "gor", probe: probe.Goroutines, filled: true}}},
		{title: "Agents", unit: theme.Count, absent: "no agents in this step", quiet: "no agents in this step", lines: []line{
			{name: "agents", short: "agents", probe: probe.Agents, filled: true},
			{name: "crashed", short: "crash", probe: probe.AgentsCrashed, trouble: true, counter: true},
		}},
	}},
	eventsChart: {"Events", []section{{
		unit: theme.PerSecond, absent: "no events measured in this step", quiet: "no events in this step",
		lines: []line{
			{name: "delivered", short: "deliv", probe: probe.EventsDeliveredPerSecond, filled: true},
			{name: "published", short: "publ", probe: probe.EventsPublishedPerSecond},
			{name: "dropped", short: "drop", probe: probe.EventsDropped, trouble: true, counter: true},
		},
	}}},
	backlogChart: {"Mailbox backlog", []section{{
		unit: theme.Count, absent: "no mailboxes in this step", quiet: "no messages wait",
		lines: []line{
			{name: "all mailboxes", short: "all", probe: probe.MailboxDepth, filled: true},
			{name: "deepest", short: "deepest", probe: probe.MailboxDepthMax},
		},
	}}},
	schedulerChart: {"Scheduler", []section{{
		unit: theme.Millis, log: true, absent: "the scheduler cannot be read here", quiet: "no goroutine waited for a processor",
		lines: []line{
			{name: "latency p99", short: "p99", probe: probe.SchedLatencyP99MS},
			{name: "p50", short: "p50", probe: probe.SchedLatencyP50MS},
			{name: "GC pause p99", short: "GC", probe: probe.GCPauseP99MS},
		},
	}}},
	processorChart: {"CPU", []section{
		{unit: theme.Percent, absent: "the processor time cannot be read here", lines: []line{
			{name: "of one core", short: "cpu", probe: probe.CPUPercent, filled: true},
		}},
		{title: "Resident memory", unit: theme.Bytes, absent: "the memory of the process cannot be read here", lines: []line{
			{name: "resident", short: "rss", probe: probe.RSSBytes, filled: true},
		}},
	}},
	goroutinesChart: {"Goroutine states", []section{
		{unit: theme.Count, absent: "goroutines cannot be read here", lines: []line{
			{name: "running", short: "run", probe: probe.GoroutinesRunning},
			{name: "runnable", short: "ready", probe: probe.GoroutinesRunnable},
			{name: "waiting", short: "wait", probe: probe.GoroutinesWaiting, filled: true},
		}},
		{title: "Threads", unit: theme.Count, absent: "threads cannot be read here", lines: []line{{name: "threads", short: "thr", probe: probe.Threads, filled: true}}},
	}},
	machineChart: {"Machine", []section{
		{unit: theme.Percent, absent: "the machine cannot be read here", lines: []line{
			{name: "CPU of all cores", short: "cpu", probe: probe.HostCPUPercent, filled: true},
			{name: "memory", short: "mem", probe: probe.HostMemoryPercent},
		}},
		{title: "Open files", unit: theme.Count, absent: "open files cannot be read here", lines: []line{{name: "open files", short: "files", probe: probe.OpenFiles, filled: true}}},
	}},
	allocationChart: {"Allocation per second", []section{{
		unit: theme.BytesPerSecond, absent: "allocation cannot be read here", quiet: "nothing is allocated",
		lines: []line{{name: "heap", short: "heap", probe: probe.AllocBytesPerSecond, filled: true}},
	}}},
	collectorChart: {"Garbage collector", []section{
		{unit: theme.PerSecond, absent: "the garbage collector cannot be read here", quiet: "no collections", lines: []line{{name: "cycles", short: "cycles", probe: probe.GCCycles, counter: true, steady: true, filled: true}}},
		{title: "Share of CPU", unit: theme.Ratio, absent: "no collections", quiet: "no collections", lines: []line{{name: "GC", short: "GC", probe: probe.GCCPURatio, filled: true}}},
	}},
}

// A legendItem names a line and tells its value at the moment shown.
type legendItem struct {
	mark               string
	name, short, value string
}

// drawChart draws a chart with its legend in the upper border and the time in
// the lower one.
func (l *live) drawChart(s *theme.Theme, number, width, height int, focused bool) []string {
	c, at := charts[number], l.span()
	inner := height - 2
	var stats []string
	if l.expanded {
		stats = l.statistics(s, c, at, width-2)
		stats = stats[:min(len(stats), max(inner-8, 0))]
		inner -= len(stats)
	}
	tall := sectionHeights(len(c.sections), inner)
	title := s.Strong.Render(c.title)
	if c.sections[0].log {
		title += s.Muted.Render(" " + scaleName(l.linear))
	}
	uprights := l.uprights(s, at)
	var rows []string
	notes := ""
	for i, section := range c.sections[:len(tall)] {
		drawn, legend := l.plot(s, section, number, at)
		if i == 0 {
			notes = legendText(s, legend, width-theme.Width(title)-9)
		} else {
			text := legendText(s, legend, width-len(section.title)-11)
			rows = append(rows, widget.Heading(s, s.Strong.Render(section.title), text, width-2))
		}
		rows = append(rows, drawn.Draw(s, at, uprights, width-2, tall[i])...)
	}
	rows = append(rows, stats...)
	return widget.Panel{Title: title, Notes: notes, Rows: rows, Bottom: chart.TimeAxis(s, at, l.axisMarks(at), !l.zoom.Fixed && !l.frozen, width, focused), Focused: focused}.Draw(s, width, height)
}

func scaleName(linear bool) string {
	if linear {
		return "linear"
	}
	return "log"
}

// sectionHeights shares the rows of a chart: the first section gets what the
// others leave it, which each have a line for the title, as long as there is
// room to see anything.
func sectionHeights(sections, height int) []int {
	tall := []int{height}
	for range sections - 1 {
		if h := (height - 1) * 2 / 5; h >= 2 {
			tall = append(tall, h)
			tall[0] -= h + 1
		}
	}
	return tall
}

// plot gathers what a section shows of the snapshot.
func (l *live) plot(s *theme.Theme, c section, number int, at chart.Span) (chart.Plot, []legendItem) {
	p := chart.Plot{Unit: c.unit, Log: c.log && !l.linear, Empty: c.absent}
	limits := l.limits(at.To)
	lines := slices.Clone(c.lines)
	for probe := range limits {
		if home := placeOf(probe); home.chart == number && home.unit == c.unit && home.extra {
			lines = append(lines, line{name: strings.TrimSuffix(strings.TrimSuffix(string(probe), "_per_second"), "_"+home.unit), probe: probe})
		}
	}
	slices.SortStableFunc(lines[len(c.lines):], func(a, b line) int { return cmp.Compare(a.name, b.name) })
	lines = lines[:min(len(lines), theme.MaxLines)]
	var legend []legendItem
	quiet, coloured := true, 0
	for _, line := range lines {
		look, mark := lookOf(s, line, coloured)
		if !line.faint && !line.trouble {
			coloured++
		}
		points := l.points(line, at)
		if line.trouble {
			points = slices.DeleteFunc(points, func(p fold.Point) bool { return p.V <= 0 })
		}
		if len(points) == 0 {
			continue
		}
		quiet = quiet && !slices.ContainsFunc(points, func(p fold.Point) bool { return p.V > 0 })
		item := legendItem{mark: mark, name: line.name, short: cmp.Or(line.short, line.name)}
		if v, ok := l.valueAt(line.probe, at.To); ok {
			item.value = theme.Number(v, c.unit)
			if line.counter {
				item.value = theme.Number(v, theme.Count)
			}
		}
		legend = append(legend, item)
		p.Series = append(p.Series, chart.Series{Points: points, Filled: line.filled || line.trouble, Style: look})
		for _, limit := range limits[line.probe] {
			value := limit.Value * cmp.Or(limit.ProbeScale, 1)
			p.Limits = append(p.Limits, chart.Limit{Value: value, Label: limitLabel(line.name, limit, len(limits[line.probe]) > 1)})
		}
	}
	if c.collections {
		p.Ticks = l.collections(at)
	}
	switch {
	case l.shown.Len() == 0:
		p.Empty = "waiting for the first sample"
	case !p.HasPoints() && l.shown.Since(at.From) == 0:
		p.Empty = "no samples at that time"
	case quiet && c.quiet != "" && p.HasPoints():
		p.Empty, p.Series = c.quiet, nil
	}
	return p, legend
}

// lookOf returns how a line is drawn if it is the nth that has a colour of its
// own, and what stands for it in a legend.
func lookOf(s *theme.Theme, l line, n int) (chart.LineStyle, string) {
	switch {
	case l.trouble:
		return chart.LineStyle{Line: s.Fail, Fill: s.Fail, Letter: '!', Pattern: chart.Solid}, s.Fail.Render(s.Legend[0])
	case l.faint:
		return chart.LineStyle{Line: s.Muted, Fill: s.Faint, Letter: '.', Pattern: chart.Sparse}, s.Muted.Render(s.Legend[chart.Sparse])
	}
	n = min(n, theme.MaxLines-1)
	mark := s.Legend[0]
	if s.Colorless {
		mark = s.Legend[n]
	}
	return chart.LineStyle{Line: s.Lines[n], Fill: s.Fills[n], Letter: []rune(s.Legend[n])[0], Pattern: n}, s.Lines[n].Render(mark)
}

// points returns what is drawn of a line.
func (l *live) points(line line, at chart.Span) []fold.Point {
	points := l.shown.Points(line.probe, at.From)
	switch {
	case line.steady:
		points = ratesOver(points, 1)
	case line.counter:
		points = rates(points)
	}
	return drawable(points)
}

// collections returns when garbage collections were found to have finished.
func (l *live) collections(at chart.Span) []float64 {
	var out []float64
	for _, p := range rates(l.shown.Points(probe.GCCycles, at.From)) {
		if p.V > 0 {
			out = append(out, p.T)
		}
	}
	return out
}

// valueAt returns the reading of a probe at a time: the last before it, if that
// is not long ago. Some probes are not in every sample.
func (l *live) valueAt(probe probe.Name, t float64) (float64, bool) {
	const patience = 1 // second
	for sample := range l.shown.Backward(t - patience) {
		if sample.T > t {
			continue
		}
		if v, ok := sample.Value(probe); ok {
			return v, true
		}
	}
	return 0, false
}

// limits returns the limits of the steps that ran at a time, by their probe.
func (l *live) limits(t float64) map[probe.Name][]stream.Limit {
	out := map[probe.Name][]stream.Limit{}
	for _, step := range l.stepsAt(t) {
		for _, limit := range step.Step.Limits {
			if limit.Probe != "" {
				out[limit.Probe] = append(out[limit.Probe], limit)
			}
		}
	}
	return out
}

// stepsAt returns the steps that ran at a time. Now it is known which of them
// have their turn.
func (l *live) stepsAt(t float64) []fold.StepState {
	if t >= l.shown.T {
		return l.shown.Active()
	}
	var out []fold.StepState
	for _, step := range l.shown.Steps {
		if step.StartedAt <= t && (step.Result == nil || t <= step.FinishedAt) {
			out = append(out, step)
		}
	}
	return out
}

// limitLabel is what is written on the line of a limit: a threshold with the
// name of the line it is for, a baseline with that of its metric where there are
// several.
func limitLabel(name string, l stream.Limit, several bool) string {
	switch {
	case l.Source == stream.SourceThreshold:
		return name + " " + limitText(l)
	case several:
		return theme.Clean(l.Metric) + " " + report.Quantity(l.Value, l.Unit)
	default:
		return "baseline " + report.Quantity(l.Value, l.Unit)
	}
}

// A chartPlace is where in the charts a probe is drawn.
type chartPlace struct {
	chart int
	unit  string
	// extra says that it is drawn only because a limit is on it.
	extra bool
}

// placeOf finds the chart of a probe by its name: a probe that no chart has of
// its own is drawn, if a step has a limit on it, with those of its unit.
func placeOf(probe probe.Name) chartPlace {
	for i, c := range charts {
		for _, section := range c.sections {
			for _, line := range section.lines {
				if line.probe == probe {
					return chartPlace{i, section.unit, false}
				}
			}
		}
	}
	switch {
	case strings.HasSuffix(string(probe), "_per_second"):
		return chartPlace{throughputChart, theme.PerSecond, true}
	case strings.HasSuffix(string(probe), "_ms"):
		return chartPlace{latencyChart, theme.Millis, true}
	case strings.HasSuffix(string(probe), "_bytes"):
		return chartPlace{memoryChart, theme.Bytes, true}
	case strings.HasSuffix(string(probe), "_percent"):
		return chartPlace{processorChart, theme.Percent, true}
	case strings.HasSuffix(string(probe), "_ratio"):
		return chartPlace{collectorChart, theme.Ratio, true}
	case strings.HasSuffix(string(probe), "_seconds"):
		return chartPlace{chart: -1, extra: true} // no chart has their unit
	default:
		return chartPlace{populationChart, theme.Count, true}
	}
}

// drawable bounds values so that no arithmetic of a chart can overflow.
func drawable(points []fold.Point) []fold.Point {
	const most = 1e18
	for i := range points {
		points[i].V = min(max(points[i].V, 0), most)
	}
	return points
}

// rates turns readings of a counter into its growth per second from each to the
// next. A counter that fell is one of a fresh system, which began at 0.
func rates(points []fold.Point) []fold.Point { return ratesOver(points, 0) }

// ratesOver is rates, but over at least so many seconds.
func ratesOver(points []fold.Point, atLeast float64) []fold.Point {
	var out []fold.Point
	from := 0
	for i := 1; i < len(points); i++ {
		for from+1 < i && points[i].T-points[from+1].T >= atLeast-1e-9 {
			from++
		}
		if points[i].V < points[i-1].V {
			from = i - 1
		}
		grown, seconds := points[i].V-points[from].V, points[i].T-points[from].T
		if grown < 0 {
			grown = points[i].V
		}
		if seconds > 0 && seconds >= atLeast-1e-9 {
			out = append(out, fold.Point{T: points[i].T, V: grown / seconds})
		}
	}
	return out
}

// legendText writes the items in a width: all they are, or shorter, or fewer.
func legendText(s *theme.Theme, items []legendItem, width int) string {
	for n := len(items); n > 0; n-- {
		for _, how := range []struct {
			gap           string
			noUnit, short bool
		}{{"  ", false, false}, {"  ", true, false}, {"  ", true, true}, {" ", true, true}} {
			parts := make([]string, n)
			for i, item := range items[:n] {
				name, value := item.name, item.value
				if how.noUnit {
					value = strings.TrimSuffix(value, "/s")
				}
				if how.short {
					name = item.short
				}
				parts[i] = strings.TrimSpace(item.mark + " " + s.Muted.Render(name) + " " + s.Strong.Render(value))
			}
			if text := strings.Join(parts, how.gap); theme.Width(text) <= width {
				return text
			}
		}
	}
	return ""
}

// statistics tells of each line of a chart what its values were in the time
// shown, and when the highest was.
func (l *live) statistics(s *theme.Theme, c chartPanel, at chart.Span, width int) []string {
	const nameWidth, columnWidth = 16, 11
	head := " " + s.Pad("", nameWidth)
	moment := "now"
	if l.zoom.Fixed || l.frozen {
		moment = "at " + theme.ClockTenths(at.To)
	}
	for _, title := range []string{moment, "lowest", "mean", "highest", "highest at"} {
		head += s.PadLeft(title, columnWidth+2)
	}
	rows := []string{widget.Heading(s, s.Strong.Render("In these "+chart.SpanText(at.Length())), "", width), s.Muted.Render(s.Pad(head, width))}
	for _, section := range c.sections {
		for i, line := range section.lines {
			points := l.points(line, at)
			points = points[:min(len(points), countUntil(points, at.To))]
			if len(points) == 0 {
				continue
			}
			_, mark := lookOf(s, line, i)
			low, high, sum := points[0], points[0], 0.0
			for _, p := range points {
				if p.V < low.V {
					low = p
				}
				if p.V > high.V {
					high = p
				}
				sum += p.V / float64(len(points))
			}
			row := " " + mark + " " + s.Muted.Render(s.Pad(line.name, nameWidth-2))
			for _, v := range []float64{points[len(points)-1].V, low.V, sum, high.V} {
				row += s.PadLeft(theme.Number(v, section.unit), columnWidth+2)
			}
			row += s.Muted.Render(s.PadLeft(theme.ClockTenths(high.T), columnWidth+2))
			rows = append(rows, s.Pad(row, width))
		}
	}
	return rows
}

// countUntil returns how many points are not after a time.
func countUntil(points []fold.Point, t float64) int {
	i, _ := slices.BinarySearchFunc(points, t, func(p fold.Point, t float64) int {
		if p.T <= t {
			return -1
		}
		return 1
	})
	return i
}
