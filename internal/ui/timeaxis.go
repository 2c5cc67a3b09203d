package ui

import (
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A userMark is a moment that the reader marked.
type userMark struct {
	t      float64
	number int
}

func (m userMark) text() string { return strconv.Itoa(m.number) }

// maxUserMarks bounds them; the oldest is forgotten.
const maxUserMarks = 99

// An axisMark is a mark in the lower border of a chart.
type axisMark struct {
	t    float64
	kind markKind
	// text is written behind it where there is room.
	text string
}

// A markKind says what a mark stands for; the later is more important.
type markKind int

const (
	repetitionMark markKind = iota
	faultMark
	handMark
	readerMark
)

// axisMarks returns the marks of a span, in the order of time.
func (l *live) axisMarks(at span) []axisMark {
	var out []axisMark
	for _, m := range l.shown.Marks {
		if m.T < at.from || m.T > at.to {
			continue
		}
		switch {
		case m.ByHand:
			out = append(out, axisMark{m.T, handMark, theme.Clean(m.Text)})
		case m.Type == stream.FaultInjected:
			out = append(out, axisMark{m.T, faultMark, theme.Clean(m.Text)})
		default:
			out = append(out, axisMark{m.T, repetitionMark, ""})
		}
	}
	for _, m := range l.marks {
		if m.t >= at.from && m.t <= at.to {
			out = append(out, axisMark{m.t, readerMark, m.text()})
		}
	}
	slices.SortStableFunc(out, func(a, b axisMark) int {
		switch {
		case a.t < b.t:
			return -1
		case a.t > b.t:
			return 1
		}
		return 0
	})
	return out
}

// uprights returns the vertical lines of a span: where a step or a repetition
// began, and what the reader marked.
func (l *live) uprights(s *theme.Theme, at span) []upright {
	var out []upright
	for _, m := range l.shown.Marks {
		if m.T >= at.from && m.Type != stream.FaultInjected && !m.ByHand {
			out = append(out, upright{m.T, s.Faint})
		}
	}
	for _, m := range l.marks {
		out = append(out, upright{m.t, s.Accent})
	}
	return out
}

// timeAxis is the lower border of a chart: it is the axis of elapsed time, with
// the marks of the run on it. held says that its right end is not now.
func timeAxis(s *theme.Theme, at span, marks []axisMark, held bool, width int, focused bool) string {
	cols := width - 2 - gutter
	if cols < 4 {
		return bottomBorder(s, width, focused)
	}
	border := border(s, focused)
	cells := slices.Repeat([]cell{{r: []rune(s.Horizontal)[0], paint: border}}, width)
	cells[0].r, cells[width-1].r = []rune(s.BottomLeft)[0], []rune(s.BottomRight)[0]
	axis := cells[1+gutter : width-1]
	write := func(col int, text string, p theme.Style) {
		for i, r := range []rune(text) {
			if c := col + i; c >= 0 && c < cols {
				axis[c] = cell{r: r, paint: p, layer: labelLayer}
			}
		}
	}
	blank := func(from, to int) bool {
		return from >= 0 && to <= cols && !slices.ContainsFunc(axis[from:to], func(c cell) bool { return c.layer == labelLayer })
	}
	// Marks before numbers, because half a number would tell a wrong time; but
	// where a repetition began is also told by the line above, so that numbers
	// may hide it.
	kinds := make([]markKind, cols)
	for _, m := range marks {
		if col := at.column(m.t, cols); col >= 0 && m.kind >= kinds[col] {
			kinds[col] = m.kind
			r, p := markOf(s, m.kind)
			axis[col] = cell{r: r, paint: p}
			if m.kind != repetitionMark {
				axis[col].layer = labelLayer
			}
		}
	}
	end := " now "
	if held {
		end = " " + theme.ClockTenths(at.to) + " "
	}
	// A mark at the very end stays in sight: the number gives way.
	if text := strings.TrimRight(end, " "); !blank(cols-1, cols) {
		end = text
		write(max(cols-1-len(end), 0), end, s.Muted)
	} else {
		write(max(cols-len(end), 0), end, s.Muted)
	}
	numbers := func(room float64, over bool) (written bool) {
		step := tickStep(at.length() * room / float64(cols))
		for k := int(max(at.from, 0) / step); float64(k)*step <= at.to; k++ {
			t := float64(k) * step
			text := " " + report.Clock(t) + " "
			left := at.column(t, cols) - len(text)/2
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
		col := at.column(m.t, cols)
		if m.text == "" || col < 0 || kinds[col] != m.kind {
			continue
		}
		short, _, _ := strings.Cut(m.text, "_") // what is done, as kill of kill_agents
		for _, text := range []string{narrow(m.text), narrow(short)} {
			if blank(col+1, col+1+len([]rune(text))+1) {
				_, p := markOf(s, m.kind)
				write(col+1, text, p)
				break
			}
		}
	}
	return render([][]cell{cells}, []string{""})[0]
}

// markOf returns how a mark is drawn.
func markOf(s *theme.Theme, kind markKind) (rune, theme.Style) {
	switch kind {
	case faultMark:
		return s.Fault, s.Warn
	case handMark:
		return s.Manual, s.Accent
	case readerMark:
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
