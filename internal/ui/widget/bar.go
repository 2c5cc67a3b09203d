package widget

import (
	"math"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// FillBar draws how full something is. From warnFrom on it has the colour of a
// warning.
func FillBar(t *theme.Theme, share, warnFrom float64, width int) string {
	share = min(max(share, 0), 1)
	full := int(share*float64(width) + 0.5)
	if share > 0 && full == 0 {
		full = 1
	}
	style := t.Accent
	if share >= warnFrom {
		style = t.Warn
	}
	return style.Render(strings.Repeat(t.BarFull, full)) + t.Faint.Render(strings.Repeat(t.BarEmpty, width-full))
}

// BarWidth is the width of a deviation bar.
const BarWidth = 11

// DeviationBar draws a ratio as a bar from the middle: better goes to the right.
// The bar is full at 100 %.
func DeviationBar(t *theme.Theme, share float64, status report.Status) string {
	const half = BarWidth / 2
	n := min(int(math.Round(math.Abs(share)*half)), half)
	if n == 0 && share != 0 && math.Abs(share) > 0.02 {
		n = 1
	}
	style := t.Accent
	switch status {
	case report.StatusFail:
		style = t.Fail
	case report.StatusWarn:
		style = t.Warn
	}
	full, empty := style.Render(strings.Repeat(t.BarFull, n)), strings.Repeat(t.BarEmpty, half-n)
	if share < 0 {
		return t.Faint.Render(empty) + full + t.Muted.Render(t.BarMiddle) + t.Faint.Render(strings.Repeat(t.BarEmpty, half))
	}
	return t.Faint.Render(strings.Repeat(t.BarEmpty, half)) + t.Muted.Render(t.BarMiddle) + full + t.Faint.Render(empty)
}
