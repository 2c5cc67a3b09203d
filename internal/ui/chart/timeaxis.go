package chart

import (
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// An Mark is a mark in the lower border of a chart.
type Mark struct {
	T    float64
	Kind MarkKind
	// text is written behind it where there is room.
	Text string
}

// A MarkKind says what a mark stands for; the later is more important.
type MarkKind int

const (
	RepetitionMark MarkKind = iota
	FaultMark
	ManualMark
	BookmarkMark
)

// TimeAxis is the lower border of a chart: it is the axis of elapsed time, with
// the marks of the run on it. held says that its right end is not now.
func TimeAxis(s *theme.Theme, at Span, marks []Mark, held bool, width int, focused bool) string {
	cols := width - 2 - Gutter
	if cols < 4 {
		return widget.BottomBorder(s, width, focused)
	}
	border := widget.BorderStyle(s, focused)
	cells := slices.Repeat([]Cell{{R: []rune(s.Horizontal)[0], Paint: border}}, width)
	cells[0].R, cells[width-1].R = []rune(s.BottomLeft)[0], []rune(s.BottomRight)[0]
	axis := cells[1+Gutter : width-1]
	write := func(col int, text string, p theme.Style) {
		for i, r := range []rune(text) {
			if c := col + i; c >= 0 && c < cols {
				axis[c] = Cell{R: r, Paint: p, Layer: labelLayer}
			}
		}
	}
	blank := func(from, to int) bool {
		return from >= 0 && to <= cols && !slices.ContainsFunc(axis[from:to], func(c Cell) bool { return c.Layer == labelLayer })
	}
	// Marks before numbers, because half a number would tell a wrong time; but
	// where a repetition began is also told by the line above, so that numbers
	// may hide it.
	kinds := make([]MarkKind, cols)
	for _, m := range marks {
		if col := at.Column(m.T, cols); col >= 0 && m.Kind >= kinds[col] {
			kinds[col] = m.Kind
			r, p := MarkGlyph(s, m.Kind)
			axis[col] = Cell{R: r, Paint: p}
			if m.Kind != RepetitionMark {
				axis[col].Layer = labelLayer
			}
		}
	}
	end := " now "
	if held {
		end = " " + theme.ClockTenths(at.To) + " "
	}
	// A mark at the very end stays in sight: the number gives way.
	if text := strings.TrimRight(end, " "); !blank(cols-1, cols) {
		end = text
		write(max(cols-1-len(end), 0), end, s.Muted)
	} else {
		write(max(cols-len(end), 0), end, s.Muted)
	}
	numbers := func(room float64, over bool) (written bool) {
		step := tickStep(at.Length() * room / float64(cols))
		for k := int(max(at.From, 0) / step); float64(k)*step <= at.To; k++ {
			t := float64(k) * step
			text := " " + report.Clock(t) + " "
			left := at.Column(t, cols) - len(text)/2
			if left >= 0 && left+len(text) <= cols-len(end) && (over || blank(left, left+len(text))) {
				write(left, text, s.Muted)
				written = true
			}
		}
		return written
	}
	// Among very many marks some give way: without a number nothing tells when.
	if !numbers(14, false) && !numbers(7, false) {
		numbers(14, true)
	}
	for _, m := range marks {
		col := at.Column(m.T, cols)
		if m.Text == "" || col < 0 || kinds[col] != m.Kind {
			continue
		}
		short, _, _ := strings.Cut(m.Text, "_") // what is done, as kill of kill_agents
		for _, text := range []string{narrow(m.Text), narrow(short)} {
			if blank(col+1, col+1+len([]rune(text))+1) {
				_, p := MarkGlyph(s, m.Kind)
				write(col+1, text, p)
				break
			}
		}
	}
	return RenderCells([][]Cell{cells}, []string{""})[0]
}

// MarkGlyph returns how a mark is drawn.
func MarkGlyph(s *theme.Theme, kind MarkKind) (rune, theme.Style) {
	switch kind {
	case FaultMark:
		return s.Fault, s.Warn
	case ManualMark:
		return s.Manual, s.Accent
	case BookmarkMark:
		return s.UserMark, s.Accent
	default:
		return s.Repetition, s.Muted
	}
}

// tickStep rounds up to a time between ticks that people count in.
func tickStep(seconds float64) float64 {
	for _, step := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600} {
		if step >= seconds {
			return step
		}
	}
	return 24 * 3600
}
