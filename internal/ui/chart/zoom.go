package chart

import (
	"slices"

	"mabeam-top/internal/stress/quantity"
)

// A Zoom is the part of the run that the charts show. The zero value follows
// the run with a length chosen from its duration.
type Zoom struct {
	// Length is in seconds; 0 means a length chosen from the duration.
	Length float64
	// Fixed stops following the run: the charts end at End, in seconds since
	// its start.
	Fixed bool
	End   float64
}

// zoomLengths are the lengths to zoom to, in seconds. By default the charts
// show the shortest from autoFrom to autoLength that contains the run.
var zoomLengths = []float64{5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600}

const autoFrom, autoLength = 10, 60

// Span returns the part shown of a run that has lasted until now.
func (z Zoom) Span(now float64) Span {
	length := z.Length
	if length == 0 {
		length = autoLength
		for _, l := range zoomLengths {
			if l >= autoFrom && l <= autoLength && now <= l {
				length = l
				break
			}
		}
	}
	end := now
	if z.Fixed {
		end = min(z.End, now)
	}
	return Span{end - length, end}
}

// In zooms in by steps, keeping the right end.
func (z Zoom) In(steps int, now float64) Zoom {
	length := z.Span(now).Length()
	i, _ := slices.BinarySearch(zoomLengths, length)
	last := len(zoomLengths) - 1
	// There is nothing to see beyond the run.
	for last > 0 && zoomLengths[last-1] >= max(now, autoFrom) {
		last--
	}
	z.Length = zoomLengths[min(max(i-steps, 0), last)]
	return z
}

// Scroll moves by a share of the length; a negative share goes back. Scrolling
// past the newest sample follows the run again.
func (z Zoom) Scroll(share, now float64) Zoom {
	at := z.Span(now)
	return z.EndAt(at.To+share*at.Length(), now)
}

// EndAt shows the part that ends at end, or the first part that is full.
func (z Zoom) EndAt(end, now float64) Zoom {
	length := z.Span(now).Length()
	z.End = max(end, min(length, now))
	z.Fixed = z.End < now
	if z.Fixed && z.Length == 0 {
		z.Length = length // the scale must not change while the run continues
	}
	return z
}

// Text describes the part shown.
func (z Zoom) Text(now float64) string {
	at := z.Span(now)
	if z.Fixed {
		return quantity.Clock(at.From) + " to " + quantity.Clock(at.To)
	}
	return "last " + spanText(at.Length())
}
