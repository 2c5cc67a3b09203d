package stream

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/report"
)

const (
	// courseSize is how many samples a CourseKeeper holds: at ten a second, an
	// hour of them. Beyond that it leaves out every second one.
	courseSize = 36_000
	// courseFaults is how many fault marks it holds.
	courseFaults = 2000
)

// A CourseKeeper folds the events of one run into its course over time, for the
// reports that draw or list it. Unlike a Timeline it keeps a long run at the
// same resolution throughout, in memory that is bounded all the same. The zero
// value is ready. It is not safe for several goroutines.
type CourseKeeper struct {
	course   report.Course
	scenario string
	now      float64
	every    int // keeps one of so many samples; 0 means each
	skipped  int // since the last that was kept
	size     int // at most so many; 0 means courseSize
}

// Add takes the next event in. With a run that begins anew, so does the course.
func (k *CourseKeeper) Add(e Event) {
	if e.Type == RunStarted && e.Run != nil {
		*k = CourseKeeper{size: k.size}
	}
	if report.Finite(e.T) && e.T <= lastTime {
		k.now = max(k.now, e.T)
	}
	switch {
	case e.Type == ScenarioStarted && e.Scenario != nil:
		k.scenario = e.Scenario.Name
	case e.Type == StepStarted && e.Step != nil:
		k.course.Steps = append(k.course.Steps, report.CourseStep{
			Scenario: k.scenario, Step: e.Step.Name, From: k.now, To: math.Inf(1), Limits: courseLimits(e.Step.Limits),
		})
	case e.Type == RepetitionStarted && e.Repetition != nil:
		k.update(e.Repetition.Step, func(s *report.CourseStep) {
			s.Repetitions = append(s.Repetitions, report.CourseRepetition{Number: e.Repetition.Number, At: k.now})
		})
	case e.Type == StepFinished && e.StepResult != nil:
		k.update(e.StepResult.Name, func(s *report.CourseStep) { s.To = k.now })
	case e.Type == FaultInjected && e.Fault != nil:
		k.fault(*e.Fault)
	case e.Type == SampleTaken && len(e.Sample) > 0:
		k.sample(e.Sample)
	}
}

// Course returns what is known so far. Steps that have not finished end now.
func (k *CourseKeeper) Course() report.Course {
	c := k.course
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		c.Steps[i].To = min(c.Steps[i].To, k.now)
	}
	return c
}

// courseLimits are the limits that a probe shows.
func courseLimits(limits []Limit) []report.CourseLimit {
	var shown []report.CourseLimit
	for _, l := range limits {
		if v := l.Value * l.ProbeScale; l.Probe != "" && report.Finite(v) {
			shown = append(shown, report.CourseLimit{Metric: l.Metric, Source: l.Source, Op: l.Op, Probe: l.Probe, Value: v})
		}
	}
	return shown
}

// update changes the running step of that name.
func (k *CourseKeeper) update(name string, change func(*report.CourseStep)) {
	for i := len(k.course.Steps) - 1; i >= 0; i-- {
		if s := &k.course.Steps[i]; s.Step == name && math.IsInf(s.To, 1) {
			change(s)
			return
		}
	}
}

// fault marks a fault. The same one again within markGap is counted there, unless
// another repetition has begun since.
func (k *CourseKeeper) fault(f Fault) {
	faults := k.course.Faults
	begun := 0.0
	k.update(f.Step, func(s *report.CourseStep) {
		begun = s.From
		if n := len(s.Repetitions); n > 0 {
			begun = s.Repetitions[n-1].At
		}
	})
	for i := len(faults) - 1; i >= 0 && k.now-faults[i].At < markGap && faults[i].At >= begun; i-- {
		if faults[i].Fault == f.Fault && faults[i].Step == f.Step {
			faults[i].Count++
			faults[i].Hit = report.AddHit(faults[i].Hit, f.Target)
			return
		}
	}
	if len(faults) == courseFaults {
		k.course.FaultsLeftOut++
		return
	}
	k.course.Faults = append(faults, report.CourseFault{Step: f.Step, Fault: f.Fault, At: k.now, Count: 1, Hit: report.AddHit(nil, f.Target)})
}

func (k *CourseKeeper) sample(values map[string]float64) {
	if k.skipped++; k.skipped < k.every {
		k.course.Thinned++
		return
	}
	k.skipped = 0
	c := &k.course
	size := k.size
	if size == 0 {
		size = courseSize
	}
	if len(c.Times) == size {
		k.thin()
	}
	if c.Probes == nil {
		c.Probes = map[string][]float64{}
	}
	for name := range values {
		if _, known := c.Probes[name]; !known {
			c.Probes[name] = slices.Repeat([]float64{math.NaN()}, len(c.Times))
		}
	}
	c.Times = append(c.Times, k.now)
	for name, readings := range c.Probes {
		v, ok := values[name]
		if !ok || !report.Finite(v) {
			v = math.NaN()
		}
		c.Probes[name] = append(readings, v)
	}
}

// thin leaves out every second sample, of what is kept and of what will come.
func (k *CourseKeeper) thin() {
	half := func(values []float64) []float64 {
		kept := values[:0]
		for i := 0; i < len(values); i += 2 {
			kept = append(kept, values[i])
		}
		return kept
	}
	c := &k.course
	before := len(c.Times)
	c.Times = half(c.Times)
	c.Thinned += before - len(c.Times)
	for name, readings := range c.Probes {
		c.Probes[name] = half(readings)
	}
	k.every = max(1, k.every) * 2
}
