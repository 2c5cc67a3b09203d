package report

import (
	"math"
	"slices"
)

// This file sums up judgements that were made elsewhere: of metrics into a
// step's score, of steps into a scenario, of scenarios into a run. It lives
// beside the records because the fold of an event stream needs it as much as
// the engine does.

// rank orders the verdicts from best to worst.
var severity = map[Verdict]int{Pass: 1, Warn: 2, Inconclusive: 3, Fail: 4, Broken: 5, Interrupted: 6}

// Worst returns the worst of the verdicts. Of no verdict at all, or of one
// that is not known, it is Broken: what was not measured has not passed.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return Broken
	}
	worst := Pass
	for _, v := range verdicts {
		if severity[v] == 0 {
			v = Broken
		}
		if severity[v] > severity[worst] {
			worst = v
		}
	}
	return worst
}

// Whole says that it is the verdict of something that was measured to its end,
// so that its figures say something: pass, warn or fail.
func (v Verdict) Conclusive() bool { return v == Pass || v == Warn || v == Fail }

// Reason says why the step says nothing about the system under test, or not all;
// empty if it was measured to its end.
func (s Step) Reason() string {
	switch {
	case s.Verdict.Conclusive():
		return ""
	case s.Verdict == Inconclusive && len(s.Recommendations) > 0:
		return s.Recommendations[0] // it always comes first
	case s.Verdict != Inconclusive && len(s.Errors) > 0:
		for _, e := range slices.Backward(s.Errors) {
			if e.Kind == OperationFailed {
				return e.Message
			}
		}
		return s.Errors[len(s.Errors)-1].Message
	}
	return string(s.Verdict)
}

// advice are the step's recommendations without its Reason.
func (s Step) Advice() []string {
	if s.Verdict == Inconclusive && len(s.Recommendations) > 0 {
		return s.Recommendations[1:]
	}
	return s.Recommendations
}

// points is what a metric's status is worth in a score.
var points = map[Status]float64{StatusExceed: 1, StatusPass: 1, StatusWarn: 0.8, StatusFail: 0}

// ScoreOf returns the mean worth of the metrics that are held against anything:
// exceed and pass 1, warn 0.8, fail 0. A step in which nothing was has the worth of
// its verdict instead: that is 0 for one in which nothing was found out.
func ScoreOf(metrics map[string]Metric, verdict Verdict) float64 {
	counts := map[Status]int{}
	scored := 0
	for _, m := range metrics {
		if _, ok := points[m.Status]; ok {
			counts[m.Status]++
			scored++
		}
	}
	if scored == 0 {
		return points[Status(verdict)]
	}
	// Summed by status, so that the order of the map cannot show in the last
	// digit.
	sum := 0.0
	for _, status := range []Status{StatusExceed, StatusPass, StatusWarn} {
		sum += float64(counts[status]) * points[status]
	}
	return mean(sum, scored)
}

// mean divides the sum of n scores by n, 0 by 0 being 0. It rounds to the
// ninth decimal: ten steps that are each exactly good are good together, and
// no sum of roundings makes them less.
func mean(sum float64, n int) float64 {
	return math.Round(sum/float64(max(1, n))*1e9) / 1e9
}

// leastPoor is the share of what is held against something that has to pass for a
// failed run to be poor rather than critical.
const leastPoor = 0.8

// GradeOf puts a run in words. One that failed is poor, or critical where less than
// leastPoor of it passed; a warning makes it acceptable; where all passed it is good,
// or excellent if besides every metric of speed and memory is near the best figure
// that was kept for this kind of machine. One that says nothing, or not all, is never
// better than acceptable.
func GradeOf(score float64, verdict Verdict, nearBest bool) Grade {
	switch {
	case verdict == Pass && nearBest:
		return Excellent
	case verdict == Pass:
		return Good
	case verdict == Warn, verdict == Inconclusive, verdict == Interrupted:
		return Acceptable
	case score >= leastPoor:
		return Poor
	}
	return Critical
}

// Conclude sets the scenario's verdict to its worst step's and its score to
// the mean of its steps' scores. One without steps was not measured: verdict
// error, score 0.
func (s *Scenario) Conclude() {
	verdicts := make([]Verdict, len(s.Steps))
	sum := 0.0
	for i, step := range s.Steps {
		verdicts[i] = step.Verdict
		sum += step.Score
	}
	s.Verdict = Worst(verdicts...)
	s.Score = mean(sum, len(s.Steps))
}

// nearlyBest is by what share a metric may be worse than the best figure kept and
// still count as near it.
const nearlyBest = 0.2

// nearBest says whether every metric of speed and memory is near the best figure
// kept. A run that has nothing to be held against is not.
func (r Report) nearBest() bool {
	held := false
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for _, m := range step.Metrics {
				if m.BestRatio == nil {
					continue
				}
				held = true
				if *m.BestRatio < 1-nearlyBest {
					return false
				}
			}
		}
	}
	return held
}

// Conclude sets the run's verdict to its worst scenario's, its score to the
// mean of its scenarios' scores, and its grade. It leaves the scenarios as
// they are. A run without scenarios has the verdict error and the score 0.
func (r *Report) Conclude() {
	verdicts := make([]Verdict, len(r.Scenarios))
	sum := 0.0
	for i, s := range r.Scenarios {
		verdicts[i] = s.Verdict
		sum += s.Score
	}
	r.Score = mean(sum, len(r.Scenarios))
	r.SetVerdict(Worst(verdicts...))
}

// SetVerdict sets the verdict, and the grade that goes with it and the score.
func (r *Report) SetVerdict(v Verdict) {
	r.Verdict = v
	r.Grade = GradeOf(r.Score, v, r.nearBest())
}
