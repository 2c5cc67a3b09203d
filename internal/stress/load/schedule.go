package load

import (
	"math"
	"time"
)

// A schedule says when the operations of an open load are due. It is pure: it
// reads no clock.
type schedule struct {
	stages  []Stage
	starts  []time.Duration // of each stage
	before  []float64       // operations before each stage
	total   float64
	elapsed time.Duration
}

func newSchedule(stages []Stage) *schedule {
	s := &schedule{stages: stages}
	for i, stage := range stages {
		s.starts = append(s.starts, s.elapsed)
		s.before = append(s.before, s.total)
		s.elapsed += stage.For
		s.total += (s.initial(i) + stage.Rate) / 2 * stage.For.Seconds()
	}
	return s
}

// initial returns the rate at which a stage begins.
func (s *schedule) initial(i int) float64 {
	switch {
	case !s.stages[i].Ramp:
		return s.stages[i].Rate
	case i == 0:
		return 0
	}
	return s.stages[i-1].Rate
}

// due returns when operation n (counted from 0) is due, and the interval to the
// next operation at that moment. Between two operations it interpolates.
func (s *schedule) due(n float64) (at, interval time.Duration) {
	i := len(s.stages) - 1
	for i > 0 && n < s.before[i] {
		i--
	}
	stage, first := s.stages[i], s.initial(i)
	k := n - s.before[i]
	// The rate changes evenly, so the number of operations is its integral:
	// k = first·t + (rate − first)/(2·for)·t². This solves it for t in the form
	// that also holds for a constant rate.
	slope := (stage.Rate - first) / stage.For.Seconds()
	root := max(first*first+2*slope*k, 0)
	t := 0.0
	if denominator := first + math.Sqrt(root); denominator > 0 {
		t = 2 * k / denominator
	}
	rate := first + slope*t
	if rate > 0 {
		interval = time.Duration(float64(time.Second) / rate)
	}
	return s.starts[i] + time.Duration(t*float64(time.Second)), interval
}

// dueBy returns how many operations are due at a time: the inverse of due.
func (s *schedule) dueBy(at time.Duration) float64 {
	if at >= s.elapsed {
		return s.total
	}
	i := len(s.stages) - 1
	for i > 0 && at < s.starts[i] {
		i--
	}
	stage, first := s.stages[i], s.initial(i)
	t := max((at - s.starts[i]).Seconds(), 0)
	return s.before[i] + first*t + (stage.Rate-first)/(2*stage.For.Seconds())*t*t
}

// An arrivals is a schedule whose rate is multiplied by a factor from some time
// on. The length of the schedule stays the same.
type arrivals struct {
	*schedule
	factor float64
	// planned is how many operations the schedule had until the factor was set,
	// and before how many were due by then with the earlier factors.
	planned, before float64
}

func newArrivals(stages []Stage) *arrivals {
	return &arrivals{schedule: newSchedule(stages), factor: 1}
}

// scale returns the arrivals with another factor from that time on.
func (a *arrivals) scale(at time.Duration, factor float64) *arrivals {
	return &arrivals{
		schedule: a.schedule, factor: factor,
		planned: a.schedule.dueBy(at), before: a.dueBy(at),
	}
}

// count returns the number of all operations.
func (a *arrivals) count() int { return int(a.before + (a.total-a.planned)*a.factor + 1e-9) }

// dueBy returns how many operations are due at a time when the factor applied.
func (a *arrivals) dueBy(at time.Duration) float64 {
	return a.before + (a.schedule.dueBy(at)-a.planned)*a.factor
}

// due returns when operation n (counted from 0) is due, and the interval to the
// next operation at that moment. Of operations that were due before the factor was
// set it returns when they would have been due with it.
func (a *arrivals) due(n int) (at, interval time.Duration) {
	at, interval = a.schedule.due(a.planned + (float64(n)-a.before)/a.factor)
	return at, time.Duration(float64(interval) / a.factor)
}
