package chart

import (
	"slices"

	"mabeam-top/internal/stress/report"
)

// A Zoom says which part of the run the charts show. The zero value follows
// the run, with as much of it as is good to look at.
type Zoom struct {
	// length is in seconds; 0 means as much as is good to look at.
	Length float64
	// away says that the charts do not follow the run, but end at end, in
	// seconds since its start.
	Fixed bool
	End   float64
}

// zoomLengths are the lengths that one can zoom to, in seconds. Without a
// choice, the charts show the shortest of those up to autoLength that the run
// fits in.
var zoomLengths = []float64{5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600}

const autoFrom, autoLength = 10, 60

// Span returns what is shown of a run that has come to that time.
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

// In returns the zoom by steps closer to the moment at the right.
func (z Zoom) In(steps int, now float64) Zoom {
	length := z.Span(now).Length()
	i, _ := slices.BinarySearch(zoomLengths, length)
	last := len(zoomLengths) - 1
	// Beyond the run there is nothing to see.
	for last > 0 && zoomLengths[last-1] >= max(now, autoFrom) {
		last--
	}
	z.Length = zoomLengths[min(max(i-steps, 0), last)]
	return z
}

// Scroll moves what is shown by a share of its length: negative is back. Beyond
// the newest moment it follows the run again.
func (z Zoom) Scroll(share, now float64) Zoom {
	at := z.Span(now)
	return z.EndAt(at.To+share*at.Length(), now)
}

// EndAt shows the time before a moment; never less of the run than fits.
func (z Zoom) EndAt(end, now float64) Zoom {
	length := z.Span(now).Length()
	z.End = max(end, min(length, now))
	z.Fixed = z.End < now
	if z.Fixed && z.Length == 0 {
		z.Length = length // what is looked at does not change its scale
	}
	return z
}

// Text tells what is shown.
func (z Zoom) Text(now float64) string {
	at := z.Span(now)
	if z.Fixed {
		return report.Clock(at.From) + " to " + report.Clock(at.To)
	}
	return "last " + SpanText(at.Length())
}
