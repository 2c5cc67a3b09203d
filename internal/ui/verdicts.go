package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A verdictRow is one line of the verdict table: what a step is held against
// and how that went.
type verdictRow struct {
	// word is a verdict or a status in capitals, or one of those above.
	word, step, metric string
	// exact is how many exact conditions the row stands for; 0 for any other row.
	exact int
	// value is what was measured or, live, what is being.
	value, limit string
	// deviation is that from a baseline; nil where there is none.
	deviation *float64
	status    report.Status
}

// verdictRows returns a row for each limit of each step, in the order of the
// run; for a step without limits, and for one that is still to come, one row.
func verdictRows(s *fold.Snapshot) []verdictRow {
	var out []verdictRow
	begun := map[string]bool{}
	for _, step := range s.Steps {
		begun[step.Scenario+"\x00"+step.Step.Name] = true
		if step.Result == nil {
			out = append(out, runningRows(s, step)...)
		} else {
			out = append(out, finishedRows(step.Step, step.Result)...)
		}
	}
	if s.Scenario != nil && s.Report == nil {
		for _, name := range s.Scenario.Steps {
			if !begun[s.Scenario.Name+"\x00"+name] {
				out = append(out, verdictRow{word: theme.Waiting, step: theme.Clean(name)})
			}
		}
	}
	return out
}

func runningRows(s *fold.Snapshot, step fold.StepState) []verdictRow {
	word := theme.Running
	if s.Report != nil {
		word = strings.ToUpper(string(report.Interrupted))
	}
	name := theme.Clean(step.Step.Name)
	if len(step.Step.Limits) == 0 {
		return []verdictRow{{word: word, step: name}}
	}
	var out []verdictRow
	exact := 0
	for _, l := range step.Step.Limits {
		if l.Source == stream.SourceMust {
			exact++
			continue
		}
		row := verdictRow{word: word, step: name, metric: theme.Clean(l.Metric), limit: limitText(l)}
		if v, ok := s.Latest(l.Probe); ok && s.Report == nil {
			row.value = "now " + report.Quantity(v/cmp.Or(l.ProbeScale, 1), l.Unit)
		}
		out = append(out, row)
	}
	if exact > 0 {
		out = append(out, verdictRow{word: word, step: name, metric: exactText(exact), exact: exact})
	}
	return out
}

// exactText names conditions that are judged when the step ends.
func exactText(n int) string {
	if n == 1 {
		return "1 exact condition"
	}
	return fmt.Sprintf("%d exact conditions", n)
}

func finishedRows(step *stream.Step, result *report.Step) []verdictRow {
	name := theme.Clean(step.Name)
	whole := verdictRow{word: strings.ToUpper(string(result.Verdict)), step: name}
	var out []verdictRow
	if !result.Verdict.Whole() {
		whole.metric = theme.Clean(result.Reason()) // the metrics alone would not tell
		out = append(out, whole)
	}
	told := map[string]bool{}
	exact := 0
	metric := func(of string, m report.Metric) {
		told[of] = true
		row := metricRow(name, of, m)
		if m.Must != "" && m.Baseline == nil && m.Floor == nil && row.word == "PASS" {
			exact++
			return
		}
		out = append(out, row)
	}
	for _, l := range step.Limits {
		row := verdictRow{word: "NONE", step: name, metric: theme.Clean(l.Metric), limit: limitText(l), value: "not measured"}
		if l.Source == stream.SourceThreshold {
			for _, t := range result.Thresholds {
				if t.Metric == l.Metric {
					row.word, row.value = thresholdText(t, l.Unit)
				}
			}
			out = append(out, row)
			continue
		}
		of := l.Metric
		if _, ok := result.Metrics[of]; l.Source == stream.SourceMust && !ok {
			continue // of a step that was cut off, which its first row says
		}
		if l.Source == stream.SourceBaseline {
			of = heldAs(of, result.Metrics)
		}
		if m, ok := result.Metrics[of]; !ok || m.Status == report.StatusInfo {
			out = append(out, row) // such as a maximum of too few operations
		} else if !told[of] {
			metric(of, m)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(result.Metrics)) {
		if _, held := result.Metrics[of].Shown(); held && !told[of] { // a floor, which was not known before
			metric(of, result.Metrics[of])
		}
	}
	if exact > 0 {
		out = append(out, verdictRow{word: "PASS", step: name, metric: report.ExactConditions(exact), exact: exact})
	}
	if len(out) == 0 {
		out = append(out, whole)
	}
	return out
}

// heldAs is the metric that a baseline was held against: NAME.max is held at the
// highest percentile that there are operations enough for.
func heldAs(name string, metrics map[string]report.Metric) string {
	base, isMax := strings.CutSuffix(name, ".max")
	if !isMax || metrics[name].Baseline != nil {
		return name
	}
	for _, stat := range []string{"p999", "p99", "p95", "p90", "p50"} {
		if metrics[base+"."+stat].Baseline != nil {
			return base + "." + stat
		}
	}
	return name
}

// metricRow is the row of a metric that was judged.
func metricRow(step, name string, m report.Metric) verdictRow {
	row := verdictRow{word: statusWord(m), step: step, metric: theme.Clean(name), value: theme.Clean(m.Text()), status: m.Status}
	shown, ok := m.Shown()
	switch {
	case !ok:
	case shown.Kind == report.KindBaseline:
		row.limit, row.deviation = "vs "+theme.Clean(shown.Against), m.Deviation
	default:
		row.limit = theme.Clean(shown.Against)
	}
	return row
}

// statusWord is a metric's status in capitals.
func statusWord(m report.Metric) string {
	if m.Undecided != "" {
		return theme.Undecided
	}
	return strings.ToUpper(string(m.Status))
}

func thresholdText(t report.Threshold, unit string) (word, value string) {
	word, value = "PASS", "not measured"
	if !t.OK {
		word = "FAIL"
	}
	if t.Actual != nil {
		value = report.Quantity(*t.Actual, unit)
	}
	return word, value
}

// limitText is a limit as the table tells it.
func limitText(l stream.Limit) string {
	if l.Source == stream.SourceBaseline {
		return "vs " + report.Quantity(l.Value, l.Unit)
	}
	return shouldBe(l)
}

// A tally counts verdict rows.
type tally struct{ pass, warn, fail, undecided, open int }

func tallyOf(rows []verdictRow) tally {
	var t tally
	for _, r := range rows {
		n := max(r.exact, 1)
		switch r.word {
		case "PASS", "EXCEED":
			t.pass += n
		case theme.Undecided:
			t.undecided++
		case "WARN", "INCONCLUSIVE":
			t.warn++
		case "FAIL", "ERROR":
			t.fail++
		case theme.Running, theme.Waiting:
			t.open += n
		}
	}
	return t
}

func (t tally) judged() int { return t.pass + t.warn + t.fail + t.undecided }

// text writes a tally with a word for each number.
func (t tally) text(s *theme.Theme) string {
	var parts []string
	for _, p := range []struct {
		n     int
		word  string
		paint theme.Style
	}{{t.fail, "FAIL", s.Fail}, {t.undecided, theme.Undecided, s.Warn}, {t.warn, "WARN", s.Warn}, {t.pass, "PASS", s.Pass}} {
		if p.n > 0 {
			parts = append(parts, p.paint.Render(fmt.Sprintf("%d %s", p.n, p.word)))
		}
	}
	if t.open > 0 {
		parts = append(parts, s.Muted.Render(fmt.Sprintf("%d open", t.open)))
	}
	return strings.Join(parts, " ")
}

// A checkTable lays out checks. Where there is no room for both the deviation and
// the limit, one column shows the deviation, or the limit of a check that has none.
type checkTable struct {
	layout widget.Layout
	// merged is true if deviation and limit share a column.
	merged bool
}

func fitChecks(rows []verdictRow, width int) checkTable {
	const value, deviation = 12, 9
	word, step, metric, limit, several := 7, 0, len("metric"), len("against"), false
	for _, r := range rows {
		step = max(step, min(theme.Width(r.step), 22)+1)
		if r.limit != "" || r.exact > 0 {
			word = max(word, len(r.word))
			metric = max(metric, theme.Width(r.metric))
			limit = max(limit, theme.Width(r.limit))
		}
		several = several || r.step != rows[0].step
	}
	columns := []widget.Column{
		{Title: "verdict", Width: word},
		{Title: "step", Gap: 1, Width: step, Rank: 2},
		{Title: "metric", Gap: 1, Width: min(metric, max(width*2/5, 8))},
		{Title: "measured", Gap: 2, Width: value, Right: true},
		{Title: "deviation", Gap: 1, Width: deviation, Right: true, Rank: 1},
		{Gap: 2, Width: widget.BarWidth, Rank: 3},
		{Title: "against", Gap: 2, Width: limit, Rank: 1},
	}
	if !several {
		columns[1] = widget.Column{}
	}
	both := widget.Table{Columns: columns, Indent: 1, Greedy: true}.Fit(width)
	if both.Shows(6) {
		return checkTable{layout: both}
	}
	columns = append(columns[:4:4], widget.Column{Title: "against", Gap: 2, Width: max(deviation, limit), Rank: 1})
	return checkTable{widget.Table{Columns: columns, Indent: 1, Greedy: true}.Fit(width), true}
}

func (c checkTable) row(s *theme.Theme, r verdictRow) []string {
	word := s.Verdict(r.word)
	if r.limit == "" && r.exact == 0 {
		// The result of a whole step needs no columns.
		text := r.step
		if r.metric != "" {
			text += ": " + r.metric
		}
		return c.layout.Row(s, widget.Row{Cells: []string{word}, Text: text})
	}
	cells := []string{word, s.Muted.Render(r.step), r.metric, r.value}
	limit := s.Muted.Render(r.limit)
	deviation, bar := "", ""
	if r.deviation != nil {
		deviation, bar = theme.Signed(*r.deviation), widget.DeviationBar(s, *r.deviation, r.status)
	}
	switch {
	case !c.merged:
		cells = append(cells, deviation, bar, limit)
	case deviation != "":
		cells = append(cells, deviation)
	default:
		cells = append(cells, limit)
	}
	return c.layout.Row(s, widget.Row{Cells: cells})
}
