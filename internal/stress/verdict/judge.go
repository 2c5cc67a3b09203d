package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// Against is what a step is held against besides its component's name, which
// the step itself has.
type Against struct {
	Baselines Baselines
	// Tolerance is the share of a baseline by which it may be missed.
	Tolerance float64
	// Exact are the conditions that metrics meet in every system that does its job,
	// by the metric's name. A threshold on the same metric takes the place of one.
	Exact map[string]Exact
	// Declared are all metrics that the measurement has to report; those of them
	// that a step lacks are filled in without a value.
	Declared map[string]report.Metric
	// Floors is the component whose floors the step is held against; empty for none.
	Floors string
	// Best are the best figures kept, by the metric's name: how many times better than
	// its floor each was.
	Best       map[string]float64
	Thresholds []Threshold
	// Series are what the probes of windowed thresholds showed, by the
	// threshold's metric and in its unit, one series a repetition.
	Series map[string][]Series
	// Inconclusive is why the step is, if it is.
	Inconclusive string
	// Known is what explains a failure and was known before; it is told before all
	// that the figures suggest.
	Known []string
	// CPUs is how many the machine has; 0 if that is not known.
	CPUs int
}

// An Exact is what a metric must be.
type Exact struct {
	Condition Condition
	// Timed says that time decides whether it is met: other programs that take the
	// processors can make it fail.
	Timed bool
}

// Judge returns the step with its metrics' statuses, its thresholds, verdict,
// score and recommendations filled in; the step given is not changed.
//
// A verdict that the step already has is kept if it is error or interrupted: then
// the metrics do not tell what they seem to tell. One that is inconclusive stays so,
// unless something was counted that must never happen.
// A step in which nothing was measured or attempted becomes an error, and so does one
// whose operations do not add up; its errors say which. A step of which nothing was
// held against anything, or of which something neither passed nor failed, is
// inconclusive unless something else failed. Any other verdict is that of the worst
// metric or threshold.
func Judge(step report.Step, against Against) report.Step {
	step.Thresholds = make([]report.Threshold, len(against.Thresholds))
	step.Metrics = judgeMetrics(step, against)
	for i, t := range against.Thresholds {
		step.Thresholds[i] = HoldThreshold(t, step.Metrics, against.Series[t.Metric])
	}
	switch step.Verdict {
	case report.Broken, report.Interrupted:
	case report.Inconclusive:
		if countedWrong(step, against) {
			step.Verdict = report.Fail
		}
	default:
		step.Verdict = worstOf(step)
		if why := unmeasured(step); why != "" {
			step.Verdict = report.Broken
			step.Errors = append(step.Errors[:len(step.Errors):len(step.Errors)], report.Error{Message: why, Count: 1})
		} else if why := whyInconclusive(step); why != "" && step.Verdict != report.Fail {
			step.Verdict, against.Inconclusive = report.Inconclusive, why
		}
	}
	step.Score = report.ScoreOf(step.Metrics, step.Verdict)
	step.Recommendations = recommend(step, against)
	if why := withoutFloors(step, against); why != "" {
		step.Recommendations = append(step.Recommendations, why)
	}
	return step
}

// withoutFloors says that the step has floors which it was not held against, for too
// few repetitions; empty if that is not so.
func withoutFloors(step report.Step, against Against) string {
	n := 0
	for _, name := range against.Baselines.Rows(against.Floors) {
		_, isThere := step.Metrics[name]
		if isThere && against.Baselines.HasFloor(against.Floors, name, step.Params) && samplesCount(step.Metrics, name) < leastRepetitions {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d floors of speed and memory were not held: they take %d repetitions", n, leastRepetitions)
}

// countedWrong says whether the measurement counted something that must never happen,
// such as a lost event, or something that has to hold exactly does not. That is so
// however busy the machine was; what time decides is left out.
func countedWrong(step report.Step, against Against) bool {
	for name, m := range step.Metrics {
		v, ok := report.Number(m.Value)
		exact := m.Condition == "== 0" && v > 0 || m.Condition == "== true" && v == 0
		if ok && exact && m.Interval == nil && m.Undecided == "" && !against.Exact[name].Timed {
			return true
		}
	}
	for i, t := range against.Thresholds {
		held := step.Thresholds[i]
		if t.Condition == (Condition{Op: "==", Limit: 0}) && t.Window == 0 && held.Actual != nil && *held.Actual > 0 && step.Metrics[t.Metric].Unit == "count" {
			return true
		}
	}
	return false
}

// worstOf returns the verdict of the worst metric or threshold. What is undecided
// is left out.
func worstOf(step report.Step) report.Verdict {
	worst := report.Pass
	for _, m := range step.Metrics {
		switch {
		case m.Undecided != "":
		case m.Status == report.StatusFail:
			worst = report.Worst(worst, report.Fail)
		case m.Status == report.StatusWarn:
			worst = report.Worst(worst, report.Warn)
		}
	}
	for _, t := range step.Thresholds {
		if !t.OK {
			worst = report.Fail
		}
	}
	return worst
}

// whyInconclusive says why the step neither passed nor failed, or returns "".
func whyInconclusive(step report.Step) string {
	if why := Undecided(step.Metrics); why != "" {
		return why
	}
	judged := len(step.Thresholds) > 0
	for name, m := range step.Metrics {
		// That the measurement found nothing wrong says nothing of what it is about.
		judged = judged || m.Status != report.StatusInfo && name != report.FindingsMetric
	}
	if !judged {
		return "nothing that was measured is held against anything: give the step thresholds, or a baseline"
	}
	return ""
}

// Undecided names the first metric that neither passed nor failed, and says why, or
// returns "".
func Undecided(metrics map[string]report.Metric) string {
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if why := metrics[name].Undecided; why != "" {
			return name + " " + why
		}
	}
	return ""
}

// unmeasured says why a step that ran to its end still says nothing, or
// returns "".
func unmeasured(step report.Step) string {
	o := step.Operations
	switch {
	case len(step.Metrics) == 0:
		return "no metric was measured"
	case o.Attempted != o.Succeeded+o.Failed+o.Dropped:
		return "operations do not add up: " + strconv.FormatInt(o.Attempted, 10) + " attempted, but " +
			strconv.FormatInt(o.Succeeded, 10) + " succeeded, " + strconv.FormatInt(o.Failed, 10) + " failed and " +
			strconv.FormatInt(o.Dropped, 10) + " were dropped"
	case o.Attempted <= 0:
		return "no operation was attempted"
	}
	return ""
}

// judgeMetrics returns the metrics held against the component's baselines, what they
// must be, and what this machine allows for. One that is declared and missing is there
// without a value, unless the step was cut off: its verdict says why it lacks some. A
// baseline NAME.max is held at the highest percentile of NAME that
// there are operations enough for: of a million operations the single worst tells of
// the machine.
func judgeMetrics(step report.Step, against Against) map[string]report.Metric {
	judged := map[string]report.Metric{}
	if step.Verdict != report.Broken && step.Verdict != report.Interrupted {
		maps.Copy(judged, against.Declared)
	}
	maps.Copy(judged, step.Metrics)
	baselines := map[string]Baseline{}
	for _, name := range against.Baselines.Metrics(step.Component) {
		b, _ := against.Baselines.Find(step.Component, name)
		if whole, isMax := MaximumOf(name); isMax {
			name = heldMaximum(judged, whole)
		}
		baselines[name] = b
	}
	for _, name := range against.Baselines.Rows(against.Floors) {
		addStatistic(judged, name)
	}
	for name, m := range judged {
		m.Baseline, m.Tolerance, m.Deviation, m.Floor, m.Condition, m.BestRatio = nil, nil, nil, nil, "", nil
		// That of a bool comes from the estimate that it depends on.
		if m.Unit != "bool" || relaxed(name, against) {
			m.Undecided = ""
		}
		m.Status = report.StatusInfo
		if b, ok := baselines[name]; ok {
			m = HoldMetric(m, b, against.Tolerance)
		}
		if f, better, ok := against.Baselines.floorOf(against.Floors, name, step.Params); ok && !relaxed(name, against) && samplesCount(judged, name) >= leastRepetitions {
			m = holdFloor(m, f, step.Reference, better)
		}
		m = near(m, against.Best[name])
		m = doubt(m, step, against.CPUs)
		if c, ok := against.Exact[name]; ok && !relaxed(name, against) {
			var met bool
			if m, met = holdExact(m, c.Condition); c.Timed && !met {
				m = doubtTimed(m, step, against.CPUs)
			}
		}
		judged[name] = m
	}
	return judged
}

// samplesCount is of how many repetitions a metric is; for NAME.STAT that of NAME.
func samplesCount(metrics map[string]report.Metric, name string) int {
	m := metrics[name]
	if whole, _, ok := strings.Cut(name, "."); ok && len(m.Samples) == 0 {
		m = metrics[whole]
	}
	return len(m.Samples) + len(m.MissingIn)
}

// addStatistic adds NAME.STAT to the metrics if NAME has that statistic.
func addStatistic(metrics map[string]report.Metric, name string) {
	m, stat, ok := report.FindMetric(metrics, name)
	if !ok || stat == "" || m.Distribution == nil {
		return
	}
	if v, ok := m.Distribution.Stat(stat); ok {
		metrics[name] = report.Metric{Value: v, Unit: m.Unit, Better: m.Better}
	}
}

// heldStatistics are the percentiles that a baseline NAME.max is held at, the highest
// first.
var heldStatistics = []string{"p999", "p99", "p95", "p90", "p50"}

// heldMaximum adds the maximum of NAME to the metrics, and the percentile that is
// held in its place, whose name it returns; empty if there are too few operations, or
// NAME has no distribution.
func heldMaximum(metrics map[string]report.Metric, name string) string {
	m := metrics[name]
	if m.Distribution == nil || m.Distribution.Count == 0 {
		return ""
	}
	addStatistic(metrics, name+".max")
	for _, stat := range heldStatistics {
		if addStatistic(metrics, name+"."+stat); metrics[name+"."+stat].Value != nil {
			return name + "." + stat
		}
	}
	return ""
}

// relaxed says whether a threshold of the scenario is set on the metric, which takes
// the place of what the catalogue asks.
func relaxed(name string, against Against) bool {
	return slices.ContainsFunc(against.Thresholds, func(t Threshold) bool { return t.Metric == name })
}

// holdExact holds the metric against what it must be, and says whether it is. One
// without a value is not, and fails.
func holdExact(m report.Metric, c Condition) (held report.Metric, met bool) {
	m.Condition = c.text(m.Unit)
	v, ok := report.Number(m.Value)
	met = ok && c.Holds(v)
	switch {
	case !met:
		// Whatever explains a missed baseline or floor explains nothing of this.
		m.Status = report.StatusFail
		if m.Unit != "bool" { // of which it is the estimate that it depends on
			m.Undecided = ""
		}
	case m.Status == report.StatusInfo:
		m.Status = report.StatusPass
	}
	if ok && m.Interval != nil && c.between(*m.Interval) {
		m.Undecided = fmt.Sprintf("is between %s and %s, and must be %s: more repetitions tell which",
			quantity.Format(m.Interval.Low, m.Unit), quantity.Format(m.Interval.High, m.Unit), quantity.Condition(m.Condition, m.Unit))
	}
	return m, met
}

// holdFloor holds the metric against a floor. If its reference work was not measured,
// the metric is undecided: no data is never a pass.
func holdFloor(m report.Metric, f floor, reference map[string]float64, better report.Better) report.Metric {
	limit := f.limit(m.Unit, better, reference)
	if limit == nil {
		if m.Status != report.StatusFail {
			m.Undecided = fmt.Sprintf("has a floor, and the reference work %s was not measured", strings.Join(f.works(), " or "))
		}
		return m
	}
	m.Floor, m.Better = limit, better
	v, ok := report.Number(m.Value)
	switch {
	case !ok || !holdsFloor(v, limit, better):
		m.Status = report.StatusFail
	case m.Status == report.StatusInfo:
		m.Status = report.StatusPass
	}
	return m
}

// holdsFloor says whether a figure is no worse than a floor.
func holdsFloor(v float64, f *report.Floor, better report.Better) bool {
	return better == report.Higher && v >= f.Value || better == report.Lower && v <= f.Value
}

// near says of a metric with a floor how near it comes to the best figure kept; 0 is
// none.
func near(m report.Metric, best float64) report.Metric {
	if over, ok := m.FloorRatio(); ok && best > 0 {
		share := over / best
		m.BestRatio = &share
	}
	return m
}

// HoldMetric returns the metric with its baseline, tolerance, deviation and
// status set. One without a value fails: no data is never a pass.
func HoldMetric(m report.Metric, b Baseline, tolerance float64) report.Metric {
	m.Better = b.Better
	m.Baseline, m.Tolerance, m.Deviation = &b.Value, &tolerance, nil
	m.Status = report.StatusFail
	if v, ok := m.Value.(float64); ok && report.Finite(v) {
		var deviation float64
		deviation, m.Status = Status(v, b, tolerance)
		if report.Finite(deviation) {
			m.Deviation = &deviation
		}
	}
	return m
}

// Status holds a finite value against a baseline and returns its deviation,
// (actual − baseline)/baseline with the sign turned so that more is better,
// and what that means within the tolerance. From a baseline of 0 there is no such share:
// what equals it deviates by 0, what is better or worse by an infinite amount.
func Status(actual float64, b Baseline, tolerance float64) (deviation float64, status report.Status) {
	if difference := actual - b.Value; difference != 0 { // 0/0 is not a number
		deviation = difference / b.Value
		if b.Better != report.Higher {
			deviation = -deviation
		}
	}
	return deviation, report.StatusOf(deviation, tolerance)
}

// HoldThreshold evaluates a threshold over a step's metrics, or over what a
// probe showed if it is windowed. Without a value it does not hold.
func HoldThreshold(t Threshold, metrics map[string]report.Metric, series []Series) report.Threshold {
	held := report.Threshold{Metric: t.Metric, Condition: t.Condition.String()}
	if t.Window > 0 {
		seconds := t.Window.Seconds()
		held.WindowSeconds = &seconds
		if w, ok := t.Worst(series...); ok {
			held.Actual, held.WorstAtSeconds, held.OK = &w.Value, &w.Start, w.OK
		}
		return held
	}
	if v, ok := Lookup(metrics, t.Metric); ok {
		held.Actual, held.OK = &v, t.Condition.Holds(v)
	}
	return held
}

// Lookup returns the number that a metric's name stands for: a metric's value
// (a bool counts 1 or 0), or for NAME.STAT that statistic of NAME's
// distribution. It returns false where nothing was measured.
func Lookup(metrics map[string]report.Metric, name string) (float64, bool) {
	m, stat, ok := report.FindMetric(metrics, name)
	if ok && stat == "" {
		return report.Number(m.Value)
	}
	if m.Distribution == nil {
		return 0, false
	}
	return m.Distribution.Stat(stat)
}
