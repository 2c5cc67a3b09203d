package result

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Comparison is the screen of two compared reports.
type Comparison struct {
	host        *screen.Host
	now, before report.Report
	// compared is now with what the comparison added.
	compared report.Report
	// Back leaves the screen.
	Back func()
	widget.Pager
	screen.NoText
}

// Actions returns the keys that work now.
func (c *Comparison) Actions() []screen.Action {
	height := c.host.BodyHeight()
	return append(screen.Scroll(max(height-2, 1), func(by int) { c.Scroll(by, height) }), screen.Act(screen.Back, c.Back))
}

// Frame draws the screen.
func (c *Comparison) Frame() screen.Frame {
	t, height := c.host.Theme, c.host.BodyHeight()
	c.Layout(t, c.host.Width, height, func() []string { return c.write(c.host.Width) })
	return screen.Frame{
		Top:  []string{c.host.Header(t.Strong.Render("Comparison")+t.Muted.Render("  with "+theme.Clean(c.compared.Regression.Baseline)), "")},
		Body: c.Shown(height), Status: c.host.MoreRows(c.Below(height)),
	}
}

// Line is the screen on a terminal of one line.
func (c *Comparison) Line() string {
	r := c.compared.Regression
	return c.host.Theme.Verdict(r.Word()) + " " + regressionText(*r)
}

// changes is the order of the metrics, the worst first.
var changes = []report.Change{report.Regressed, report.Improved, report.Unknown, report.Same}

// regressionText summarizes a comparison in one line.
func regressionText(r report.Regression) string {
	n := map[report.Change]int{}
	for _, m := range r.Metrics {
		n[m.Verdict]++
	}
	text := fmt.Sprintf("%d of %d metrics worse than in %s, %d better, %d the same", n[report.Regressed], len(r.Metrics), theme.Clean(r.Baseline), n[report.Improved], n[report.Same])
	if n[report.Unknown] > 0 {
		text += fmt.Sprintf(", %d inconclusive", n[report.Unknown])
	}
	return text
}

func (c *Comparison) write(width int) []string {
	t, r := c.host.Theme, c.compared.Regression
	var rows []string
	add := func(row string) { rows = append(rows, t.Truncate(row, width)) }
	paragraph := func(bullet, text string) {
		for _, row := range theme.Bulleted(bullet, text, width-4) {
			add(" " + row)
		}
	}
	add("")
	paragraph(t.Verdict(r.Word()), t.Strong.Render(regressionText(*r)))
	add("")
	for _, side := range []struct {
		name string
		r    report.Report
	}{{"before", c.before}, {"now", c.now}} {
		add("   " + t.Muted.Render(t.Pad(side.name, 7)) + " " + t.Verdict(strings.ToUpper(string(side.r.Verdict))) + "  " + title(&side.r) + t.Muted.Render("  "+theme.Timestamp(side.r.StartedAt)))
	}
	if more := added(c.now.Recommendations, c.compared.Recommendations); len(more) > 0 {
		add("")
		for _, text := range more {
			paragraph("  "+t.Warn.Render("!"), theme.Clean(text))
		}
	}
	add("")
	rows = append(rows, comparisonTable(t, r.Metrics, unitsOf(c.before, c.now), width)...)
	for _, sc := range c.compared.Scenarios {
		for _, step := range sc.Steps {
			for _, text := range added(recommendations(c.now, sc.Name, step.Name), step.Recommendations) {
				paragraph("  "+t.Accent.Render("Look at:"), theme.Clean(text))
			}
		}
	}
	add("")
	for _, row := range theme.Wrap(fmt.Sprintf("A metric is worse or better if its median differs by more than %s and, with at least four repetitions on each side, the difference is significant (p < %g).", quantity.Percent(r.Threshold), r.Alpha), width-6) {
		add("   " + t.Muted.Render(row))
	}
	return rows
}

// added returns what a comparison appended to recommendations.
func added(before, now []string) []string { return now[min(len(before), len(now)):] }

// recommendations returns those of a step; nil if there is no such step.
func recommendations(r report.Report, scenario, step string) []string {
	for _, sc := range r.Scenarios {
		for _, st := range sc.Steps {
			if sc.Name == scenario && st.Name == step {
				return st.Recommendations
			}
		}
	}
	return nil
}

// unitsOf returns the units of the metrics of reports.
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

// comparisonTable draws a row for each metric, the worst first.
func comparisonTable(t *theme.Theme, metrics []report.RegressionMetric, units map[[3]string]string, width int) []string {
	list := slices.Clone(metrics)
	slices.SortStableFunc(list, func(a, b report.RegressionMetric) int {
		return cmp.Or(cmp.Compare(slices.Index(changes, a.Verdict), slices.Index(changes, b.Verdict)), cmp.Compare(size(b), size(a)))
	})
	several := slices.ContainsFunc(list, func(m report.RegressionMetric) bool {
		return m.Scenario != list[0].Scenario || m.Step != list[0].Step
	})
	name := func(m report.RegressionMetric) string {
		if !several {
			return theme.Clean(m.Metric)
		}
		return theme.Clean(m.Step) + " " + t.Chevron + " " + theme.Clean(m.Metric)
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
	rows := []string{layout.Heading(t)}
	for _, m := range list {
		unit := units[[3]string{m.Scenario, m.Step, m.Metric}]
		rows = append(rows, layout.Row(t, widget.Row{Note: theme.Clean(m.Note), Cells: []string{
			t.Verdict(strings.ToUpper(string(m.Verdict))), name(m), value(m.Old, unit), value(m.New, unit),
			change(m), pValue(m), changeBar(t, m),
		}})...)
	}
	return rows
}

// size is the size of a change.
func size(m report.RegressionMetric) float64 {
	if m.DeltaPercent == nil {
		return 0
	}
	return math.Abs(*m.DeltaPercent)
}

func change(m report.RegressionMetric) string {
	if m.DeltaPercent == nil {
		return ""
	}
	return theme.SignedApprox(*m.DeltaPercent / 100)
}

// changeBar draws a change: better goes to the right.
func changeBar(t *theme.Theme, m report.RegressionMetric) string {
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
	return widget.DeviationBar(t, share, status)
}

func pValue(m report.RegressionMetric) string {
	switch {
	case m.PValue == nil:
		return ""
	case *m.PValue < 0.001:
		return "< 0.001"
	default:
		return fmt.Sprintf("%.3f", *m.PValue)
	}
}

func value(v *float64, unit string) string {
	switch {
	case v == nil:
		return "n/a"
	case unit == "bool":
		return report.Metric{Value: *v != 0}.Text()
	}
	return quantity.Format(*v, unit)
}
