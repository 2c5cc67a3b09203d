package check

import (
	"cmp"
	"slices"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Table lays out rows. Where there is no room for both the deviation and the
// limit, one column shows the deviation, or the limit of a row that has none.
type Table struct {
	widget.Layout
	// merged is true if deviation and limit share a column.
	merged bool
}

// Fit lays out rows in a width.
func Fit(rows []Row, width int) Table {
	const value, deviation = 12, 9
	word, step, metric, limit, several := 7, 0, len("metric"), len("against"), false
	for _, r := range rows {
		step = max(step, min(theme.Width(r.Step), 22)+1)
		if !r.Whole() {
			word = max(word, len(r.Word))
			metric = max(metric, theme.Width(r.Metric))
			limit = max(limit, theme.Width(r.Limit))
		}
		several = several || r.Step != rows[0].Step
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
		return Table{Layout: both}
	}
	columns = append(columns[:4:4], widget.Column{Title: "against", Gap: 2, Width: max(deviation, limit), Rank: 1})
	return Table{widget.Table{Columns: columns, Indent: 1, Greedy: true}.Fit(width), true}
}

// Row returns the rows of the screen that a row takes.
func (tb Table) Row(t *theme.Theme, r Row) []string {
	word := t.Verdict(r.Word)
	if r.Whole() {
		text := r.Step
		if r.Metric != "" {
			text += ": " + r.Metric
		}
		return tb.Layout.Row(t, widget.Row{Cells: []string{word}, Text: text})
	}
	cells := []string{word, t.Muted.Render(r.Step), r.Metric, r.Value}
	limit := t.Muted.Render(r.Limit)
	deviation, bar := "", ""
	if r.Deviation != nil {
		deviation, bar = theme.Signed(*r.Deviation), widget.DeviationBar(t, *r.Deviation, r.Status)
	}
	switch {
	case !tb.merged:
		cells = append(cells, deviation, bar, limit)
	case deviation != "":
		cells = append(cells, deviation)
	default:
		cells = append(cells, limit)
	}
	return tb.Layout.Row(t, widget.Row{Cells: cells})
}

// urgency is the order of words, the worst first.
var urgency = []string{"ERROR", "FAIL", "INCONCLUSIVE", theme.Undecided, "INTERRUPTED", "NONE", "WARN", theme.Running, theme.Waiting, "PASS", "EXCEED"}

// SortWorst sorts rows, the worst first. Of equally bad ones, the farthest from
// the baseline comes first.
func SortWorst(rows []Row) {
	rank := func(r Row) float64 {
		at := slices.Index(urgency, r.Word)
		if at < 0 {
			at = len(urgency)
		}
		if r.Deviation == nil {
			return float64(at)
		}
		return float64(at) + min(max(*r.Deviation, -1), 1)/4
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(rank(a), rank(b)) })
}
