package stress

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// A Fold says what the numbers of the repetitions come to together. Yes and no come
// to the worse, texts to the most frequent one, and estimates are pooled.
type Fold int

// The folds.
const (
	// Median is for figures of speed and size, of which each repetition has one.
	Median Fold = iota
	// Sum is for counts of what went wrong.
	Sum
	// Worst is for what has to hold in every repetition, such as a share of success.
	Worst
)

// A Bound says that a bool is yes only while an estimate is within Limit of 0, as far
// as its interval tells, or, if Least is given, at least that. One below Least whose
// interval reaches it is undecided.
type Bound struct {
	Metric       string
	Limit, Least float64
}

// samplesOf are what the repetitions said of a metric, with their numbers.
type samplesOf struct {
	repetitions []int
	samples     []sample
}

// foldAll makes the step's metrics of what its finished repetitions said. A metric
// that is missing in one of them, while others have it, has no value: the median of
// those that have it would be that of the ones that went well.
func (s *stepRun) foldAll() map[string]report.Metric {
	metrics := map[string]report.Metric{}
	for name, of := range s.samples {
		if m, ok := s.step.Measurement.described(name); ok {
			metrics[name] = of.fold(m, s.done)
		}
	}
	for name, metric := range metrics {
		if m, ok := s.step.Measurement.described(name); ok && m.Bound != nil {
			metrics[name] = m.Bound.hold(metric, metrics[m.Bound.Metric])
		}
	}
	return metrics
}

// described returns the metric that a name NAME or NAME.KEY is of.
func (m *Measurement) described(name string) (Metric, bool) {
	base, _, _ := strings.Cut(name, ".")
	if base == report.FindingsMetric {
		return findings, true
	}
	i := slices.IndexFunc(m.Metrics, func(metric Metric) bool { return metric.Name == base })
	if i < 0 {
		return Metric{}, false
	}
	return m.Metrics[i], true
}

// findings is a metric of every measurement.
var findings = Metric{
	Name: report.FindingsMetric, Unit: "count", Better: report.Lower, Must: "== 0", Fold: Sum,
	Doc: "How often the measurement found something wrong with the system that no other metric tells; each is named in the errors.",
}

// fold makes a metric of what the finished repetitions said of it.
func (of samplesOf) fold(m Metric, finished []int) report.Metric {
	result := report.Metric{Unit: m.Unit, Better: m.Better}
	merged := load.NewHistogram()
	var values []any
	var estimates []verdict.Estimate
	for i, s := range of.samples {
		if s.Histogram != nil {
			merged.Merge(s.Histogram)
		}
		if s.Estimate != nil {
			estimates = append(estimates, *s.Estimate)
		}
		v, isNumber := s.Value.(float64)
		if s.Value == nil && s.Estimate == nil || isNumber && !report.Finite(v) {
			result.MissingIn = append(result.MissingIn, of.repetitions[i])
			continue
		}
		values = append(values, s.Value)
		if isNumber {
			result.Samples = append(result.Samples, v)
		}
	}
	for _, number := range finished {
		if !slices.Contains(of.repetitions, number) {
			result.MissingIn = append(result.MissingIn, number)
		}
	}
	slices.Sort(result.MissingIn)
	switch {
	case len(result.MissingIn) > 0:
		return result // nor is there a distribution: its percentiles would be judged
	case len(estimates) > 0:
		if value, interval, ok := verdict.Pool(estimates); ok {
			result.Value, result.Interval = m.clip(value), &interval
		}
	default:
		result.Value = foldValues(m, values, result.Samples)
	}
	result.Distribution = merged.Distribution()
	return result
}

// clip keeps a decline from being less than none.
func (m Metric) clip(value float64) float64 {
	if m.Unclipped || m.Better != report.Lower {
		return value
	}
	return max(value, 0)
}

// foldValues folds what is no estimate: numbers, texts, and yes and no. There is
// nothing of nothing.
func foldValues(m Metric, values []any, numbers []float64) any {
	if len(numbers) > 0 {
		switch {
		case m.Fold == Sum:
			total := 0.0
			for _, v := range numbers {
				total += v
			}
			return total
		case m.Fold == Worst && m.Better == report.Higher:
			return slices.Min(numbers)
		case m.Fold == Worst:
			return slices.Max(numbers)
		}
		return report.Median(numbers)
	}
	counts := map[string]int{}
	for _, v := range values {
		switch v := v.(type) {
		case bool:
			if !v {
				return false
			}
		case string:
			counts[v]++
		}
	}
	switch {
	case len(values) == 0:
		return nil
	case len(counts) == 0:
		return true
	}
	most := slices.Max(slices.Collect(maps.Values(counts)))
	for _, text := range slices.Sorted(maps.Keys(counts)) { // the first of several
		if counts[text] == most {
			return text
		}
	}
	return nil
}

// hold makes no of a bool whose estimate is beyond the bound. Where the interval
// reaches across the bound, it is undecided.
func (b Bound) hold(m, estimate report.Metric) report.Metric {
	v, ok := estimate.Value.(float64)
	said, isBool := m.Value.(bool)
	if !ok || !isBool || estimate.Interval == nil {
		m.Value = nil // no data is never a pass
		return m
	}
	i := *estimate.Interval
	inside, limit := func(v float64) bool { return v > -b.Limit && v < b.Limit }, b.Limit
	unsure := inside(i.Low) != inside(i.High)
	if b.Least > 0 {
		inside, limit = func(v float64) bool { return v >= b.Least }, b.Least
		unsure = !inside(v) && inside(i.High)
	}
	m.Value = said && inside(v)
	if said && unsure {
		m.Undecided = fmt.Sprintf("depends on whether %s is beyond %s, and that is between %s and %s: more repetitions tell",
			b.Metric, report.Quantity(limit, estimate.Unit), report.Quantity(i.Low, estimate.Unit), report.Quantity(i.High, estimate.Unit))
	}
	return m
}

// declared are the metrics that the step has to report with its parameters, without
// values.
func (s *Step) declared() map[string]report.Metric {
	metrics := map[string]report.Metric{}
	for _, m := range s.given() {
		metrics[m.Name] = report.Metric{Unit: m.Unit, Better: m.Better}
	}
	return metrics
}

// given are the metrics that the step has with its parameters.
func (s *Step) given() []Metric {
	all := append([]Metric{findings}, s.Measurement.Metrics...)
	return slices.DeleteFunc(all, func(m Metric) bool { return m.Given != nil && !m.Given(s.Params) })
}

// exact are the conditions that the step's metrics have to meet, by name. Beside says
// that other steps run at the same time.
func (s *Step) exact(beside bool) map[string]verdict.Exact {
	conditions := map[string]verdict.Exact{}
	for _, m := range s.given() {
		if m.Must == "" || m.Expected != nil && !m.Expected(s.Params) || m.OfProcess && beside {
			continue
		}
		c, err := verdict.ParseCondition(m.Must)
		if err != nil {
			panic(err) // the catalogue is part of the program, and a test reads it
		}
		conditions[m.Name] = verdict.Exact{Condition: c, Timed: m.Timed || m.Bound != nil && m.Bound.Least > 0}
	}
	return conditions
}
