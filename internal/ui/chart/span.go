package chart

import (
	"fmt"
	"math"
)

// A Span is a part of the run, in seconds since its start.
type Span struct{ From, To float64 }

// Length returns the duration of the span in seconds.
func (at Span) Length() float64 { return at.To - at.From }

// Column returns the column of a time, or -1 if it is not shown.
func (at Span) Column(t float64, cols int) int {
	if t < at.From || t > at.To || at.To <= at.From {
		return -1
	}
	return int(math.Round((t - at.From) / at.Length() * float64(cols-1)))
}

// spanText formats one of the durations that a chart can be zoomed to.
func spanText(seconds float64) string {
	switch {
	case seconds >= 3600:
		return fmt.Sprintf("%g h", seconds/3600)
	case seconds >= 120:
		return fmt.Sprintf("%g min", seconds/60)
	default:
		return fmt.Sprintf("%g s", seconds)
	}
}
