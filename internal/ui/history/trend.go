package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// statuses is the order of the metrics, the worst first.
var statuses = []report.Status{report.StatusFail, report.StatusWarn, report.StatusPass, report.StatusExceed, report.StatusInfo}

// metrics returns the metrics of the selected run, the worst first.
func (s *Screen) metrics() []session.MetricKey {
	if len(s.shown) == 0 {
		return nil
	}
	metrics := s.selected().Metrics
	rank := func(k session.MetricKey) int { return slices.Index(statuses, metrics[k].Status) }
	return slices.SortedFunc(maps.Keys(metrics), func(a, b session.MetricKey) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Scenario, b.Scenario), strings.Compare(a.Step, b.Step), strings.Compare(a.Metric, b.Metric))
	})
}

// chooseMetric moves by metrics of the selected run. If the run does not have the
// current one, it chooses the first.
func (s *Screen) chooseMetric(by int) {
	all := s.metrics()
	if len(all) == 0 {
		return
	}
	if i := slices.Index(all, s.metric); i < 0 {
		s.metric = all[0]
	} else {
		s.metric = all[(i+by+len(all))%len(all)]
	}
}

// A trend is a metric of the runs that have it, oldest first.
type trend struct {
	points []fold.Point
	runs   []session.Past
}

// trendOf returns the trend of a metric over all runs, including those that the
// filter hides.
func (s *Screen) trendOf(key session.MetricKey) trend {
	var t trend
	for _, p := range slices.Backward(s.all) {
		if m, ok := p.Metrics[key]; ok {
			t.points = append(t.points, fold.Point{T: float64(len(t.points)), V: m.Value})
			t.runs = append(t.runs, p)
		}
	}
	return t
}

// trendPanel draws the chosen metric over the runs.
func (s *Screen) trendPanel(width, height int) []string {
	t := s.host.Theme
	if len(s.shown) == 0 {
		return widget.Panel{Title: t.Strong.Render("Trend"), Rows: []string{"", " "}}.Draw(t, width, height)
	}
	m, ok := s.selected().Metrics[s.metric]
	if !ok {
		text := "no metrics in this run"
		if s.selected().Unfinished() {
			text = "no metrics: this run has only a recording"
		}
		return widget.Panel{Title: t.Strong.Render("Trend"), Rows: []string{"", " " + t.Muted.Render(text)}}.Draw(t, width, height)
	}
	tr := s.trendOf(s.metric)
	p := chart.Plot{Unit: m.Unit, Series: []chart.Series{{Points: chart.Bounded(slices.Clone(tr.points))}}, Empty: "no values"}
	if m.Baseline != nil {
		p.Limits = []chart.Limit{{Value: *m.Baseline, Label: "baseline " + quantity.Format(*m.Baseline, m.Unit)}}
	}
	if f := m.Floor; f != nil {
		p.Limits = append(p.Limits, chart.Limit{Value: f.Value, Label: "floor " + quantity.Format(f.Value, m.Unit)})
	}
	at := chart.Span{From: -0.5, To: float64(len(tr.points)) - 0.5}
	notes := fmt.Sprintf("%d runs", len(tr.points))
	if len(tr.points) == 1 {
		notes = "1 run"
	}
	return widget.Panel{
		Title: t.Strong.Render(theme.Clean(s.metric.Metric)) + t.Muted.Render("  "+theme.Clean(s.metric.Step)), Notes: t.Muted.Render(notes),
		Rows: p.Draw(t, at, nil, width-2, height-2), Bottom: s.trendAxis(tr, at, width),
	}.Draw(t, width, height)
}

// trendAxis is the lower border of a trend: the dates of its first and last run,
// with marks below the selected run and the marked ones.
func (s *Screen) trendAxis(tr trend, at chart.Span, width int) string {
	var marks []chart.TrendMark
	for i, p := range tr.runs {
		if selected := p.ID() == s.selectedID(); selected || slices.Contains(s.marked, p.ID()) {
			marks = append(marks, chart.TrendMark{Run: i, Selected: selected})
		}
	}
	first, last := "", ""
	if n := len(tr.runs); n > 1 {
		const layout = " 01-02 15:04 "
		first, last = tr.runs[0].StartedAt.Local().Format(layout), tr.runs[n-1].StartedAt.Local().Format(layout)
	}
	return chart.TrendAxis(s.host.Theme, at, marks, first, last, width)
}

// metricsPanel lists the metrics of the selected run, each with its change since
// the run before and its trend.
func (s *Screen) metricsPanel(width, height int) []string {
	t, all := s.host.Theme, s.metrics()
	room := max(height-2, 0)
	spark := 14
	if width-2 < 72 {
		spark = 6
	}
	columns := []widget.Column{
		{Most: widget.Unlimited},
		{Width: 11, Right: true},
		{Width: 9, Right: true},
		{Width: len(theme.Undecided), Gap: 2},
		{Width: spark, Gap: 1},
	}
	if width-2 < 60 {
		columns = columns[:3]
	}
	layout := widget.Table{Columns: columns, Indent: 3}.Fit(width - 3)
	from, to := widget.Window(len(all), room, max(slices.Index(all, s.metric), 0))
	var rows []string
	for _, key := range all[from:to] {
		rows = append(rows, layout.Row(t, s.metricRow(key, spark))...)
	}
	notes := ""
	if len(all) > room {
		notes = t.Muted.Render(t.Up + " more")
	}
	return widget.Panel{Title: t.Strong.Render("Metrics"), Notes: notes, Rows: rows}.Draw(t, width, height)
}

func (s *Screen) metricRow(key session.MetricKey, spark int) widget.Row {
	t, p := s.host.Theme, s.selected()
	m, tr := p.Metrics[key], s.trendOf(key)
	change := ""
	if i := slices.IndexFunc(tr.runs, func(other session.Past) bool { return other.ID() == p.ID() }); i > 0 && tr.points[i-1].V != 0 {
		change = theme.SignedApprox((m.Value - tr.points[i-1].V) / tr.points[i-1].V)
	}
	points := tr.points[max(len(tr.points)-spark, 0):]
	at := chart.Span{From: points[0].T - 0.01, To: points[0].T + float64(spark) - 1}
	return widget.Row{Selected: key == s.metric, Cells: []string{
		theme.Clean(key.Metric), quantity.Format(m.Value, m.Unit), t.Muted.Render(change), t.Verdict(m.Word),
		t.Spark.Render(chart.Sparkline(t, chart.Bounded(slices.Clone(points)), at, spark)),
	}}
}
