package mabeam

import "time"

// An intensity is the limit on restarts, and those that count against it.
type intensity struct {
	limit  int
	within time.Duration
	// times are those of the restarts, oldest first: at most one more than
	// limit.
	times []time.Time
}

// allows notes a restart at a moment, and says whether there are no more than
// the limit in the time up to it. One that is just as old as the window is long
// still counts, as it does in OTP.
func (i *intensity) allows(now time.Time) bool {
	old := 0
	for old < len(i.times) && now.Sub(i.times[old]) > i.within {
		old++
	}
	i.times = append(i.times[old:], now)
	return len(i.times) <= i.limit
}
