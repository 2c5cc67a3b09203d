package result

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// step writes a step: its metrics and, beside or below them, its details.
func (w *writer) step(sc report.Scenario, step report.Step) {
	w.add("")
	info := theme.Clean(step.Measurement)
	if n := step.RepetitionCount(); n > 1 {
		info += fmt.Sprintf("  %d repetitions", n)
	}
	if step.Steered {
		info += "  " + w.Warn.Render("steered") + w.Muted.Render(" ")
	}
	info += "  " + quantity.Clock(step.DurationSeconds)
	title := w.Verdict(strings.ToUpper(string(step.Verdict))) + " " + w.Strong.Render(theme.Clean(sc.Name)+" "+w.Chevron+" "+theme.Clean(step.Name))
	w.add(widget.Heading(w.Theme, title, w.Muted.Render(info), w.width))
	if step.Verdict == report.Inconclusive {
		w.paragraph(w.Warn.Render("Why:"), theme.Clean(step.Reason()))
	}
	if w.width < wideReport {
		for _, row := range slices.Concat(w.table(w.metricRows(sc, step), w.width), w.more(step, w.width)) {
			w.add(row)
		}
		return
	}
	left := w.width * 58 / 100
	table, more := w.table(w.metricRows(sc, step), left), w.more(step, w.width-left)
	n := max(len(table), len(more))
	table, more = append(table, make([]string, n-len(table))...), append(more, make([]string, n-len(more))...)
	for i := range n {
		w.add(w.Pad(table[i], left) + more[i])
	}
}

// wideReport is the width from which on a report has two columns.
const wideReport = 150

// A metricRow is a metric or a threshold of a step.
type metricRow struct {
	word, name, value, against, share string
	bar, spread                       string
	// notes are what is special about it, such as when it was worst.
	notes string
}

// metricRows returns a row for each threshold and metric, the worst first.
func (w *writer) metricRows(sc report.Scenario, step report.Step) []metricRow {
	course := w.outcome.Course.ForStep(sc.Name, step.Name)
	var list []metricRow
	for _, t := range step.Thresholds {
		list = append(list, w.threshold(t, step, course))
	}
	exact := 0
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		row := w.metric(name, step, course)
		of := slices.IndexFunc(step.Thresholds, func(t report.Threshold) bool { return t.Metric == name && t.WindowSeconds == nil })
		if of >= 0 && row.word == "INFO" {
			list[of].spread = row.spread // its threshold has the row
			continue
		}
		if m := step.Metrics[name]; row.word == "PASS" && m.Condition != "" && m.Baseline == nil && m.Floor == nil {
			exact++
			continue
		}
		list = append(list, row)
	}
	if exact > 0 {
		list = append(list, metricRow{word: "PASS", name: format.ConditionsMet(exact)})
	}
	order := []string{"FAIL", theme.Undecided, "WARN", "PASS", "EXCEED", "INFO"}
	slices.SortStableFunc(list, func(a, b metricRow) int {
		return cmp.Compare(slices.Index(order, a.word), slices.Index(order, b.word))
	})
	return list
}

// table draws rows in columns.
func (w *writer) table(list []metricRow, width int) []string {
	word, name, value, against, share, spread := 6, 12, 11, 0, 9, 0
	for _, r := range list {
		word = max(word, len(r.word))
		value = max(value, min(theme.Width(r.value), 12))
		spread = max(spread, theme.Width(r.spread))
		if r.value != "" {
			name = max(name, theme.Width(r.name))
		}
		against = max(against, theme.Width(r.against))
		share = max(share, theme.Width(r.share))
	}
	columns := []widget.Column{
		{Width: word},
		{Gap: 1, Width: min(name, 24), Most: name},
		{Gap: 1, Width: value, Right: true},
		{Gap: 2, Width: against, Rank: 1},
		{Gap: 2, Width: share, Right: true, Rank: 2},
		{Gap: 2, Width: widget.BarWidth, Rank: 3},
	}
	if spread > 0 {
		columns = append(columns, widget.Column{Gap: 2, Width: spread, Rank: 4})
	}
	layout := widget.Table{Columns: columns, Indent: 3, Greedy: true}.Fit(width)
	var rows []string
	for _, r := range list {
		row := widget.Row{Cells: []string{w.Verdict(r.word), r.name, r.value, w.Muted.Render(r.against), r.share, r.bar, r.spread}, Note: r.notes}
		if r.value == "" {
			row.Text = r.name
		}
		rows = append(rows, layout.Row(w.Theme, row)...)
	}
	return rows
}

func (w *writer) threshold(t report.Threshold, step report.Step, course report.StepTimeline) metricRow {
	m, _, _ := report.FindMetric(step.Metrics, t.Metric)
	row := metricRow{word: "PASS", name: theme.Clean(t.Metric), value: "not measured", against: "limit " + quantity.Condition(theme.Clean(t.Condition), m.Unit), share: t.Difference()}
	if !t.OK {
		row.word = "FAIL"
	}
	if t.Actual != nil {
		row.value = quantity.Format(*t.Actual, m.Unit)
	}
	row.notes = course.WorstOfThreshold(t)
	if t.Actual == nil {
		row.notes = theme.Clean(step.Remark(t.Metric))
	}
	return row
}

func (w *writer) metric(name string, step report.Step, course report.StepTimeline) metricRow {
	m := step.Metrics[name]
	row := metricRow{word: check.StatusWord(m), name: theme.Clean(name), value: theme.Clean(m.Text()), spread: w.spread(m)}
	notes := []string{theme.Clean(step.Remark(name))}
	shown, checked := m.MainCheck()
	if checked {
		row.against = string(shown.Kind) + " " + theme.Clean(shown.Limit)
	}
	if checked && row.word != "PASS" && row.word != "EXCEED" {
		for _, s := range m.Checks() {
			switch {
			case s.Kind != shown.Kind:
				notes = append(notes, "also checked against "+theme.Clean(s.Text()))
			case s.Basis != "":
				notes = append(notes, theme.Clean(s.Basis))
			}
		}
	}
	if shown.Kind == report.KindBaseline && m.Deviation != nil {
		row.share = theme.Signed(*m.Deviation)
		row.bar = widget.DeviationBar(w.Theme, *m.Deviation, m.Status)
	}
	if row.word == "FAIL" && shown.Kind == report.KindBaseline {
		notes = append(notes, course.WorstOfBaseline(name))
	}
	row.notes = strings.Join(slices.DeleteFunc(notes, func(text string) bool { return text == "" }), "; ")
	return row
}

// spread draws the repetitions as a small chart, with how much they differ. The
// tolerance of the baseline is the scale, or 20 % without a baseline, so noise
// within the tolerance looks small.
func (w *writer) spread(m report.Metric) string {
	middle, ok := m.Value.(float64)
	if !ok || len(m.Samples) < 2 {
		return ""
	}
	const most = 8
	tolerance := 0.2
	if m.Tolerance != nil && *m.Tolerance > 0 {
		tolerance = *m.Tolerance
	}
	var bars strings.Builder
	n := min(len(m.Samples), most)
	for i := range n {
		v := m.Samples[i*len(m.Samples)/n]
		at := 0.5
		if middle != 0 {
			at = 0.5 + (v-middle)/math.Abs(middle)/(2*tolerance)
		}
		last := len(w.Sparks) - 1
		bars.WriteRune(w.Sparks[min(max(int(math.Round(at*float64(last))), 0), last)])
	}
	text := w.Spark.Render(bars.String())
	if share, ok := m.Spread(); ok {
		text += w.Muted.Render(" ±" + theme.Approx(share))
	}
	return text
}

// more returns the details of a step: distributions, operations, faults, errors
// and recommendations.
func (w *writer) more(step report.Step, width int) []string {
	var rows []string
	for _, name := range distributions(step) {
		rows = append(rows, "")
		rows = append(rows, w.distribution(name, step.Metrics[name], step.Thresholds, width)...)
	}
	if o := step.Operations; o.Attempted > 0 {
		rows = append(rows, "")
		rows = append(rows, w.indented(theme.Bulleted(w.Muted.Render("operations"), fmt.Sprintf("%s attempted: %s succeeded, %s failed, %s dropped",
			quantity.Format(float64(o.Attempted), theme.Count), quantity.Format(float64(o.Succeeded), theme.Count),
			quantity.Format(float64(o.Failed), theme.Count), quantity.Format(float64(o.Dropped), theme.Count)), width-4))...)
	}
	for _, f := range step.Faults {
		rows = append(rows, w.indented(theme.Bulleted(w.Warn.Render(string(w.Fault))+w.Muted.Render(" fault"), theme.Clean(f.Text()), width-4))...)
	}
	for _, e := range step.SortedErrors() {
		when := "at " + quantity.Clock(e.FirstAtSeconds)
		if e.Count > 1 {
			when = fmt.Sprintf("%s times, first %s", quantity.Format(float64(e.Count), theme.Count), when)
		}
		message, _, _ := strings.Cut(e.Message, "\n")
		bullet := w.Fail.Render("!")
		switch e.Kind {
		case report.Finding, report.Unmeasured:
			bullet = w.Fail.Render("! " + e.Label() + ":")
		case report.Detail, report.Note:
			bullet = w.Muted.Render(e.Label() + ":")
		}
		rows = append(rows, w.indented(theme.Bulleted(bullet, theme.Clean(message)+w.Muted.Render(" ("+when+")"), width-4))...)
	}
	for i, text := range step.Recommendations {
		if i == 0 && step.Verdict == report.Inconclusive {
			continue // it is the reason above
		}
		rows = append(rows, w.indented(theme.Bulleted(w.Accent.Render("Look at:"), theme.Clean(text), width-4))...)
	}
	return rows
}

func (w *writer) indented(rows []string) []string {
	for i := range rows {
		rows[i] = "   " + rows[i]
	}
	return rows
}

// distributions returns the metrics with a distribution, those with a threshold
// first.
func distributions(step report.Step) []string {
	var names []string
	limited := func(name string) bool {
		return slices.ContainsFunc(step.Thresholds, func(t report.Threshold) bool { return strings.HasPrefix(t.Metric, name) })
	}
	for name, m := range step.Metrics {
		if m.Distribution != nil && m.Distribution.Count > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := limited(a), limited(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// distribution draws the distribution of a metric with its limits.
func (w *writer) distribution(name string, m report.Metric, thresholds []report.Threshold, width int) []string {
	d := *m.Distribution
	rows := []string{"   " + w.Strong.Render(theme.Clean(name)) + w.Muted.Render("  of "+quantity.Format(float64(d.Count), theme.Count)+" values")}
	var limits []chart.ValueMark
	for _, t := range thresholds {
		stat, ok := strings.CutPrefix(t.Metric, name+".")
		if limit, known := t.Limit(); ok && known {
			limits = append(limits, chart.ValueMark{Value: limit, Label: "limit " + theme.Clean(stat)})
		}
	}
	height := 3
	if width >= 100 {
		height = 4
	}
	bars := chart.Histogram(w.Theme, d, limits, min(width-6, 72), height)
	if width < 44 {
		bars = nil
	}
	return append(append(rows, w.indented(bars)...), w.indented(chart.Quantiles(w.Theme, d, m.Unit, width-4))...)
}
