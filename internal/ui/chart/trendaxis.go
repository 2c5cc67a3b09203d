package chart

import (
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A TrendMark marks one of the runs of a trend by its index.
type TrendMark struct {
	Run      int
	Selected bool
}

// leastTrendAxis is the width of the narrowest axis of a trend that is drawn.
const leastTrendAxis = 12

// TrendAxis returns the lower border of a trend: marks below runs, and the dates
// of the first and the last run.
func TrendAxis(t *theme.Theme, at Span, marks []TrendMark, first, last string, width int) string {
	if width-2-gutter < leastTrendAxis {
		return widget.BottomBorder(t, width, false)
	}
	b := newBorder(t, width, false)
	cols := len(b.axis)
	for _, m := range marks {
		text, style := t.Marked, t.Accent
		if m.Selected {
			text, style = t.Here, t.Cursor
		}
		if col := at.Column(float64(m.Run), cols); col >= 0 {
			b.write(col, text, style)
		}
	}
	if cols < len(first)+len(last)+4 {
		return b.String()
	}
	if b.free(0, len(first)) {
		b.write(0, first, t.Muted)
	}
	if left := cols - 1 - len(last); b.free(left, cols-1) {
		b.write(left, last, t.Muted)
	}
	return b.String()
}
