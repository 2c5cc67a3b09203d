package ui

import (
	"cmp"
	"slices"
	"strings"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// verdictTable is the table of what the run is held against.
type verdictTable struct {
	// all are its rows in the order of the run.
	all        []verdictRow
	worstFirst bool
	filter     widget.Filter
	scroll     widget.Scroll
}

// rows are those that match the filter, in order.
func (t *verdictTable) rows() []verdictRow {
	var out []verdictRow
	for _, r := range t.all {
		if t.filter.Matches(r.word, r.step, r.metric) {
			out = append(out, r)
		}
	}
	if t.worstFirst {
		slices.SortStableFunc(out, func(a, b verdictRow) int { return cmp.Compare(a.urgency(), b.urgency()) })
	}
	return out
}

// urgency sorts rows: what failed comes first, and of what is as bad that which
// is farthest off.
func (r verdictRow) urgency() float64 {
	words := []string{"ERROR", "FAIL", "INCONCLUSIVE", theme.Undecided, "INTERRUPTED", "NONE", "WARN", theme.Running, theme.Waiting, "PASS", "EXCEED"}
	rank := slices.Index(words, r.word)
	if rank < 0 {
		rank = len(words)
	}
	off := 0.0
	if r.deviation != nil {
		off = min(max(*r.deviation, -1), 1) / 4
	}
	return float64(rank) + off
}

// drawVerdicts draws the table, in a panel of that size.
func (l *live) drawVerdicts(s *theme.Theme, width, height int, focused bool) []string {
	t := &l.verdicts
	room := max(height-2, 0)
	heading := room >= 6
	if heading {
		room--
	}
	shown := t.rows()
	// By itself it keeps the running step in sight.
	best := len(shown)
	if running := slices.IndexFunc(shown, func(r verdictRow) bool { return r.word == theme.Running }); t.worstFirst {
		best = 0
	} else if running >= 0 {
		best = running - room/3
	}
	from, to := t.scroll.Window(len(shown), room, best)
	table := fitChecks(shown, width-2)
	var rows []string
	if heading {
		rows = append(rows, table.layout.Heading(s))
	}
	for _, r := range shown[from:to] {
		rows = append(rows, table.row(s, r)...)
	}
	switch {
	case len(t.all) == 0:
		rows = widget.Message(s, "waiting for the first step", width-2)
	case len(shown) == 0:
		rows = widget.Message(s, "no verdict matches the filter", width-2)
	}
	notes := tallyOf(t.all).text(s)
	if t.worstFirst {
		notes += s.Muted.Render("  worst first")
	}
	if from > 0 || to < len(shown) {
		notes += s.Muted.Render(" " + s.Up + " more")
	}
	return widget.Panel{Title: s.Strong.Render("Verdicts"), Notes: strings.TrimSpace(t.filter.Note(s) + "  " + notes), Rows: rows, Focused: focused}.Draw(s, width, height)
}
