package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A metricKey is where a metric stands in a report.
type metricKey struct{ scenario, step, metric string }

// A figureOfRun is what one run measured of a metric.
type figureOfRun struct {
	value  float64
	unit   string
	better report.Better
	status report.Status
	// word is the status in capitals.
	word     string
	baseline *float64
	floor    *report.Floor
}

// figuresOf returns the numbers of a report that can be drawn.
func figuresOf(r report.Report) map[metricKey]figureOfRun {
	figures := map[metricKey]figureOfRun{}
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			for name, m := range step.Metrics {
				if v, ok := m.Value.(float64); ok {
					figures[metricKey{sc.Name, step.Name, name}] = figureOfRun{v, m.Unit, m.Better, m.Status, statusWord(m), m.Baseline, m.Floor}
				}
			}
		}
	}
	return figures
}

// statusOrder is the order of the statuses, the worst first.
var statusOrder = []report.Status{report.StatusFail, report.StatusWarn, report.StatusPass, report.StatusExceed, report.StatusInfo}

// metrics returns those of the run under the cursor, the worst first.
func (r *runs) metrics() []metricKey {
	if len(r.shown) == 0 {
		return nil
	}
	figures := r.under().figures
	return slices.SortedFunc(maps.Keys(figures), func(a, b metricKey) int {
		rank := func(k metricKey) int { return slices.Index(statusOrder, figures[k].status) }
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.scenario, b.scenario), strings.Compare(a.step, b.step), strings.Compare(a.metric, b.metric))
	})
}

// chooseMetric goes on by so many metrics. One that the run under the cursor
// does not have gives way to its first.
func (r *runs) chooseMetric(by int) {
	all := r.metrics()
	if len(all) == 0 {
		return
	}
	if i := slices.Index(all, r.metric); i < 0 {
		r.metric = all[0]
	} else {
		r.metric = all[(i+by+len(all))%len(all)]
	}
}

// A trend is a metric over the runs that have it, the oldest first.
type trend struct {
	points []fold.Point
	runs   []pastRun
}

// trendOf follows a metric through all runs, whatever the filter shows.
func (r *runs) trendOf(key metricKey) trend {
	var t trend
	for _, p := range slices.Backward(r.all) {
		if f, ok := p.figures[key]; ok {
			t.points = append(t.points, fold.Point{T: float64(len(t.points)), V: f.value})
			t.runs = append(t.runs, p)
		}
	}
	return t
}

// trendPanel draws the chosen metric over the runs.
func (r *runs) trendPanel(s *theme.Theme, width, height int) []string {
	figure, ok := figureOfRun{}, false
	if len(r.shown) > 0 {
		figure, ok = r.under().figures[r.metric]
	}
	if !ok {
		text := ""
		if len(r.shown) > 0 {
			text = "no figures: only a recording is left"
			if !r.under().stray() {
				text = "this run measured nothing"
			}
		}
		return widget.Panel{Title: s.Strong.Render("Trend"), Rows: []string{"", " " + s.Muted.Render(text)}}.Draw(s, width, height)
	}
	t := r.trendOf(r.metric)
	p := chart.Plot{Unit: figure.unit, Series: []chart.Series{{Points: drawable(slices.Clone(t.points))}}, Empty: "no figures"}
	if figure.baseline != nil {
		p.Limits = []chart.Limit{{Value: *figure.baseline, Label: "baseline " + report.Quantity(*figure.baseline, figure.unit)}}
	}
	if f := figure.floor; f != nil {
		p.Limits = append(p.Limits, chart.Limit{Value: f.Value, Label: "floor " + report.Quantity(f.Value, figure.unit)})
	}
	at := chart.Span{From: -0.5, To: float64(len(t.points)) - 0.5}
	notes := s.Muted.Render(fmt.Sprintf("%d runs", len(t.points)))
	if len(t.points) == 1 {
		notes = s.Muted.Render("1 run")
	}
	title := s.Strong.Render(theme.Clean(r.metric.metric)) + s.Muted.Render("  "+theme.Clean(r.metric.step))
	rows := p.Draw(s, at, nil, width-2, height-2)
	return widget.Panel{Title: title, Notes: notes, Rows: rows, Bottom: r.trendAxis(s, t, at, width)}.Draw(s, width, height)
}

// trendAxis is the lower border of a trend: the dates of its first and last runs,
// and marks below the selected run and those that the user marked.
func (r *runs) trendAxis(s *theme.Theme, t trend, at chart.Span, width int) string {
	var marks []chart.TrendMark
	for i, p := range t.runs {
		if selected := p.id() == r.under().id(); selected || slices.Contains(r.marked, p.id()) {
			marks = append(marks, chart.TrendMark{Run: i, Selected: selected})
		}
	}
	first, last := "", ""
	if n := len(t.runs); n > 1 {
		const layout = " 01-02 15:04 "
		first, last = t.runs[0].StartedAt.Local().Format(layout), t.runs[n-1].StartedAt.Local().Format(layout)
	}
	return chart.TrendAxis(s, at, marks, first, last, width)
}

// metricsPanel lists the metrics of the run under the cursor, each with its way
// through the runs and how it compares with the run before.
func (r *runs) metricsPanel(s *theme.Theme, width, height int) []string {
	all := r.metrics()
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
	from, to := widget.Window(len(all), room, max(slices.Index(all, r.metric), 0))
	var rows []widget.Row
	for _, key := range all[from:to] {
		rows = append(rows, r.metricRow(s, key, spark))
	}
	notes := ""
	if len(all) > room {
		notes = s.Muted.Render(s.Up + " more")
	}
	return widget.Panel{Title: s.Strong.Render("Metrics"), Notes: notes, Rows: layout.Rows(s, rows)}.Draw(s, width, height)
}

func (r *runs) metricRow(s *theme.Theme, key metricKey, spark int) widget.Row {
	p := r.under()
	figure, t := p.figures[key], r.trendOf(key)
	change := ""
	if i := slices.IndexFunc(t.runs, func(other pastRun) bool { return other.id() == p.id() }); i > 0 && t.points[i-1].V != 0 {
		change = theme.SignedApprox((figure.value - t.points[i-1].V) / t.points[i-1].V)
	}
	points := t.points[max(len(t.points)-spark, 0):]
	at := chart.Span{From: points[0].T - 0.01, To: points[0].T + float64(spark) - 1}
	return widget.Row{Selected: key == r.metric, Cells: []string{
		theme.Clean(key.metric), report.Quantity(figure.value, figure.unit), s.Muted.Render(change), s.Verdict(figure.word),
		s.Spark.Render(chart.Sparkline(s, drawable(slices.Clone(points)), at, spark)),
	}}
}
