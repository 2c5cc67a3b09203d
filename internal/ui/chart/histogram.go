package chart

import (
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// A band is the operations between two quantiles of a distribution.
type band struct {
	from, to float64
	// share is the part of all operations that the band contains.
	share float64
}

// A ValueMark is a value marked on the axis of a histogram.
type ValueMark struct {
	Value float64
	Label string
	limit bool
}

// bandsOf returns the operations between each two quantiles of a distribution.
// A logarithmic scale has no 0, so 0 is drawn at a tenth of the smallest other
// value.
func bandsOf(d report.Distribution) []band {
	edges := []float64{d.Min, d.P50, d.P90, d.P95, d.P99, d.P999, d.Max}
	shares := []float64{0.5, 0.4, 0.05, 0.04, 0.009, 0.001}
	least := math.Inf(1)
	for _, v := range edges {
		if v > 0 {
			least = min(least, v)
		}
	}
	if math.IsInf(least, 1) || math.IsInf(d.Max, 0) || math.IsNaN(d.Max) {
		return nil
	}
	last := least
	if d.Min <= 0 {
		last = least / 10
	}
	var bands []band
	for i, share := range shares {
		// Rounding in merged histograms may swap quantiles.
		to := max(edges[i+1], last)
		bands = append(bands, band{last, to, share})
		last = to
	}
	return bands
}

// Histogram draws a distribution over a logarithmic scale. The height of a
// column is the share of operations in it, taken as uniform between two
// quantiles. It returns height rows of columns, a row with the marks, and a row
// with their labels.
func Histogram(t *theme.Theme, d report.Distribution, limits []ValueMark, width, height int) []string {
	bands := bandsOf(d)
	if len(bands) == 0 || width < 8 || height < 1 {
		return nil
	}
	low, high := bands[0].from, bands[len(bands)-1].to
	if high <= low*1.01 { // all values are the same: give them some width
		low, high = low/1.5, high*1.5
	}
	place := func(v float64) float64 { return math.Log(v/low) / math.Log(high/low) * float64(width) }
	mass := make([]float64, width)
	for _, b := range bands {
		from, to := place(b.from), place(b.to)
		if to-from < 1 { // narrower than a column
			mass[min(max(int((from+to)/2), 0), width-1)] += b.share
			continue
		}
		for col := int(from); col < min(int(math.Ceil(to)), width); col++ {
			inside := min(to, float64(col+1)) - max(from, float64(col))
			mass[max(col, 0)] += b.share * max(inside, 0) / (to - from)
		}
	}
	highest := 0.0
	for _, m := range mass {
		highest = max(highest, m)
	}
	levels := len(t.Sparks)
	var rows []string
	for row := range height {
		var line strings.Builder
		for _, m := range mass {
			// Every share above 0 is visible.
			level := int(math.Ceil(m/highest*float64(height*levels))) - (height-1-row)*levels
			switch {
			case m <= 0 || level <= 0:
				line.WriteByte(' ')
			default:
				line.WriteRune(t.Sparks[min(level, levels)-1])
			}
		}
		rows = append(rows, t.Spark.Render(line.String()))
	}
	marks := []ValueMark{{d.P50, "p50", false}, {d.P99, "p99", false}, {d.P90, "p90", false}, {d.P999, "p99.9", false}, {d.P95, "p95", false}}
	for i := range limits {
		limits[i].limit = true
	}
	return append(rows, ticks(t, append(limits, marks...), place, width)...)
}

// ticks draws an axis with marks, and below it as many of their labels as there
// is room for, in the order of the marks.
func ticks(t *theme.Theme, marks []ValueMark, place func(float64) float64, width int) []string {
	axis, names := make([]Cell, width), make([]Cell, width)
	for i := range axis {
		axis[i] = Cell{Rune: []rune(t.Horizontal)[0], Style: t.Faint}
	}
	for _, m := range marks {
		col := int(place(m.Value))
		if m.Value <= 0 || col < 0 || col > width {
			continue
		}
		col = min(col, width-1)
		look, r := t.Muted, t.AxisMark
		if m.limit {
			look, r = t.Limit, t.LimitMark
		}
		if axis[col].Rune != t.LimitMark {
			axis[col] = Cell{Rune: r, Style: look}
		}
		label := []rune(oneColumn(m.Label))
		left := min(max(col-len(label)/2, 0), width-len(label))
		if left < 0 || taken(names, left-1, left+len(label)+1) {
			continue
		}
		for i, r := range label {
			names[left+i] = Cell{Rune: r, Style: look}
		}
	}
	return []string{Render(axis), Render(names)}
}

// taken reports whether any cell in a part of a row is in use.
func taken(row []Cell, from, to int) bool {
	for _, c := range row[max(from, 0):min(to, len(row))] {
		if c.Rune != 0 {
			return true
		}
	}
	return false
}

// Quantiles lists the quantiles of a distribution in as many rows as they need.
func Quantiles(t *theme.Theme, d report.Distribution, unit string, width int) []string {
	var rows []string
	row := ""
	for _, q := range []struct {
		name  string
		value float64
	}{{"min", d.Min}, {"p50", d.P50}, {"p90", d.P90}, {"p95", d.P95}, {"p99", d.P99}, {"p99.9", d.P999}, {"max", d.Max}, {"mean", d.Mean}} {
		item := t.Muted.Render(q.name) + " " + t.Strong.Render(quantity.Format(q.value, unit))
		if row != "" && ansi.StringWidth(row)+2+ansi.StringWidth(item) > width {
			rows = append(rows, row)
			row = ""
		}
		if row != "" {
			row += "  "
		}
		row += item
	}
	return append(rows, row)
}
