package stress

import (
	"math"
	"slices"
	"time"
)

// schedule tells when the operations of an open load are due. It is pure:
// there is no clock in it.
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

// initial is the rate with which a stage begins.
func (s *schedule) initial(i int) float64 {
	switch {
	case !s.stages[i].Ramp:
		return s.stages[i].Rate
	case i == 0:
		return 0
	}
	return s.stages[i-1].Rate
}

// due is when operation n (counted from 0) is due, and the interval to the
// next at that moment. Between two operations it is in proportion.
func (s *schedule) due(n float64) (at, interval time.Duration) {
	i := len(s.stages) - 1
	for i > 0 && n < s.before[i] {
		i--
	}
	stage, first := s.stages[i], s.initial(i)
	k := n - s.before[i]
	// The rate grows evenly, so the operations so far are its integral:
	// k = first·t + (rate − first)/(2·for)·t². Solved for t in the form that
	// also holds for an even rate.
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

// by is how many operations are due until a time: the inverse of due.
func (s *schedule) by(at time.Duration) float64 {
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

// A tempo is a schedule whose rate is multiplied by a factor, which another
// tempo may change from some time on. How long the schedule lasts stays the same.
type tempo struct {
	*schedule
	factor float64
	// planned is how many operations the schedule had until the factor was set,
	// and before how many there were by then with the factors before.
	planned, before float64
	// earlier tells of those before; nil if nobody asks for them.
	earlier *tempo
}

func newTempo(stages []Stage) *tempo { return &tempo{schedule: newSchedule(stages), factor: 1} }

// turn is the tempo with another factor from that time on.
func (t *tempo) turn(at time.Duration, factor float64) *tempo {
	return &tempo{
		schedule: t.schedule, factor: factor, earlier: t,
		planned: t.schedule.by(at), before: t.by(at),
	}
}

// count is how many operations there are in all.
func (t *tempo) count() int { return int(t.before + (t.total-t.planned)*t.factor + 1e-9) }

// by is how many operations are due until a time at which its factor held.
func (t *tempo) by(at time.Duration) float64 {
	return t.before + (t.schedule.by(at)-t.planned)*t.factor
}

// due is when operation n (counted from 0) is due, and the interval to the
// next at that moment.
func (t *tempo) due(n int) (at, interval time.Duration) {
	for t.earlier != nil && float64(n) < t.before {
		t = t.earlier
	}
	at, interval = t.schedule.due(t.planned + (float64(n)-t.before)/t.factor)
	return at, time.Duration(float64(interval) / t.factor)
}

// turns are the tempos that a load has had, each from a time on.
type turns []turned

type turned struct {
	at    time.Duration
	tempo tempo
}

// add notes a tempo, without those before it, which are there already.
func (ts *turns) add(at time.Duration, t *tempo) {
	alone := *t
	alone.earlier = nil
	*ts = append(*ts, turned{at, alone})
}

// by is how many operations were due until a time.
func (ts turns) by(at time.Duration) float64 {
	for _, t := range slices.Backward(ts) {
		if t.at <= at {
			return t.tempo.by(at)
		}
	}
	return 0
}

// forget lets go of what is needed only for operations before n.
func (t *tempo) forget(n int) {
	if float64(n) >= t.before {
		t.earlier = nil
	}
}
