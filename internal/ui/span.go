package ui

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/stress/quantity"
)

// A span is a part of the run, in seconds since its start.
type span struct{ from, to float64 }

func (at span) length() float64 { return at.to - at.from }

// column returns the column of a time, or -1 if it is not shown.
func (at span) column(t float64, cols int) int {
	if t < at.from || t > at.to || at.to <= at.from {
		return -1
	}
	return int(math.Round((t - at.from) / at.length() * float64(cols-1)))
}

// A zoom says which part of the run the charts show. The zero value follows
// the run, with as much of it as is good to look at.
type zoom struct {
	// length is in seconds; 0 means as much as is good to look at.
	length float64
	// away says that the charts do not follow the run, but end at end, in
	// seconds since its start.
	away bool
	end  float64
}

// zoomLengths are the lengths that one can zoom to, in seconds. Without a
// choice, the charts show the shortest of those up to autoLength that the run
// fits in.
var zoomLengths = []float64{5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600}

const autoFrom, autoLength = 10, 60

// span returns what is shown of a run that has come to that time.
func (z zoom) span(now float64) span {
	length := z.length
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
	if z.away {
		end = min(z.end, now)
	}
	return span{end - length, end}
}

// in returns the zoom by steps closer to the moment at the right.
func (z zoom) in(steps int, now float64) zoom {
	length := z.span(now).length()
	i, _ := slices.BinarySearch(zoomLengths, length)
	last := len(zoomLengths) - 1
	// Beyond the run there is nothing to see.
	for last > 0 && zoomLengths[last-1] >= max(now, autoFrom) {
		last--
	}
	z.length = zoomLengths[min(max(i-steps, 0), last)]
	return z
}

// scroll moves what is shown by a share of its length: negative is back. Beyond
// the newest moment it follows the run again.
func (z zoom) scroll(share, now float64) zoom {
	at := z.span(now)
	return z.endAt(at.to+share*at.length(), now)
}

// endAt shows the time before a moment; never less of the run than fits.
func (z zoom) endAt(end, now float64) zoom {
	length := z.span(now).length()
	z.end = max(end, min(length, now))
	z.away = z.end < now
	if z.away && z.length == 0 {
		z.length = length // what is looked at does not change its scale
	}
	return z
}

// text tells what is shown.
func (z zoom) text(now float64) string {
	at := z.span(now)
	if z.away {
		return quantity.Clock(at.from) + " to " + quantity.Clock(at.to)
	}
	return "last " + spanText(at.length())
}

// spanText writes a length of time that one can zoom to.
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
