package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A chart is one panel of the live screen: one plot, or several over the same
// time.
type chart struct {
	title    string
	sections []section
}

// A section is one plot of a chart.
type section struct {
	// title is what the plot is called where it shares a chart.
	title string
	unit  string
	log   bool
	lines []line
	// absent says why there is nothing to see when none of the probes was
	// read, and quiet when all of them are 0; empty if 0 needs no word.
	absent, quiet string
}

// A line is one probe in a plot.
type line struct {
	// short is the name where there is little room.
	name, short, probe string
	filled             bool
	// counter says that the probe only grows: its rate is drawn, its total
	// told.
	counter bool
}

// charts are the panels, in the order in which they are shown.
var charts = [...]chart{
	{"Throughput", []section{{
		unit: perSecond, absent: "no operations measured in this step", quiet: "no operations yet in this step",
		lines: []line{
			{name: "completed", short: "done", probe: "completed_per_second", filled: true},
			{name: "offered", short: "due", probe: "offered_per_second"},
		},
	}}},
	{"Latency", []section{{
		unit: millis, log: true, absent: "no latency measured in this step", quiet: "no operations yet in this step",
		lines: []line{
			{name: "p99", short: "p99", probe: "action_p99_ms"},
			{name: "p95", short: "p95", probe: "action_p95_ms"},
			{name: "p50", short: "p50", probe: "action_p50_ms"},
		},
	}}},
	{"Memory", []section{
		{
			unit: bytesUnit, absent: "memory cannot be read here",
			lines: []line{
				{name: "heap", short: "heap", probe: "heap_bytes", filled: true},
				{name: "live", short: "live", probe: "heap_live_bytes"},
				{name: "stacks", short: "stack", probe: "stack_bytes"},
			},
		},
		{
			title: "Population", unit: count, absent: "goroutines cannot be read here",
			lines: []line{
				{name: "goroutines", short: "gor", probe: "goroutines"},
				{name: "agents", short: "agents", probe: "agents"},
			},
		},
	}},
	{"Events", []section{{
		unit: perSecond, absent: "no events measured in this step", quiet: "no events in this step",
		lines: []line{
			{name: "delivered", short: "deliv", probe: "events_delivered_per_second", filled: true},
			{name: "published", short: "publ", probe: "events_published_per_second"},
			{name: "dropped", short: "drop", probe: "events_dropped", counter: true},
		},
	}}},
}

// verdictPanel is the number of the verdict table among the panels, after the
// charts.
const verdictPanel = len(charts)

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
	{name: "stacks", probe: "stack_bytes", unit: bytesUnit},
	{name: "cpu", probe: "cpu_percent", unit: "percent"},
	{name: "resident", probe: "rss_bytes", unit: bytesUnit},
}

// live is the screen of a run.
type live struct {
	// latest is the newest snapshot, and shown the one on the screen: the
	// same, unless the screen is frozen.
	latest, shown *stream.Snapshot
	frozen        bool
	// focus is the panel that keys go to, and chart the chart that is shown
	// where there is room for one only.
	focus, chart int
	expanded     bool
	rows         []verdictRow
	// offset is the first row of the verdict table that is shown; it follows
	// the run until somebody scrolls.
	offset   int
	scrolled bool
}

func newLive() live {
	return live{latest: &stream.Snapshot{}, shown: &stream.Snapshot{}}
}

func (l *live) setData(s *stream.Snapshot) {
	l.latest = s
	if !l.frozen {
		l.show(s)
	}
}

func (l *live) show(s *stream.Snapshot) {
	l.shown = s
	l.rows = verdictRows(s)
}

func (l *live) freeze(frozen bool) {
	l.frozen = frozen
	if !frozen {
		l.show(l.latest)
	}
}

func (l *live) moveFocus(by int) {
	l.focus = (l.focus + by + verdictPanel + 1) % (verdictPanel + 1)
	if l.focus != verdictPanel {
		l.chart = l.focus
	}
}

func (l *live) scroll(by int) {
	l.scrolled = true
	l.offset = min(max(l.offset+by, 0), max(len(l.rows)-1, 0))
}

// window returns the part of the run that the charts show: a round number of
// seconds that ends now.
func window(s *stream.Snapshot) span {
	length := 60.0
	for _, shorter := range []float64{10, 15, 20, 30, 45} {
		if s.T <= shorter {
			length = shorter
			break
		}
	}
	return span{s.T - length, s.T}
}

// view draws the screen below the header, for terminals of 80×24 and more.
func (l live) view(s *styles, width, height int) []string {
	at := window(l.shown)
	limits := l.limits()
	switch {
	case l.expanded:
		return l.panel(s, l.focus, at, limits, width, height)
	case width >= 160 && height >= 44:
		return l.wide(s, at, limits, width, height)
	case width >= 100 && height >= 34:
		left := width / 2
		tall := min(max(height/3, 11), 16)
		top := beside(l.panel(s, 0, at, limits, left, tall), l.panel(s, 1, at, limits, width-left, tall))
		middle := beside(l.panel(s, 2, at, limits, left, tall), l.panel(s, 3, at, limits, width-left, tall))
		return slices.Concat(top, middle, l.panel(s, verdictPanel, at, limits, width, height-2*tall))
	default:
		top := l.figures(s, figures[:6], at, 2, width)
		rest := height - len(top)
		table := min(max(rest/3, 4), len(l.rows)+2)
		table = max(table, 4)
		return slices.Concat(top, l.panel(s, l.chart, at, limits, width, rest-table), l.panel(s, verdictPanel, at, limits, width, table))
	}
}

// wide has the charts left, and the verdicts, all figures and the log right.
func (l live) wide(s *styles, at span, limits map[string][]stream.Limit, width, height int) []string {
	right := width * 2 / 5
	left := (width - right) / 2
	middle := width - right - left
	tall := height / 2
	top := beside(l.panel(s, 0, at, limits, left, tall), l.panel(s, 1, at, limits, middle, tall))
	below := beside(l.panel(s, 2, at, limits, left, height-tall), l.panel(s, 3, at, limits, middle, height-tall))
	numbers := l.figures(s, figures, at, 1, right-2)
	numbers = s.panel(s.strong.on("Figures"), "", numbers, right, len(numbers)+2, false)
	rest := height - len(numbers)
	log := min(rest/3, 12)
	return beside(slices.Concat(top, below),
		slices.Concat(l.panel(s, verdictPanel, at, limits, right, rest-log), numbers, l.log(s, right, log)))
}

// limits returns the limits of the running steps by their probe.
func (l live) limits() map[string][]stream.Limit {
	out := map[string][]stream.Limit{}
	for _, step := range l.shown.Active() {
		for _, limit := range step.Step.Limits {
			if limit.Probe != "" {
				out[limit.Probe] = append(out[limit.Probe], limit)
			}
		}
	}
	return out
}

func (l live) panel(s *styles, number int, at span, limits map[string][]stream.Limit, width, height int) []string {
	focused := l.focus == number
	if number == verdictPanel {
		return l.verdicts(s, width, height, focused)
	}
	c := charts[number]
	var marks []stream.Mark
	var times []float64
	for _, m := range l.shown.Marks {
		if m.T < at.from {
			continue
		}
		marks = append(marks, m)
		if m.Type != stream.FaultInjected {
			times = append(times, m.T)
		}
	}
	inner := height - 2
	// The first section gets what the others leave it: a third each, with a
	// line for the title, as long as there is room to see anything.
	tall := []int{inner}
	for range c.sections[1:] {
		if h := (inner - 1) / 3; h >= 2 {
			tall = append(tall, h)
			tall[0] -= h + 1
		}
	}
	title := s.strong.on(c.title)
	if c.sections[0].log {
		title += s.muted.on(" log")
	}
	var rows []string
	notes := ""
	for i, section := range c.sections {
		if i >= len(tall) {
			break
		}
		drawn, legend := l.plot(section, number, limits, at)
		if i == 0 {
			notes = s.legendText(legend, width-ansi.StringWidth(title)-9)
		} else {
			text := s.legendText(legend, width-len(section.title)-11)
			rows = append(rows, s.rule(s.horizontal, s.horizontal, s.strong.on(section.title), text, width-2, false))
		}
		rows = append(rows, drawn.draw(s, at, times, width-2, tall[i])...)
	}
	return s.panelOn(title, notes, rows, s.timeAxis(at, marks, width, focused), width, height, focused)
}

// A legendItem names a series and tells its newest value.
type legendItem struct {
	number             int
	name, short, value string
}

// plot gathers what a section shows of the snapshot.
func (l live) plot(c section, chart int, limits map[string][]stream.Limit, at span) (plot, []legendItem) {
	p := plot{unit: c.unit, log: c.log, empty: c.absent}
	var legend []legendItem
	quiet := true
	lines := slices.Clone(c.lines)
	for probe := range limits {
		if home := homeOf(probe); home.chart == chart && home.unit == c.unit && home.extra {
			lines = append(lines, line{name: strings.TrimSuffix(strings.TrimSuffix(probe, "_per_second"), "_"+home.unit), probe: probe})
		}
	}
	slices.SortStableFunc(lines[len(c.lines):], func(a, b line) int { return cmp.Compare(a.name, b.name) })
	lines = lines[:min(len(lines), maxLines)]
	for i, line := range lines {
		points := l.shown.Points(line.probe, at.from)
		item := legendItem{number: i, name: line.name, short: cmp.Or(line.short, line.name)}
		if v, ok := l.shown.Latest(line.probe); ok {
			unit := c.unit
			if line.counter {
				unit = count
			}
			item.value = report.Quantity(v, unit)
		}
		if line.counter {
			points = rates(points)
		}
		points = drawable(points)
		quiet = quiet && !slices.ContainsFunc(points, func(p stream.Point) bool { return p.V > 0 })
		if len(points) > 0 {
			legend = append(legend, item)
		}
		p.series = append(p.series, series{points: points, filled: line.filled})
		for _, limit := range limits[line.probe] {
			value := limit.Value * cmp.Or(limit.ProbeScale, 1)
			p.limits = append(p.limits, limitLine{value: value, label: limitLabel(line.name, limit)})
		}
	}
	switch {
	case len(l.shown.Samples) == 0:
		p.empty = "waiting for the first sample"
	case quiet && c.quiet != "" && p.hasPoints():
		p.empty, p.series = c.quiet, nil
	}
	return p, legend
}

func limitLabel(name string, l stream.Limit) string {
	if l.Source == "threshold" {
		return name + " " + limitText(l)
	}
	return "baseline " + report.Quantity(l.Value, l.Unit)
}

// A home is where in the charts a probe is drawn.
type home struct {
	chart int
	unit  string
	// extra says that it is drawn only because a limit is on it.
	extra bool
}

// homeOf finds the chart of a probe by its name: a probe that no chart has of
// its own is drawn, if a step has a limit on it, with those of its unit.
func homeOf(probe string) home {
	for i, c := range charts {
		for _, section := range c.sections {
			for _, line := range section.lines {
				if line.probe == probe {
					return home{i, section.unit, false}
				}
			}
		}
	}
	switch {
	case strings.HasSuffix(probe, "_per_second"):
		return home{0, perSecond, true}
	case strings.HasSuffix(probe, "_ms"):
		return home{1, millis, true}
	case strings.HasSuffix(probe, "_bytes"):
		return home{2, bytesUnit, true}
	case strings.HasSuffix(probe, "_ratio"), strings.HasSuffix(probe, "_percent"), strings.HasSuffix(probe, "_seconds"):
		return home{-1, "", true} // no chart has their unit
	default:
		return home{2, count, true}
	}
}

// drawable bounds values so that no arithmetic of a chart can overflow.
func drawable(points []stream.Point) []stream.Point {
	const most = 1e18
	for i := range points {
		points[i].V = min(max(points[i].V, 0), most)
	}
	return points
}

// rates turns readings of a counter into its growth per second. A counter that
// fell is one of a fresh system, which began at 0.
func rates(points []stream.Point) []stream.Point {
	var out []stream.Point
	for i := 1; i < len(points); i++ {
		grown, seconds := points[i].V-points[i-1].V, points[i].T-points[i-1].T
		if grown < 0 {
			grown = points[i].V
		}
		if seconds > 0 {
			out = append(out, stream.Point{T: points[i].T, V: grown / seconds})
		}
	}
	return out
}

// legendText writes the items in a width: all they are, or shorter, or fewer.
func (s *styles) legendText(items []legendItem, width int) string {
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
				parts[i] = strings.TrimSpace(s.lines[item.number].on(s.legend[item.number]) + " " + s.muted.on(name) + " " + s.strong.on(value))
			}
			if text := strings.Join(parts, how.gap); ansi.StringWidth(text) <= width {
				return text
			}
		}
	}
	return ""
}

func (l live) verdicts(s *styles, width, height int, focused bool) []string {
	room := max(height-2, 0)
	heading := room >= 8
	if heading {
		room--
	}
	offset := l.tableOffset(room)
	rows := s.verdictTable(l.rows, width-2)
	rows = append(rows[:1:1], rows[1+offset:min(1+offset+room, len(rows))]...)
	if !heading {
		rows = rows[1:]
	}
	if len(l.rows) == 0 {
		rows = []string{" " + s.muted.on("waiting for the first step")}
	}
	notes := tallyOf(l.rows).text(s)
	if offset > 0 || offset+room < len(l.rows) {
		notes += s.muted.on(" " + s.up + " more")
	}
	return s.panel(s.strong.on("Verdicts"), notes, rows, width, height, focused)
}

// tableOffset returns the first row to show in a table with that much room: the
// one scrolled to, or one that keeps the running step in sight.
func (l live) tableOffset(room int) int {
	most := max(len(l.rows)-room, 0)
	if l.scrolled {
		return min(l.offset, most)
	}
	running := slices.IndexFunc(l.rows, func(r verdictRow) bool { return r.word == wordRuns })
	if running < 0 {
		return most
	}
	return min(max(running-room/3, 0), most)
}

func (l live) log(s *styles, width, height int) []string {
	room := max(height-2, 0)
	lines := l.shown.Log
	lines = lines[max(len(lines)-room, 0):]
	rows := make([]string, 0, room)
	for _, line := range lines {
		rows = append(rows, " "+s.muted.on(report.Clock(line.T))+" "+s.logText(line))
	}
	if len(rows) == 0 {
		rows = []string{" " + s.muted.on("no messages so far")}
	}
	return s.panel(s.strong.on("Log"), "", rows, width, height, false)
}

func (s *styles) logText(line stream.LogLine) string {
	text := clean(line.Message)
	switch line.Level {
	case "error":
		return s.fail.on("error") + " " + text
	case "warn":
		return s.warn.on("warn") + " " + text
	default:
		return text
	}
}

// value returns the newest reading of a figure; a dash where there is none.
func (l live) value(f figure) string {
	v, ok := l.shown.Latest(f.probe)
	switch {
	case !ok:
		return "-"
	case f.unit == "percent":
		return report.Percent(v / 100)
	default:
		return report.Quantity(v, f.unit)
	}
}

// figures draws numbers in columns, with a small chart where there is room.
func (l live) figures(s *styles, list []figure, at span, columns, width int) []string {
	const nameWidth, valueWidth = 11, 10
	each := width / columns
	var out []string
	for i := 0; i < len(list); i += columns {
		row := ""
		for _, f := range list[i:min(i+columns, len(list))] {
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
		out = append(out, s.pad(row, width))
	}
	return out
}

// small draws the figures alone, for terminals under 80×24.
func (l live) small(s *styles, width, height int) []string {
	columns := max(width/30, 1)
	shown := figures[:min(len(figures), max(height-1, 0)*columns)]
	out := l.figures(s, shown, span{}, columns, width)
	for i := range out {
		out[i] = s.cut(out[i], width)
	}
	if len(out) < height {
		out = append(out, " "+s.muted.on("verdicts   ")+tallyOf(l.rows).text(s))
	}
	return out
}
