package live

import (
	"cmp"
	"slices"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// drawChart draws a chart panel, with the legend in its upper border and the time
// in its lower one.
func (s *Screen) drawChart(number, width, height int, focused bool) []string {
	t, c, at := s.host.Theme, charts[number], s.span()
	inner := height - 2
	var stats []string
	if s.expanded {
		stats = s.statistics(c, at, width-2)
		stats = stats[:min(len(stats), max(inner-8, 0))]
		inner -= len(stats)
	}
	heights := sectionHeights(len(c.sections), inner)
	title := t.Strong.Render(c.title)
	if c.sections[0].log {
		title += t.Muted.Render(" " + scaleName(s.linear))
	}
	verticals := s.verticals(at)
	p := widget.Panel{Title: title, Bottom: chart.TimeAxis(t, at, s.marks(at), s.following(), width, focused), Focused: focused}
	for i, section := range c.sections[:len(heights)] {
		plot, legend := s.plot(section, number, at)
		if i == 0 {
			p.Notes = legendText(t, legend, width-theme.Width(title)-9)
		} else {
			text := legendText(t, legend, width-len(section.title)-11)
			p.Rows = append(p.Rows, widget.Heading(t, t.Strong.Render(section.title), text, width-2))
		}
		p.Rows = append(p.Rows, plot.Draw(t, at, verticals, width-2, heights[i])...)
	}
	p.Rows = append(p.Rows, stats...)
	return p.Draw(t, width, height)
}

func scaleName(linear bool) string {
	if linear {
		return "linear"
	}
	return "log"
}

// sectionHeights divides the rows of a panel. Each section but the first has a
// row for its title, and is left out if there is too little room.
func sectionHeights(sections, height int) []int {
	heights := []int{height}
	for range sections - 1 {
		if h := (height - 1) * 2 / 5; h >= 2 {
			heights = append(heights, h)
			heights[0] -= h + 1
		}
	}
	return heights
}

// plot returns the plot of a section, with its legend.
func (s *Screen) plot(c section, number int, at chart.Span) (chart.Plot, []legendItem) {
	p := chart.Plot{Unit: c.unit, Log: c.log && !s.linear, Empty: c.absent}
	limits := s.limits(at.To)
	var legend []legendItem
	quiet, coloured := true, 0
	for _, line := range withLimits(c, number, limits) {
		style, mark := lineStyle(s.host.Theme, line, coloured)
		if !line.faint && !line.problem {
			coloured++
		}
		points := s.points(line, at)
		if line.problem {
			points = slices.DeleteFunc(points, func(p fold.Point) bool { return p.V <= 0 })
		}
		if len(points) == 0 {
			continue
		}
		quiet = quiet && !slices.ContainsFunc(points, func(p fold.Point) bool { return p.V > 0 })
		legend = append(legend, s.legendItem(line, mark, c.unit, at.To))
		p.Series = append(p.Series, chart.Series{Points: points, Filled: line.filled || line.problem, Style: style})
		for _, limit := range limits[line.probe] {
			value := limit.Value * cmp.Or(limit.ProbeScale, 1)
			p.Limits = append(p.Limits, chart.Limit{Value: value, Label: limitLabel(line.name, limit, len(limits[line.probe]) > 1)})
		}
	}
	if c.collections {
		p.Ticks = s.collections(at)
	}
	switch {
	case s.shown.Len() == 0:
		p.Empty = "waiting for the first sample"
	case len(p.Series) == 0 && s.shown.Since(at.From) == 0:
		p.Empty = "no samples at that time"
	case quiet && c.quiet != "" && len(p.Series) > 0:
		p.Empty, p.Series = c.quiet, nil
	}
	return p, legend
}

// withLimits returns the lines of a section, with the probes that are drawn only
// because they have a limit.
func withLimits(c section, number int, limits map[probe.Name][]stream.Limit) []line {
	lines := slices.Clone(c.lines)
	for probe := range limits {
		if place := placeOf(probe); place.chart == number && place.unit == c.unit && place.extra {
			lines = append(lines, line{name: strings.TrimSuffix(strings.TrimSuffix(string(probe), "_per_second"), "_"+place.unit), probe: probe})
		}
	}
	slices.SortStableFunc(lines[len(c.lines):], func(a, b line) int { return cmp.Compare(a.name, b.name) })
	return lines[:min(len(lines), theme.MaxLines)]
}

// lineStyle returns the style of a line, which is the nth that has a colour of its
// own, and its mark in the legend.
func lineStyle(t *theme.Theme, l line, n int) (chart.LineStyle, string) {
	switch {
	case l.problem:
		return chart.LineStyle{Line: t.Fail, Fill: t.Fail, Letter: '!', Pattern: chart.Solid}, t.Fail.Render(t.Legend[0])
	case l.faint:
		return chart.LineStyle{Line: t.Muted, Fill: t.Faint, Letter: '.', Pattern: chart.Sparse}, t.Muted.Render(t.Legend[chart.Sparse])
	}
	n = min(n, theme.MaxLines-1)
	mark := t.Legend[0]
	if t.Colorless {
		mark = t.Legend[n]
	}
	return chart.LineStyle{Line: t.Lines[n], Fill: t.Fills[n], Letter: []rune(t.Legend[n])[0], Pattern: n}, t.Lines[n].Render(mark)
}

// limits returns the limits of the steps that ran at a time, by their probes.
func (s *Screen) limits(t float64) map[probe.Name][]stream.Limit {
	out := map[probe.Name][]stream.Limit{}
	for _, step := range s.stepsAt(t) {
		for _, limit := range step.Step.Limits {
			if limit.Probe != "" {
				out[limit.Probe] = append(out[limit.Probe], limit)
			}
		}
	}
	return out
}

// stepsAt returns the steps that ran at a time. Of now, it returns only those
// whose repetition runs.
func (s *Screen) stepsAt(t float64) []fold.StepState {
	if t >= s.shown.T {
		return s.shown.Active()
	}
	var out []fold.StepState
	for _, step := range s.shown.Steps {
		if step.StartedAt <= t && (step.Result == nil || t <= step.FinishedAt) {
			out = append(out, step)
		}
	}
	return out
}

// limitLabel is the label of a limit: of a threshold with the name of its line, of
// a baseline with that of its metric if there are several.
func limitLabel(name string, l stream.Limit, several bool) string {
	switch {
	case l.Source == report.KindThreshold:
		return name + " " + check.Condition(l)
	case several:
		return theme.Clean(l.Metric) + " " + quantity.Format(l.Value, l.Unit)
	default:
		return "baseline " + quantity.Format(l.Value, l.Unit)
	}
}
