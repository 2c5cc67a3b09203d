package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/ui/theme"
)

// dotsPerRow is the number of braille dots above each other in a cell.
const dotsPerRow = 4

// An axis maps values to the height of a plot. Its ticks are a whole number of
// rows apart, so each tick is exactly where its label is.
type axis struct {
	height int
	unit   string
	log    bool
	// every is the distance between two ticks in rows; step is the same in
	// units of the axis, or in powers of ten if it is logarithmic.
	every int
	step  float64
	// low is the exponent at the bottom of a logarithmic axis. A linear axis
	// begins at 0.
	low float64
}

// smallest is the least value that differs from 0. No probe measures less.
const smallest = 1e-9

// newAxis returns the axis for values up to high. low is the smallest value
// above 0.
func newAxis(low, high float64, unit string, log bool, height int) axis {
	a := axis{height: height, unit: unit, log: log, every: height, step: 1}
	switch {
	case high < smallest:
		a.log = false
	case log:
		a.fitPowers(low, high)
	default:
		a.fitSteps(high)
	}
	return a
}

// bottom is the number of dots below the lowest value. It puts a tick in the
// middle of its row, where its label and the dashes of a limit are.
const bottom = 1

// dots is the height of the axis in dots, from the lowest value to the top.
func (a axis) dots() float64 { return float64(a.height*dotsPerRow - 1 - bottom) }

// fitSteps chooses a round step that puts the highest value close below the
// top. Of all tick distances that leave enough ticks, it takes the one that
// wastes the least height.
func (a *axis) fitSteps(high float64) {
	high *= 1.02
	if a.unit == theme.Count {
		high = max(high, 1)
	}
	best := math.Inf(1)
	least := max(a.height/6, min(2, a.height-1), 1)
	for every := least; every <= max((a.height-1)/2, least); every++ {
		step := niceStep(high * float64(every*dotsPerRow) / a.dots())
		if a.unit == theme.Count {
			step = max(step, 1) // counts have no fractions
		}
		if top := step * a.dots() / float64(every*dotsPerRow); top < best*(1-1e-9) {
			best, a.every, a.step = top, every, step
		}
	}
}

// niceStep rounds up to a round number.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 4, 5} {
		if f*power >= v*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// fitPowers puts a tick at every power of ten, or at every second or third one
// if there are too many.
func (a *axis) fitPowers(low, high float64) {
	const most = 9 // powers of ten; smaller values are drawn at the bottom
	top := math.Log10(high) + 0.02
	a.low = math.Floor(math.Log10(max(low, smallest)) + 1e-9)
	a.low = max(a.low, math.Ceil(top)-most)
	powers := max(top-a.low, 1)
	rows := a.dots() / dotsPerRow
	for a.step = 1; ; a.step++ {
		a.every = int(rows * a.step / powers)
		if a.every >= min(2, a.height) {
			break
		}
	}
}

// dot returns the height of a value in dots, limited to the axis.
func (a axis) dot(v float64) int {
	share := v / a.step
	if a.log {
		if v <= 0 {
			return bottom
		}
		share = (math.Log10(v) - a.low) / a.step
	}
	dot := share * float64(a.every*dotsPerRow)
	return bottom + int(math.Round(min(max(dot, 0), a.dots())))
}

// shows reports whether a value is between bottom and top.
func (a axis) shows(v float64) bool {
	low, high := a.bounds()
	return v >= low*(1-1e-6) && v <= high*(1+1e-6)
}

// bounds returns the values at the bottom and at the top.
func (a axis) bounds() (low, high float64) {
	steps := a.dots() / float64(a.every*dotsPerRow)
	if a.log {
		return math.Pow(10, a.low), math.Pow(10, a.low+steps*a.step)
	}
	return 0, a.step * steps
}

// row returns the row of a value, counted from the top.
func (a axis) row(v float64) int { return a.height - 1 - a.dot(v)/dotsPerRow }

// gutter is the width of a plot's scale, with its ticks.
const gutter = 8

// labels returns the scale: one text for each row, as wide as the gutter.
func (a axis) labels(t *theme.Theme) []string {
	out := slices.Repeat([]string{theme.Spaces(gutter)}, a.height)
	label := func(row int, v float64) {
		if row >= 0 && row < a.height {
			out[row] = t.Muted.Render(t.PadLeft(axisLabel(v, a.unit), gutter-1)) + t.Faint.Render(string(t.Tick))
		}
	}
	for i := 0; i*a.every < a.height; i++ {
		row := a.height - 1 - i*a.every
		if !a.log {
			label(row, float64(i)*a.step)
			continue
		}
		power := math.Pow(10, a.low+float64(i)*a.step)
		label(row, power)
		if a.step > 1 || a.every < 6 {
			continue
		}
		for _, between := range []float64{2, 5} {
			if a.shows(between * power) {
				label(a.row(between*power), between*power)
			}
		}
	}
	return out
}

// axisLabel formats a value to fit the gutter.
func axisLabel(v float64, unit string) string {
	text := ""
	switch {
	case unit == theme.Count || unit == theme.PerSecond:
		text = strings.TrimSuffix(quantity.Format(v, theme.PerSecond), "/s")
	case unit == theme.Percent:
		text = strconv.FormatFloat(v, 'g', 4, 64) + " %"
	case unit == theme.Ratio:
		text = strconv.FormatFloat(100*v, 'g', 4, 64) + " %"
	case unit == theme.Millis && v >= 100e3:
		text = strconv.FormatFloat(v/1e3, 'g', 4, 64) + " s"
	case unit == theme.BytesPerSecond:
		text = quantity.Format(v, theme.Bytes)
	default:
		text = quantity.Format(v, unit)
	}
	if ansi.StringWidth(text) > gutter-1 {
		text = strconv.FormatFloat(v, 'e', 0, 64)
	}
	return text
}
