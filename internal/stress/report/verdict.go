package report

// A Verdict is the outcome of a step, a scenario or a run.
type Verdict string

// The verdicts, from best to worst.
const (
	Pass         Verdict = "pass"
	Warn         Verdict = "warn"
	Inconclusive Verdict = "inconclusive" // the load could not be delivered, or a check is undecided
	Fail         Verdict = "fail"
	Broken       Verdict = "error" // could not be measured
	Interrupted  Verdict = "interrupted"
)

// severity orders the verdicts from best to worst.
var severity = map[Verdict]int{Pass: 1, Warn: 2, Inconclusive: 3, Fail: 4, Broken: 5, Interrupted: 6}

// Worst returns the worst verdict. For no verdicts, and for an unknown one, it returns
// Broken: what was not measured has not passed.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return Broken
	}
	worst := Pass
	for _, v := range verdicts {
		if severity[v] == 0 {
			v = Broken
		}
		if v.WorseThan(worst) {
			worst = v
		}
	}
	return worst
}

// WorseThan reports whether v is worse than other.
func (v Verdict) WorseThan(other Verdict) bool { return severity[v] > severity[other] }

// Conclusive reports whether the measurement finished and its values mean something: the
// verdict is pass, warn or fail.
func (v Verdict) Conclusive() bool { return v == Pass || v == Warn || v == Fail }

// A Status is the result of one metric.
type Status string

// The statuses. StatusInfo is that of a metric without a check.
const (
	StatusExceed Status = "exceed"
	StatusPass   Status = "pass"
	StatusWarn   Status = "warn"
	StatusFail   Status = "fail"
	StatusInfo   Status = "info"
)

// StatusOf returns the status of a deviation from a baseline, where more is better: above
// the tolerance exceed, below −tolerance fail, below −tolerance/2 warn, otherwise pass.
func StatusOf(deviation, tolerance float64) Status {
	switch {
	case deviation > tolerance:
		return StatusExceed
	case deviation < -tolerance:
		return StatusFail
	case deviation < -tolerance/2:
		return StatusWarn
	}
	return StatusPass
}

// A Grade is the verdict and the score of a run in one word.
type Grade string

// The grades.
const (
	Excellent  Grade = "excellent"
	Good       Grade = "good"
	Acceptable Grade = "acceptable"
	Poor       Grade = "poor"
	Critical   Grade = "critical"
)
