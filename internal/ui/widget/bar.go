package widget

import (
	"math"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// FillBar draws how full something is, in a width; from nine tenths on it is
// told in the colour of a warning, besides the number that stands with it.
func FillBar(s *theme.Theme, share, warnFrom float64, width int) string {
	share = min(max(share, 0), 1)
	full := int(share*float64(width) + 0.5)
	if share > 0 && full == 0 {
		full = 1
	}
	paint := s.Accent
	if share >= warnFrom {
		paint = s.Warn
	}
	return paint.Render(strings.Repeat(s.BarFull, full)) + s.Faint.Render(strings.Repeat(s.BarEmpty, width-full))
}

// BarWidth is the width of a deviation bar.
const BarWidth = 11

// DeviationBar draws a share as a bar from the middle: to the right what is
// better than the baseline, full at twice as good or at nothing left.
func DeviationBar(s *theme.Theme, share float64, status report.Status) string {
	const half = BarWidth / 2
	n := min(int(math.Round(math.Abs(share)*half)), half)
	if n == 0 && share != 0 && math.Abs(share) > 0.02 {
		n = 1
	}
	paint := s.Accent
	switch status {
	case report.StatusFail:
		paint = s.Fail
	case report.StatusWarn:
		paint = s.Warn
	}
	full, empty := paint.Render(strings.Repeat(s.BarFull, n)), strings.Repeat(s.BarEmpty, half-n)
	if share < 0 {
		return s.Faint.Render(empty) + full + s.Muted.Render(s.BarMiddle) + s.Faint.Render(strings.Repeat(s.BarEmpty, half))
	}
	return s.Faint.Render(strings.Repeat(s.BarEmpty, half)) + s.Muted.Render(s.BarMiddle) + full + s.Faint.Render(empty)
}
