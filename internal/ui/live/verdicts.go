package live

import (
	"slices"
	"strings"

	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// verdictTable is the list of the checks of the run.
type verdictTable struct {
	// all are the rows in the order of the run.
	all        []check.Row
	worstFirst bool
	filter     widget.Filter
	scroll     widget.Scroll
}

// rows are the checks that match the filter, in order.
func (v *verdictTable) rows() []check.Row {
	var out []check.Row
	for _, r := range v.all {
		if v.filter.Matches(r.Word, r.Step, r.Metric) {
			out = append(out, r)
		}
	}
	if v.worstFirst {
		check.SortWorst(out)
	}
	return out
}

// best is the row to begin with: the worst, or one that keeps the running step
// visible.
func (v *verdictTable) best(rows []check.Row, room int) int {
	if v.worstFirst {
		return 0
	}
	if running := slices.IndexFunc(rows, func(r check.Row) bool { return r.Word == theme.Running }); running >= 0 {
		return running - room/3
	}
	return len(rows)
}

// drawVerdicts draws the list of checks.
func (s *Screen) drawVerdicts(width, height int, focused bool) []string {
	t, v := s.host.Theme, &s.verdicts
	room := max(height-2, 0)
	heading := room >= 6
	if heading {
		room--
	}
	rows := v.rows()
	from, to := v.scroll.Window(len(rows), room, v.best(rows, room))
	notes := check.Count(v.all).Text(t)
	if v.worstFirst {
		notes += t.Muted.Render("  worst first")
	}
	if from > 0 || to < len(rows) {
		notes += t.Muted.Render(" " + t.Up + " more")
	}
	p := widget.Panel{Title: t.Strong.Render("Verdicts"), Notes: strings.TrimSpace(v.filter.Note(t) + "  " + notes), Focused: focused}
	switch {
	case len(v.all) == 0:
		p.Rows = widget.Message(t, "waiting for the first step", width-2)
	case len(rows) == 0:
		p.Rows = widget.Message(t, "no verdict matches the filter", width-2)
	default:
		table := check.Fit(rows, width-2)
		if heading {
			p.Rows = append(p.Rows, table.Heading(t))
		}
		for _, r := range rows[from:to] {
			p.Rows = append(p.Rows, table.Row(t, r)...)
		}
	}
	return p.Draw(t, width, height)
}
