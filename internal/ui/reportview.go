package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// reportView is the screen of a run's result.
type reportView struct {
	result *report.Report
	// err is why the run broke off; nil if it did not.
	err error
	// rows are cached for a width.
	rows   []string
	width  int
	offset int
}

// setData takes the result of a run that ended, nil if it told nothing.
func (r *reportView) setData(result *report.Report, err error) {
	*r = reportView{result: result, err: err}
	if result == nil {
		r.result = &report.Report{Verdict: report.Broken}
	}
}

func (r *reportView) scroll(by, height int) {
	r.offset = min(max(r.offset+by, 0), max(len(r.rows)-height, 0))
}

// layOut writes the rows for a width, if it has changed.
func (r *reportView) layOut(s *styles, width, height int) {
	if r.width != width || r.rows == nil {
		r.rows, r.width = r.write(s, width), width
	}
	r.scroll(0, height)
}

// view draws the part that is scrolled to; layOut comes before it.
func (r reportView) view(height int) []string {
	return r.rows[min(r.offset, len(r.rows)):min(r.offset+height, len(r.rows))]
}

func (r reportView) write(s *styles, width int) []string {
	if r.result == nil {
		return nil
	}
	w := reportWriter{styles: s, width: width}
	w.summary(r.result, r.err)
	for i := range r.result.Scenarios {
		w.scenario(&r.result.Scenarios[i])
	}
	return w.rows
}

// reportWriter gathers the rows of a report.
type reportWriter struct {
	*styles
	width int
	rows  []string
}

func (w *reportWriter) add(row string) { w.rows = append(w.rows, w.cut(row, w.width)) }

// paragraph adds a text in as many rows as it needs, the first behind a bullet.
func (w *reportWriter) paragraph(bullet, text string) {
	for i, line := range w.wrap(text, max(w.width-5, 10)) {
		if i > 0 {
			bullet = " "
		}
		w.add("   " + bullet + " " + line)
	}
}

// summary is the answer: the verdict and how many metrics it rests on.
func (w *reportWriter) summary(r *report.Report, err error) {
	metrics, failed, warned := judged(r)
	title := "run"
	if len(r.Scenarios) == 1 {
		title = clean(r.Scenarios[0].Title)
	} else if len(r.Scenarios) > 1 {
		title = fmt.Sprintf("%d scenarios", len(r.Scenarios))
	}
	w.add("")
	left := " " + w.word(strings.ToUpper(string(r.Verdict))) + "  " + w.strong.on(title)
	counts := fmt.Sprintf("%d of %d limits failed", failed, metrics)
	if metrics == 0 {
		counts = "nothing was judged"
	}
	if warned > 0 {
		counts += fmt.Sprintf(", %d near", warned)
	}
	right := counts
	if r.Grade != "" {
		right += fmt.Sprintf("   score %.2f   grade %s", r.Score, r.Grade)
	}
	right += "   " + report.Clock(r.DurationSeconds) + " "
	if ansi.StringWidth(left)+ansi.StringWidth(right)+2 <= w.width {
		w.add(w.ends(left, w.muted.on(right), w.width))
	} else {
		w.add(left)
		w.add(" " + w.muted.on(right))
	}
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		w.add("")
		w.paragraph(w.fail.on("!"), clean(message))
	}
	if len(r.Recommendations) > 0 {
		w.add("")
		for _, text := range r.Recommendations {
			w.paragraph(w.accent.on(w.chevron), clean(text))
		}
	}
	if len(r.Scenarios) > 1 {
		w.add("")
		for _, sc := range r.Scenarios {
			w.add("   " + w.pad(w.word(strings.ToUpper(string(sc.Verdict))), 12) + " " + clean(cmp.Or(sc.Title, sc.Name)))
		}
	}
}

// judged counts what was held against something.
func judged(r *report.Report) (all, failed, warned int) {
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			for _, m := range step.Metrics {
				switch m.Status {
				case report.StatusFail:
					failed++
				case report.StatusWarn:
					warned++
				case report.StatusInfo:
					continue
				}
				all++
			}
			for _, t := range step.Thresholds {
				all++
				if !t.OK {
					failed++
				}
			}
		}
	}
	return all, failed, warned
}

func (w *reportWriter) scenario(sc *report.Scenario) {
	for i := range sc.Steps {
		step := &sc.Steps[i]
		w.add("")
		name := clean(sc.Name) + " " + w.chevron + " " + clean(step.Name)
		info := clean(step.Measurement) + "  " + report.Clock(step.DurationSeconds)
		if step.Steered {
			info += "  steered by hand"
		}
		w.rule(w.word(strings.ToUpper(string(step.Verdict)))+" "+w.strong.on(name), w.muted.on(info))
		w.step(step)
	}
}

// rule is a heading with a line to the right end.
func (w *reportWriter) rule(title, notes string) {
	row := w.styles.rule(w.horizontal, w.horizontal, title, notes, w.width, false)
	w.add(row)
}

func (w *reportWriter) step(step *report.Step) {
	for _, t := range step.Thresholds {
		w.threshold(t, step)
	}
	for _, name := range metricOrder(step.Metrics) {
		w.metric(name, step.Metrics[name])
	}
	if o := step.Operations; o.Attempted > 0 {
		w.add("   " + w.muted.on("operations ") + fmt.Sprintf("%s attempted  %s succeeded  %s failed  %s dropped",
			report.Quantity(float64(o.Attempted), count), report.Quantity(float64(o.Succeeded), count),
			report.Quantity(float64(o.Failed), count), report.Quantity(float64(o.Dropped), count)))
	}
	for _, f := range step.Faults {
		w.add("   " + w.warn.on(string(w.fault)) + " " + w.muted.on("fault ") + clean(f.Fault) + w.muted.on(fmt.Sprintf("  injected %d times", f.Injected)))
	}
	for _, e := range step.Errors {
		when := "at " + report.Clock(e.FirstAtSeconds)
		if e.Count > 1 {
			when = fmt.Sprintf("%s times, first %s", report.Quantity(float64(e.Count), count), when)
		}
		w.paragraph(w.fail.on("!"), clean(e.Message)+" ("+when+")")
	}
	for _, text := range step.Recommendations {
		w.paragraph(w.accent.on(w.chevron), clean(text))
	}
}

// metricOrder puts the worst first, what is not judged last.
func metricOrder(metrics map[string]report.Metric) []string {
	order := []report.Status{report.StatusFail, report.StatusWarn, report.StatusPass, report.StatusExceed, report.StatusInfo}
	return slices.SortedFunc(maps.Keys(metrics), func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(order, metrics[a].Status), slices.Index(order, metrics[b].Status)), strings.Compare(a, b))
	})
}

// columns of the report's rows.
const (
	statusWidth = 7
	valueWidth  = 12
	limitWidth  = 18
	shareWidth  = 9
	spreadWidth = 8
)

// row writes one line of the table: what there is no room for is left out.
func (w *reportWriter) row(word, name, value, limit, bar, share, spread string) {
	nameWidth := w.width - 4 - statusWidth - 1 - valueWidth - 2
	tail := ""
	if w.width >= 64 {
		nameWidth -= limitWidth
		tail += w.muted.on(w.pad(limit, limitWidth))
	}
	if w.width >= 76 {
		nameWidth -= shareWidth
		tail += w.padLeft(share, shareWidth)
	}
	if w.width >= 96 {
		nameWidth -= barWidth + 2
		tail += "  " + w.pad(bar, barWidth)
	}
	if w.width >= 110 {
		nameWidth -= spreadWidth + 16
		tail += "  " + w.pad(spread, spreadWidth+14)
	}
	nameWidth = min(nameWidth, 44)
	w.add("   " + w.pad(w.word(word), statusWidth) + " " + w.pad(name, nameWidth) + w.padLeft(value, valueWidth) + "  " + tail)
}

func (w *reportWriter) threshold(t report.Threshold, step *report.Step) {
	m, _, _ := report.Find(step.Metrics, t.Metric)
	word, value := thresholdText(t, m.Unit)
	limit := "limit " + report.InUnit(clean(t.Condition), m.Unit)
	where := ""
	if t.WorstAtSeconds != nil {
		where = "worst at " + report.Clock(*t.WorstAtSeconds)
	}
	w.row(word, clean(t.Metric), value, limit, "", "", where)
}

func (w *reportWriter) metric(name string, m report.Metric) {
	limit, bar, share := "", "", ""
	if m.Baseline != nil {
		limit = "baseline " + report.Quantity(*m.Baseline, m.Unit)
	}
	if m.Deviation != nil {
		share = signed(*m.Deviation)
		bar = w.deviationBar(*m.Deviation, m.Status)
	}
	w.row(strings.ToUpper(string(m.Status)), clean(name), clean(m.Text()), limit, bar, share, w.spread(m.Samples))
	if d := m.Distribution; d != nil {
		text := ""
		for _, q := range []struct {
			name  string
			value float64
		}{{"min", d.Min}, {"p50", d.P50}, {"p90", d.P90}, {"p95", d.P95}, {"p99", d.P99}, {"p99.9", d.P999}, {"max", d.Max}} {
			text += q.name + " " + report.Quantity(q.value, m.Unit) + "  "
		}
		w.add(spaces(3+statusWidth+1) + w.muted.on(text))
	}
}

// spread shows the repetitions as a small chart and by how much they differ.
func (w *reportWriter) spread(samples []float64) string {
	if len(samples) < 2 {
		return ""
	}
	low, high := slices.Min(samples), slices.Max(samples)
	points := make([]stream.Point, len(samples))
	for i, v := range samples {
		points[i] = stream.Point{T: float64(i), V: v}
	}
	width := min(len(samples), spreadWidth)
	chart := w.sparkline(drawable(points), span{0, float64(len(samples) - 1)}, width)
	text := w.spark.on(chart)
	if middle := (high + low) / 2; middle != 0 {
		text += w.muted.on(" ±" + report.Percent((high-low)/2/middle))
	}
	return text
}
