package probes

import "time"

// MinRateInterval is the shortest time over which a rate is computed. Over a shorter
// time, such as before the last sample of a repetition, the rate would depend on the
// resolution of the counter and on the end of the load.
const MinRateInterval = 20 * time.Millisecond

// A rate computes the growth of a counter per second. The zero value is ready for the
// first reading.
type rate struct {
	at    time.Time
	value float64
}

// next takes a reading and returns the growth per second since the previous one. ok is
// false for the first reading, and if the counter fell: then it was replaced, and the
// rate starts again. ok is also false for a reading that is too soon after the previous
// one; the next one then covers its time too.
func (r *rate) next(now time.Time, value float64) (perSecond float64, ok bool) {
	since := now.Sub(r.at)
	first := r.at.IsZero() || value < r.value
	if !first && since < MinRateInterval {
		return 0, false
	}
	grown := value - r.value
	r.at, r.value = now, value
	if first {
		return 0, false
	}
	return grown / since.Seconds(), true
}
