package ui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// comparison is the screen of two runs held against each other.
type comparison struct {
	now, before report.Report
	held        report.Report
	// from is the screen that one came from.
	from screen
	widget.Pager
}

func newComparison(now, before, held report.Report) comparison {
	return comparison{now: now, before: before, held: held}
}

func (m *model) compareActions() []action {
	out := scrolls(func() int { return max(m.bodyHeight()-2, 1) }, func(by int) { m.comparison.Scroll(by, m.bodyHeight()) })
	return append(out, action{keyBack, func() tea.Cmd {
		m.screen = m.comparison.from
		return nil
	}})
}

// regressionOrder is the order of the verdicts on metrics, the worst first.
var regressionOrder = []report.Change{report.Regressed, report.Improved, report.Unknown, report.Same}

// regressionText says what a comparison found, in one line.
func regressionText(r report.Regression) string {
	n := map[report.Change]int{}
	for _, m := range r.Metrics {
		n[m.Verdict]++
	}
	text := fmt.Sprintf("%d of %d metrics worse than in %s, %d better, %d the same", n[report.Regressed], len(r.Metrics), theme.Clean(r.Baseline), n[report.Improved], n[report.Same])
	if n[report.Unknown] > 0 {
		text += fmt.Sprintf(", %d cannot be told", n[report.Unknown])
	}
	return text
}

func (c comparison) write(s *theme.Theme, width int) []string {
	r := c.held.Regression
	var rows []string
	add := func(row string) { rows = append(rows, s.Truncate(row, width)) }
	paragraph := func(bullet, text string) {
		for _, row := range theme.Bulleted(bullet, text, width-4) {
			add(" " + row)
		}
	}
	add("")
	paragraph(s.Verdict(r.Word()), s.Strong.Render(regressionText(*r)))
	add("")
	for _, side := range []struct {
		name string
		r    report.Report
	}{{"before", c.before}, {"now", c.now}} {
		add("   " + s.Muted.Render(s.Pad(side.name, 7)) + " " + s.Verdict(strings.ToUpper(string(side.r.Verdict))) + "  " + titleOf(&side.r) + s.Muted.Render("  "+theme.Timestamp(side.r.StartedAt)))
	}
	// What the comparison added to what the report said before.
	if more := c.held.Recommendations[min(len(c.now.Recommendations), len(c.held.Recommendations)):]; len(more) > 0 {
		add("")
		for _, text := range more {
			paragraph("  "+s.Warn.Render("!"), theme.Clean(text))
		}
	}
	add("")
	rows = append(rows, comparisonTable(s, r.Metrics, unitsOf(c.before, c.now), width)...)
	for _, sc := range c.held.Scenarios {
		for _, step := range sc.Steps {
			for _, text := range addedBy(c.now, sc.Name, step) {
				paragraph("  "+s.Accent.Render("Look at:"), theme.Clean(text))
			}
		}
	}
	add("")
	for _, row := range theme.Wrap(fmt.Sprintf("A metric is worse or better if its median differs by more than %s and, with four repetitions or more on each side, chance would do that in less than %s of cases.", report.Percent(r.Threshold), report.Percent(r.Alpha)), width-6) {
		add("   " + s.Muted.Render(row))
	}
	return rows
}

// addedBy are the recommendations of a step that the comparison added.
func addedBy(now report.Report, scenario string, step report.Step) []string {
	for _, sc := range now.Scenarios {
		if sc.Name != scenario {
			continue
		}
		for _, before := range sc.Steps {
			if before.Name == step.Name {
				return step.Recommendations[min(len(before.Recommendations), len(step.Recommendations)):]
			}
		}
	}
	return nil
}

// unitsOf returns the units of the metrics of reports, by where they stand.
func unitsOf(reports ...report.Report) map[[3]string]string {
	units := map[[3]string]string{}
	for _, r := range reports {
		for _, sc := range r.Scenarios {
			for _, step := range sc.Steps {
				for name, m := range step.Metrics {
					units[[3]string{sc.Name, step.Name, name}] = m.Unit
				}
			}
		}
	}
	return units
}

// comparisonTable draws a heading and a row for each metric, the worst first.
func comparisonTable(s *theme.Theme, metrics []report.RegressionMetric, units map[[3]string]string, width int) []string {
	list := slices.Clone(metrics)
	slices.SortStableFunc(list, func(a, b report.RegressionMetric) int {
		size := func(m report.RegressionMetric) float64 {
			if m.DeltaPercent == nil {
				return 0
			}
			return math.Abs(*m.DeltaPercent)
		}
		return cmp.Or(cmp.Compare(slices.Index(regressionOrder, a.Verdict), slices.Index(regressionOrder, b.Verdict)), cmp.Compare(size(b), size(a)))
	})
	several := slices.ContainsFunc(list, func(m report.RegressionMetric) bool {
		return m.Scenario != list[0].Scenario || m.Step != list[0].Step
	})
	name := func(m report.RegressionMetric) string {
		if !several {
			return theme.Clean(m.Metric)
		}
		return theme.Clean(m.Step) + " " + s.Chevron + " " + theme.Clean(m.Metric)
	}
	names := 12
	for _, m := range list {
		names = max(names, theme.Width(name(m)))
	}
	layout := widget.Table{Indent: 3, Greedy: true, Columns: []widget.Column{
		{Width: 9},
		{Title: "metric", Gap: 1, Width: min(names, 26), Most: names},
		{Title: "before", Gap: 1, Width: 11, Right: true, Rank: 1},
		{Title: "now", Gap: 1, Width: 11, Right: true, Rank: 1},
		{Title: "change", Gap: 1, Width: 9, Right: true},
		{Title: "p", Gap: 1, Width: 9, Right: true, Rank: 2},
		{Gap: 2, Width: widget.BarWidth, Rank: 3},
	}}.Fit(width)
	rows := []string{layout.Heading(s)}
	for _, m := range list {
		unit := units[[3]string{m.Scenario, m.Step, m.Metric}]
		rows = append(rows, layout.Row(s, widget.Row{Note: theme.Clean(m.Note), Cells: []string{
			s.Verdict(strings.ToUpper(string(m.Verdict))), name(m), comparedValue(m.Old, unit), comparedValue(m.New, unit),
			changeText(m), pText(m), changeBar(s, m),
		}})...)
	}
	return rows
}

func changeText(m report.RegressionMetric) string {
	if m.DeltaPercent == nil {
		return ""
	}
	return theme.SignedApprox(*m.DeltaPercent / 100)
}

// changeBar draws the change of a metric: better goes to the right.
func changeBar(s *theme.Theme, m report.RegressionMetric) string {
	if m.DeltaPercent == nil {
		return ""
	}
	share, status := *m.DeltaPercent/100, report.StatusPass
	switch m.Verdict {
	case report.Regressed:
		share, status = -math.Abs(share), report.StatusFail
	case report.Improved:
		share = math.Abs(share)
	}
	return widget.DeviationBar(s, share, status)
}

func pText(m report.RegressionMetric) string {
	switch {
	case m.PValue == nil:
		return ""
	case *m.PValue < 0.001:
		return "< 0.001"
	default:
		return fmt.Sprintf("%.3f", *m.PValue)
	}
}

func comparedValue(v *float64, unit string) string {
	switch {
	case v == nil:
		return "none"
	case unit == "bool":
		return report.Metric{Value: *v != 0}.Text()
	}
	return report.Quantity(*v, unit)
}
