package stress

import (
	"fmt"
	"maps"
	"slices"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// metricSamples are the samples of a metric, with the numbers of their repetitions.
type metricSamples struct {
	repetitions []int
	samples     []sample
}

// aggregate returns the step's metrics, from its finished repetitions. A metric that is
// missing in one of them has no value: the median of the others would be that of the
// repetitions that went well.
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

// aggregate returns a metric from its samples in the finished repetitions.
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
		return result // without a distribution, whose percentiles would be judged
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

// clip returns 0 for an estimate below 0 of a metric for which lower is better.
func clip(m scenario.Metric, value float64) float64 {
	if m.Unclipped || m.Better != report.Lower {
		return value
	}
	return max(value, 0)
}

// aggregateValues aggregates samples that are not estimates: numbers, texts and bools. It
// returns nil for none.
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
	for _, text := range slices.Sorted(maps.Keys(counts)) { // the first of those that are as frequent
		if counts[text] == most {
			return text
		}
	}
	return nil
}

// checkBound makes a bool false if its estimate is beyond the bound. If the interval of
// the estimate includes the bound, the bool is undecided.
func checkBound(b scenario.Bound, m, estimate report.Metric) report.Metric {
	v, ok := estimate.Value.(float64)
	value, isBool := m.Value.(bool)
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
	m.Value = value && inside(v)
	if value && unsure {
		m.Undecided = fmt.Sprintf("depends on whether %s is beyond %s, which is not certain: it is between %s and %s; use more repetitions",
			b.Metric, quantity.Format(limit, estimate.Unit), quantity.Format(i.Low, estimate.Unit), quantity.Format(i.High, estimate.Unit))
	}
	return m
}
