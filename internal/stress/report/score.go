package report

import "math"

// points is the score of a metric by its status.
var points = map[Status]float64{StatusExceed: 1, StatusPass: 1, StatusWarn: 0.8, StatusFail: 0}

// ScoreOf returns the mean score of the metrics that have a check. Without any, it
// returns the score of the step's verdict, which is 0 for a step that was not measured.
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
	// By status: summing in the random order of the map would change the last digit.
	sum := 0.0
	for _, status := range []Status{StatusExceed, StatusPass, StatusWarn} {
		sum += float64(counts[status]) * points[status]
	}
	return mean(sum, scored)
}

// mean returns sum/n; 0 for n = 0. It rounds to nine decimals, so that the mean of equal
// scores is that score.
func mean(sum float64, n int) float64 {
	return math.Round(sum/float64(max(1, n))*1e9) / 1e9
}

// leastPoor is the score from which a failed run is poor, and not critical.
const leastPoor = 0.8

// GradeOf returns the grade of a run. A run that passed is good, or excellent if its
// metrics of speed and memory are near the best known. A warning, or an inconclusive or
// interrupted run, is acceptable. A run that failed is poor or critical.
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

// leastNearBest is the ratio from which a metric is near the best known.
const leastNearBest = 0.8

// nearBest reports whether all metrics that have a best known value are near it. It
// returns false if none has.
func (r Report) nearBest() bool {
	known := false
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for _, m := range step.Metrics {
				if m.BestRatio == nil {
					continue
				}
				known = true
				if *m.BestRatio < leastNearBest {
					return false
				}
			}
		}
	}
	return known
}

// Conclude sets the scenario's verdict to the worst of its steps and its score to their
// mean. A scenario without steps was not measured: its verdict is error.
func (s *Scenario) Conclude() {
	s.Verdict, s.Score = conclude(s.Steps, func(step Step) (Verdict, float64) { return step.Verdict, step.Score })
}

// Conclude sets the run's verdict to the worst of its scenarios, its score to their mean,
// and its grade. It does not change the scenarios. A run without scenarios has the
// verdict error.
func (r *Report) Conclude() {
	var verdict Verdict
	verdict, r.Score = conclude(r.Scenarios, func(s Scenario) (Verdict, float64) { return s.Verdict, s.Score })
	r.SetVerdict(verdict)
}

func conclude[T any](parts []T, of func(T) (Verdict, float64)) (Verdict, float64) {
	verdicts := make([]Verdict, len(parts))
	sum := 0.0
	for i, part := range parts {
		v, score := of(part)
		verdicts[i] = v
		sum += score
	}
	return Worst(verdicts...), mean(sum, len(parts))
}

// SetVerdict sets the verdict, and the grade that follows from it and the score.
func (r *Report) SetVerdict(v Verdict) {
	r.Verdict = v
	r.Grade = GradeOf(r.Score, v, r.nearBest())
}
