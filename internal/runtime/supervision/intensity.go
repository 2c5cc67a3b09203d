package supervision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Intensity is how often a supervisor restarts before it gives up.
type Intensity struct {
	// Restarts is how many times it restarts Within: when one more would be due it
	// gives up. 0 means that it never restarts. An attempt whose Init fails counts, and
	// children that are restarted together count as one.
	Restarts int
	// Within is the time over which restarts are counted; 0 means 60 s.
	Within time.Duration
}

// DefaultIntensity is that of a supervisor that says none.
var DefaultIntensity = Intensity{Restarts: 10, Within: time.Minute}

func (i Intensity) check() error {
	switch {
	case i.Restarts < 0:
		return fmt.Errorf("at most %d restarts", i.Restarts)
	case i.Within < 0:
		return fmt.Errorf("restarts within %v", i.Within)
	}
	return nil
}

// A window counts restarts against an intensity.
type window struct {
	Intensity
	// times are those of the restarts, oldest first: at most one more than the
	// intensity allows.
	times []time.Time
}

// allows notes a restart at a moment, and reports whether there are no more than allowed in
// the time up to it. One that is just as old as the window is long still counts, as it does
// in OTP.
func (w *window) allows(now time.Time) bool {
	w.forget(now)
	w.times = append(w.times, now)
	return len(w.times) <= w.Restarts
}

// forget drops the restarts that count no longer.
func (w *window) forget(now time.Time) {
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) > w.Within {
		old++
	}
	w.times = w.times[old:]
}

// A Backoff is how long a supervisor waits before it restarts a child: From before the first
// restart, Factor times as long before each consecutive one, and To at most. After a child has
// lived longer than the longest wait, the next wait is From again. The zero value restarts at
// once.
type Backoff struct {
	// From is the first wait, and 0 means that there is none. To is the longest; below
	// From it means From.
	From, To time.Duration
	// Factor is 1 or more; 0 means 2.
	Factor float64
	// Jitter is the share of a wait, from 0 to 1, by which it is longer or shorter at
	// random, so that those that failed together do not come back together.
	Jitter float64
}

func (b Backoff) check() error {
	switch {
	case b.From < 0 || b.To < 0:
		return fmt.Errorf("backoff from %v to %v", b.From, b.To)
	case b.Factor != 0 && !(b.Factor >= 1) || math.IsInf(b.Factor, 1):
		return fmt.Errorf("backoff with a factor of %v", b.Factor)
	case !(b.Jitter >= 0 && b.Jitter <= 1):
		return fmt.Errorf("backoff with a jitter of %v", b.Jitter)
	}
	return nil
}

// wait is how long to wait before a restart, after so many in a row before it.
func (b Backoff) wait(before int) time.Duration {
	if b.From == 0 {
		return 0
	}
	factor := b.Factor
	if factor == 0 {
		factor = 2
	}
	d := min(float64(b.From)*math.Pow(factor, float64(before)), float64(b.longest()))
	return time.Duration(d * (1 + b.Jitter*(2*rand.Float64()-1)))
}

// longest is the longest wait, but for the jitter.
func (b Backoff) longest() time.Duration { return max(b.From, b.To) }
