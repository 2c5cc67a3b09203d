package verdict

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

const (
	// enoughSamples is the number of samples per side that the U test needs: with
	// fewer, no difference is significant.
	enoughSamples = 4
	// The U test assumes that repetitions are independent. But the repetitions of a run
	// share the state of the machine, and one in twenty of a report's dozens of metrics
	// differs by chance, so comparisons of the same build would find regressions (see
	// docs/explanation/comparisons.md). Therefore a difference counts only if its p-value
	// is below alpha/certainFactor, or if it is larger than spreadFactor times the
	// interquartile range.
	certainFactor = 10
	spreadFactor  = 2
)

// tooFew is the note of a metric that only the threshold decided.
const tooFew = "too few samples for significance"

// compare compares the metrics of the pair, sorted by name.
func (p pair) compare(rule Rule) []report.RegressionMetric {
	names := map[string]bool{}
	for _, s := range []*report.Step{p.before, p.now} {
		if s == nil {
			continue
		}
		for name := range s.Metrics {
			names[name] = true
		}
	}
	var all []report.RegressionMetric
	for _, name := range slices.Sorted(maps.Keys(names)) {
		m := p.compareMetric(name, rule)
		m.Scenario, m.Step, m.Metric = p.scenario, p.step, name
		all = append(all, m)
	}
	return all
}

// compareMetric compares one metric of the pair.
func (p pair) compareMetric(name string, rule Rule) report.RegressionMetric {
	m := report.RegressionMetric{Verdict: report.Unknown}
	a, inOld := metricOf(p.before, name)
	b, inNew := metricOf(p.now, name)
	switch {
	case !inOld:
		m.New, m.Note = valueOf(b), "only in the new report"
	case p.vanished(name):
		m.Verdict, m.Old = report.Regressed, valueOf(a)
		m.Note = joinNotes("measured before, but not now", p.now.Remark(name))
	case !inNew:
		m.Old, m.Note = valueOf(a), "only in the old report"
	case a.Unit != b.Unit:
		m.Old, m.New, m.Note = valueOf(a), valueOf(b), fmt.Sprintf("in %s before, in %s now", a.Unit, b.Unit)
	default:
		m = compareValues(a, b, isExtreme(name, p.now), rule)
		m = compareCondition(m, a, b)
		if why := p.unreliable(); why != "" {
			m.Verdict, m.Note = report.Unknown, why
		}
	}
	return m
}

func metricOf(s *report.Step, name string) (report.Metric, bool) {
	if s == nil {
		return report.Metric{}, false
	}
	m, ok := s.Metrics[name]
	return m, ok
}

// isExtreme reports whether the metric is a percentile or the maximum of all
// operations: a single value, however many repetitions the step has.
func isExtreme(name string, s *report.Step) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || !slices.Contains(maximumPercentiles, name[dot+1:]) && name[dot+1:] != "max" {
		return false
	}
	return s.Metrics[name[:dot]].Distribution != nil
}

// vanished reports whether a metric with a limit had a value in the old report and has
// none in the new one, although the new step ran to its end. A percentile with too few
// operations has not vanished.
func (p pair) vanished(name string) bool {
	if p.before == nil || p.now == nil || p.unreliable() != "" {
		return false
	}
	before, now := p.before.Metrics[name], p.now.Metrics[name]
	_, hasLimit := before.MainCheck()
	if !hasLimit {
		_, hasLimit = now.MainCheck()
	}
	return hasLimit && before.Value != nil && now.Value == nil && !isExtreme(name, p.now)
}

// unreliable says why the metrics of one side are not reliable. It is empty if they
// are.
func (p pair) unreliable() string {
	for _, side := range []struct {
		step *report.Step
		text string
	}{{p.before, "old"}, {p.now, "new"}} {
		switch side.step.Verdict {
		case report.Inconclusive, report.Broken, report.Interrupted:
			return fmt.Sprintf("the step is %s in the %s report", side.step.Verdict, side.text)
		}
	}
	return ""
}

// compareCondition corrects the comparison of a metric with a condition. One that held
// before and does not hold now is a regression, whatever the medians are. An undecided
// metric, or an estimate whose intervals overlap, has not changed as far as is known.
func compareCondition(m report.RegressionMetric, before, now report.Metric) report.RegressionMetric {
	if before.Undecided != "" || now.Undecided != "" {
		m.Verdict, m.Note = report.Unknown, "undecided in one of the reports"
		return m
	}
	if a, b := before.Interval, now.Interval; a != nil && b != nil && a.Low <= b.High && b.Low <= a.High && m.Verdict != report.Unknown {
		m.Verdict, m.Note = report.Same, "within the interval of the estimate"
	}
	if now.Condition == "" || before.Value == nil || now.Value == nil {
		return m
	}
	held, holds := before.Meets(now.Condition), now.Meets(now.Condition)
	if held != holds {
		// The median of counts that are mostly 0 would hide the change.
		m.Old, m.New, m.DeltaPercent = valueOf(before), valueOf(now), nil
		m.PValue = nil
		if m.Old != nil && m.New != nil {
			if effect, known := relativeChange(*m.Old, *m.New); known {
				percent := 100 * effect
				m.DeltaPercent = &percent
			}
		}
	}
	must := report.Check{Kind: report.KindCondition, Limit: quantity.Condition(now.Condition, now.Unit)}.Text()
	switch {
	case held && !holds:
		m.Verdict, m.Note = report.Regressed, "it "+must+", which held before"
	case !held && holds:
		m.Verdict, m.Note = report.Improved, "it "+must+", which did not hold before"
	}
	return m
}

// compareValues compares a metric that both reports have in the same unit.
func compareValues(before, now report.Metric, extreme bool, rule Rule) report.RegressionMetric {
	m := report.RegressionMetric{Verdict: report.Unknown}
	a, b := samplesOf(before), samplesOf(now)
	if len(a) == 0 || len(b) == 0 {
		return compareTexts(before, now)
	}
	was, is := report.Median(a), report.Median(b)
	m.Old, m.New = &was, &is
	effect, known := relativeChange(was, is)
	if known {
		percent := 100 * effect
		m.DeltaPercent = &percent
	}
	few := min(len(a), len(b)) < enoughSamples
	p := 1.0
	if !few {
		p = pValue(a, b, rule.Alpha)
		m.PValue = &p
	}
	better := now.Better
	if better == "" || better == report.Neither {
		better = before.Better
	}
	worse := effect > 0
	if better == report.Higher {
		worse = !worse
	}
	spread := spreadText(a, b)
	switch {
	case math.Abs(effect) <= rule.Threshold:
		m.Verdict = report.Same
	case better != report.Higher && better != report.Lower:
		m.Note = joinNotes("changed, but neither direction is better", spread)
	case extreme:
		m.Note = "a single extreme value, whatever the number of repetitions: the change may be chance"
	case !few && p >= rule.Alpha:
		m.Verdict, m.Note = report.Same, joinNotes("the change is not significant", spread)
	case !few && p >= rule.Alpha/certainFactor && math.Abs(is-was) <= spreadFactor*max(interquartileRange(a), interquartileRange(b)):
		m.Note = joinNotes("the repetitions differ too much from each other to decide", spread)
	default:
		m.Verdict = report.Improved
		if worse {
			m.Verdict = report.Regressed
		}
		if few {
			m.Note = tooFew
		}
		if !known {
			m.Note = joinNotes(m.Note, "no percentage, because the old value is 0")
		}
		m.Note = joinNotes(m.Note, spread)
	}
	return m
}

// compareTexts compares values that are not numbers.
func compareTexts(before, now report.Metric) report.RegressionMetric {
	switch {
	case before.Value == nil && now.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, Note: "not measured in either report"}
	case before.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, New: valueOf(now), Note: "not measured in the old report"}
	case now.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, Old: valueOf(before), Note: "not measured in the new report"}
	case before.Value == now.Value:
		return report.RegressionMetric{Verdict: report.Same}
	}
	return report.RegressionMetric{Verdict: report.Unknown, Note: fmt.Sprintf("was %s, is %s", before.Text(), now.Text())}
}

// valueOf returns a metric's number, with 1 for true and 0 for false; nil if it has
// none.
func valueOf(m report.Metric) *float64 {
	if v, ok := report.Number(m.Value); ok {
		return &v
	}
	return nil
}

// samplesOf returns the finite samples of a metric, sorted. A metric without samples
// has its value as the only one.
func samplesOf(m report.Metric) []float64 {
	samples := slices.DeleteFunc(slices.Clone(m.Samples), func(v float64) bool { return !report.Finite(v) })
	if v := valueOf(m); len(samples) == 0 && v != nil {
		samples = append(samples, *v)
	}
	slices.Sort(samples)
	return samples
}

// pValue returns the p-value of a two-sided Mann-Whitney U test. With equal values the
// library's result depends on the order of the samples and can exceed 1, so pValue
// tries both orders and returns the larger result.
func pValue(a, b []float64, alpha float64) float64 {
	thresholds := &benchmath.Thresholds{CompareAlpha: alpha}
	first, second := benchmath.NewSample(a, thresholds), benchmath.NewSample(b, thresholds)
	p := max(benchmath.AssumeNothing.Compare(first, second).P, benchmath.AssumeNothing.Compare(second, first).P)
	if !report.Finite(p) {
		return 1
	}
	return min(p, 1)
}

// relativeChange returns the change as a share of the old value. A change from 0 is
// infinite, and known is false.
func relativeChange(was, is float64) (effect float64, known bool) {
	if was == is {
		return 0, true
	}
	effect = (is - was) / math.Abs(was)
	return effect, report.Finite(effect) && report.Finite(100*effect)
}

// interquartileRange returns the interquartile range of sorted values, which a few
// outliers do not change.
func interquartileRange(sorted []float64) float64 {
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		low := int(place)
		high := min(low+1, len(sorted)-1)
		part := place - float64(low)
		return sorted[low]*(1-part) + sorted[high]*part
	}
	return at(0.75) - at(0.25)
}

// spreadText says how far the samples of both sides are from their medians. It is
// empty if one side has a single sample.
func spreadText(before, now []float64) string {
	spread := func(sorted []float64) string {
		middle := report.Median(sorted)
		share := max(sorted[len(sorted)-1]-middle, middle-sorted[0]) / math.Abs(middle)
		if len(sorted) < 2 || !report.Finite(share) {
			return ""
		}
		return "±" + quantity.Percent(share)
	}
	a, b := spread(before), spread(now)
	if a == "" || b == "" {
		return ""
	}
	return fmt.Sprintf("spread %s before, %s now", a, b)
}

// joinNotes joins the notes that are not empty.
func joinNotes(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}
