package probes

import "time"

// ShortestSpan is the least time that a rate is told over. A reading taken
// sooner after another (a last one at a repetition's end) would say more about
// the grain of the counter, and about the load's end, than about the load.
const ShortestSpan = 20 * time.Millisecond

// A rate turns readings of a counter into its growth per second. The zero
// value is ready for the first reading.
type rate struct {
	at    time.Time
	value float64
}

// next takes a reading and returns the growth per second since the one before.
// It cannot tell at the first reading, nor when the counter has fallen, which
// means that it counts something else now: then the rate starts anew. A reading
// that comes too soon is passed over, so that the next one covers its span too.
func (r *rate) next(now time.Time, value float64) (perSecond float64, ok bool) {
	since := now.Sub(r.at)
	first := r.at.IsZero() || value < r.value
	if !first && since < ShortestSpan {
		return 0, false
	}
	grown := value - r.value
	r.at, r.value = now, value
	if first {
		return 0, false
	}
	return grown / since.Seconds(), true
}
