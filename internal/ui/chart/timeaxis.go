package chart

import (
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Mark is an event on the time axis of a chart.
type Mark struct {
	T    float64
	Kind MarkKind
	// Text follows the mark where there is room.
	Text string
}

// A MarkKind is what a mark stands for. Later kinds are more important.
type MarkKind int

// The kinds of marks.
const (
	RepetitionMark MarkKind = iota
	FaultMark
	ManualMark
	Bookmark
)

// Glyph returns the character and the style of a mark.
func (k MarkKind) Glyph(t *theme.Theme) (rune, theme.Style) {
	switch k {
	case FaultMark:
		return t.Fault, t.Warn
	case ManualMark:
		return t.Manual, t.Accent
	case Bookmark:
		return t.UserMark, t.Accent
	default:
		return t.Repetition, t.Muted
	}
}

// leastAxis is the width of the narrowest axis that is drawn.
const leastAxis = 4

// TimeAxis returns the lower border of a chart, which is the axis of elapsed time
// with the marks of the run. following is true if the right end is now.
func TimeAxis(t *theme.Theme, at Span, marks []Mark, following bool, width int, focused bool) string {
	if width-2-gutter < leastAxis {
		return widget.BottomBorder(t, width, focused)
	}
	b := newBorder(t, width, focused)
	cols := len(b.axis)
	kinds := b.drawMarks(t, at, marks)
	end := " now "
	if !following {
		end = " " + theme.ClockTenths(at.To) + " "
	}
	if !b.free(cols-1, cols) {
		// The mark at the very end stays visible.
		end = strings.TrimRight(end, " ")
		b.write(max(cols-1-len(end), 0), end, t.Muted)
	} else {
		b.write(max(cols-len(end), 0), end, t.Muted)
	}
	// Numbers give way to marks. But an axis needs one number at least.
	if !b.drawTimes(t, at, 14, cols-len(end), false) && !b.drawTimes(t, at, 7, cols-len(end), false) {
		b.drawTimes(t, at, 14, cols-len(end), true)
	}
	for _, m := range marks {
		if col := at.Column(m.T, cols); m.Text != "" && col >= 0 && kinds[col] == m.Kind {
			b.labelMark(t, m, col)
		}
	}
	return b.String()
}

// drawMarks draws the most important mark of each column, and returns its kind.
// Numbers may hide the start of a repetition, which has a vertical line as well.
func (b border) drawMarks(t *theme.Theme, at Span, marks []Mark) []MarkKind {
	kinds := make([]MarkKind, len(b.axis))
	for _, m := range marks {
		col := at.Column(m.T, len(b.axis))
		if col < 0 || m.Kind < kinds[col] {
			continue
		}
		kinds[col] = m.Kind
		r, style := m.Kind.Glyph(t)
		b.axis[col] = Cell{Rune: r, Style: style}
		if m.Kind != RepetitionMark {
			b.axis[col].layer = labelLayer
		}
	}
	return kinds
}

// drawTimes writes times up to column end, one about every distance columns. It
// reports whether it wrote any.
func (b border) drawTimes(t *theme.Theme, at Span, distance float64, end int, over bool) (written bool) {
	cols := len(b.axis)
	step := tickStep(at.Length() * distance / float64(cols))
	for k := int(max(at.From, 0) / step); float64(k)*step <= at.To; k++ {
		time := float64(k) * step
		text := " " + quantity.Clock(time) + " "
		left := at.Column(time, cols) - len(text)/2
		if left >= 0 && left+len(text) <= end && (over || b.free(left, left+len(text))) {
			b.write(left, text, t.Muted)
			written = true
		}
	}
	return written
}

// labelMark writes the text of a mark behind it, or its first word, such as kill
// of kill_agents, where there is room.
func (b border) labelMark(t *theme.Theme, m Mark, col int) {
	short, _, _ := strings.Cut(m.Text, "_")
	for _, text := range []string{oneColumn(m.Text), oneColumn(short)} {
		if b.free(col+1, col+1+len([]rune(text))+1) {
			_, style := m.Kind.Glyph(t)
			b.write(col+1, text, style)
			return
		}
	}
}

// tickStep rounds a duration up to a round one.
func tickStep(seconds float64) float64 {
	for _, step := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600} {
		if step >= seconds {
			return step
		}
	}
	return 24 * 3600
}
