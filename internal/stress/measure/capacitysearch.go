package measure

import (
	"math"
)

// confirm offers a rate again, and lower rates if it held by luck. It reports whether one
// held again.
func (s search) confirm(rate float64, try func(rate float64) (bool, error)) (settledAt float64, settled bool, err error) {
	for range 1 + maxStepsDown {
		if settled, err = isHeldAgain(func() (bool, error) { return try(rate) }); settled || err != nil {
			return rate, settled, err
		}
		rate *= 1 - s.precision
	}
	return rate, false, nil
}

// isHeldAgain reports whether a rate holds confirmHeld times of confirmProbes, with no
// more trials than needed.
func isHeldAgain(try func() (bool, error)) (bool, error) {
	held, missed := 0, 0
	for held < confirmHeld && missed <= confirmProbes-confirmHeld {
		ok, err := try()
		switch {
		case err != nil:
			return false, err
		case ok:
			held++
		default:
			missed++
		}
	}
	return held == confirmHeld, nil
}

// A search finds the highest rate that holds.
type search struct {
	start, step float64 // per second
	maxRate     float64 // the highest rate to try
	precision   float64
}

// run tries one rate after the other, each several times before it counts as not held,
// until enough returns true. It returns 0 if no rate held.
func (s search) run(try func(rate float64) (held bool, err error), enough func() bool) (highest float64, err error) {
	low, high := 0.0, math.Inf(1) // the highest rate that held, and the lowest that did not
	rate, step, tries := s.start, s.step, searchTries
	for !enough() {
		var ok bool
		for range tries {
			if ok, err = try(rate); ok || err != nil {
				break
			}
		}
		switch {
		case err != nil:
			return 0, err
		case ok && rate >= high: // it did not hold before because of a pause
			low, high, step, tries = rate, math.Inf(1), 2*s.precision*rate, searchTries
		case ok:
			low = rate
		case tries == confirmTries:
			return low, nil
		default:
			high = rate
		}
		switch {
		case low >= s.maxRate:
			return low, nil
		case math.IsInf(high, 1):
			rate = min(low+step, s.maxRate)
			step *= 2
		case low == 0 && high <= minCapacity:
			return 0, nil
		case low == 0:
			rate = max(high/2, minCapacity)
		case high <= low*(1+s.precision):
			rate, tries = high, confirmTries
		default:
			rate = (low + high) / 2
		}
	}
	return low, nil
}
