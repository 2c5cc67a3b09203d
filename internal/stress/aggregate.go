package stress

import (
	"fmt"
	"maps"
	"slices"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// samplesOf are what the repetitions said of a metric, with their numbers.
type metricSamples struct {
	repetitions []int
	samples     []sample
}

// foldAll makes the step's metrics of what its finished repetitions said. A metric
// that is missing in one of them, while others have it, has no value: the median of
// those that have it would be that of the ones that went well.
func (s *stepRun) aggregate() map[string]report.Metric {
	metrics := map[string]report.Metric{}
	for name, of := range s.samples {
		if m, ok := s.step.Measurement.Metric(name); ok {
			metrics[name] = of.aggregate(m, s.done)
		}
	}
	for name, metric := range metrics {
		if m, ok := s.step.Measurement.Metric(name); ok && m.Bound != nil {
			metrics[name] = checkBound(*m.Bound, metric, metrics[m.Bound.Metric])
		}
	}
	return metrics
}

// fold makes a metric of what the finished repetitions said of it.
func (of metricSamples) aggregate(m scenario.Metric, finished []int) report.Metric {
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
			result.Value, result.Interval = clip(m, value), &interval
		}
	default:
		result.Value = aggregateValues(m, values, result.Samples)
	}
	result.Distribution = merged.Distribution()
	return result
}

// clip keeps a decline from being less than none.
func clip(m scenario.Metric, value float64) float64 {
	if m.Unclipped || m.Better != report.Lower {
		return value
	}
	return max(value, 0)
}

// foldValues folds what is no estimate: numbers, texts, and yes and no. There is
// nothing of nothing.
func aggregateValues(m scenario.Metric, values []any, numbers []float64) any {
	if len(numbers) > 0 {
		switch {
		case m.Aggregation == scenario.Sum:
			total := 0.0
			for _, v := range numbers {
				total += v
			}
			return total
		case m.Aggregation == scenario.Worst && m.Better == report.Higher:
			return slices.Min(numbers)
		case m.Aggregation == scenario.Worst:
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
func checkBound(b scenario.Bound, m, estimate report.Metric) report.Metric {
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
