package format

import (
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// dots draw the repetitions of a metric between the lowest and the highest, with the
// baseline if it is near.
type dots struct {
	At       []string
	Baseline string
	Text     string
}

// dotsOf returns nil for fewer than two repetitions.
func dotsOf(m report.Metric) *dots {
	if len(m.Samples) < 2 || slices.ContainsFunc(m.Samples, func(v float64) bool { return !report.Finite(v) }) {
		return nil
	}
	low, high := slices.Min(m.Samples), slices.Max(m.Samples)
	texts := make([]string, len(m.Samples))
	for i, v := range m.Samples {
		texts[i] = quantity.Format(v, m.Unit)
	}
	d := &dots{Text: "repetitions: " + strings.Join(texts, ", ")}
	// A baseline far away would put all repetitions on one spot.
	near := m.Baseline != nil && math.Abs(*m.Baseline-low) < 4*(high-low) && math.Abs(*m.Baseline-high) < 4*(high-low)
	if near {
		low, high = min(low, *m.Baseline), max(high, *m.Baseline)
	}
	at := func(v float64) string {
		if high-low <= 0 || math.IsInf(high-low, 0) {
			return coordinate(50)
		}
		return coordinate(4 + 92*(v-low)/(high-low))
	}
	for _, v := range m.Samples {
		d.At = append(d.At, at(v))
	}
	if near {
		d.Baseline = at(*m.Baseline)
		d.Text += "; baseline " + quantity.Format(*m.Baseline, m.Unit)
	}
	return d
}
