package stress

import (
	"math"
	"slices"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// said makes the samples of repetitions that are numbered from 1; what is skipped said
// nothing of the metric.
func said(values ...any) metricSamples {
	var of metricSamples
	for i, v := range values {
		if v == skipped {
			continue
		}
		s := sample{Value: v}
		if e, ok := v.(verdict.Estimate); ok {
			s = sample{Estimate: &e}
		}
		of.repetitions, of.samples = append(of.repetitions, i+1), append(of.samples, s)
	}
	return of
}

const skipped = "skipped"

// Failures in some repetitions are not outvoted by the others, and a value that is missing
// in one is not filled in.
func TestAggregate(t *testing.T) {
	for name, c := range map[string]struct {
		metric  scenario.Metric
		said    metricSamples
		want    any
		missing []int
	}{
		"a figure":                    {scenario.Metric{}, said(1.0, 9.0, 2.0), 2.0, nil},
		"leaks in 2 of 5":             {scenario.Metric{Aggregation: scenario.Sum, Better: report.Lower}, said(0.0, 0.0, 1.0, 1.0, 0.0), 2.0, nil},
		"the least success":           {scenario.Metric{Aggregation: scenario.Worst, Better: report.Higher}, said(1.0, 0.5, 1.0), 0.5, nil},
		"the most restarts":           {scenario.Metric{Aggregation: scenario.Worst, Better: report.Lower}, said(0.0, 3.0, 1.0), 3.0, nil},
		"yes and no":                  {scenario.Metric{Unit: "bool"}, said(true, false, true), false, nil},
		"always yes":                  {scenario.Metric{Unit: "bool"}, said(true, true), true, nil},
		"texts":                       {scenario.Metric{Unit: "text"}, said("b", "a", "b"), "b", nil},
		"no recovery in 2 of 5":       {scenario.Metric{}, said(nil, 17.0, 64.0, nil, 78.0), nil, []int{1, 4}},
		"nothing said in one":         {scenario.Metric{}, said(1.0, skipped, 1.0), nil, []int{2}},
		"not a number in one":         {scenario.Metric{}, said(1.0, math.NaN()), nil, []int{2}},
		"no recovery, and yes before": {scenario.Metric{Unit: "bool"}, said(true, nil), nil, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			finished := []int{}
			for i := range max(slices.Max(c.said.repetitions), len(c.said.samples)) {
				finished = append(finished, i+1)
			}
			m := c.said.aggregate(c.metric, finished)
			if m.Value != c.want || !slices.Equal(m.MissingIn, c.missing) {
				t.Errorf("%v, missing in %v; want %v and %v", m.Value, m.MissingIn, c.want, c.missing)
			}
		})
	}
}

// A slope that one repetition has by chance does not count; one that all have does.
func TestAggregateEstimates(t *testing.T) {
	flat := verdict.Estimate{Readings: []float64{100, 101, 100, 99, 100, 101, 99, 100, 100, 101, 100, 99, 100}}
	odd := verdict.Estimate{Readings: []float64{100, 102, 104, 107, 110, 112, 115, 117, 120, 122, 125, 128, 130}}
	growth := scenario.Metric{Name: "growth", Unit: "ratio", Better: report.Lower}
	one := said(flat, flat, odd, flat, flat).aggregate(growth, []int{1, 2, 3, 4, 5})
	if v := one.Value.(float64); v > 0.02 || one.Interval.High > 0.1 {
		t.Errorf("one odd repetition of five: %v, %+v", v, one.Interval)
	}
	all := said(odd, odd, odd, odd, odd).aggregate(growth, []int{1, 2, 3, 4, 5})
	if v := all.Value.(float64); v < 0.2 || all.Interval.Low < 0.2 {
		t.Errorf("growth by a quarter in all: %v, %+v", v, all.Interval)
	}
	if falls := said(verdict.Estimate{First: []float64{1, 1.01, 1}, Last: []float64{2, 2.01, 2}}).aggregate(growth, []int{1}); falls.Value != 0.0 || falls.Interval.High > -0.5 {
		t.Errorf("a rate that doubles has declined by %v, %+v", falls.Value, falls.Interval)
	}
}

// A bool that depends on an estimate is false if the estimate is certainly beyond its bound,
// and undecided if that is uncertain.
func TestBound(t *testing.T) {
	b := scenario.Bound{Metric: "growth", Limit: 0.1}
	estimate := func(value, low, high float64) report.Metric {
		return report.Metric{Value: value, Unit: "ratio", Interval: &report.Interval{Low: low, High: high}}
	}
	for name, c := range map[string]struct {
		said      any
		estimate  report.Metric
		want      any
		undecided bool
	}{
		"well within":           {true, estimate(0.01, -0.02, 0.03), true, false},
		"well beyond":           {true, estimate(0.3, 0.2, 0.4), false, false},
		"shrinks":               {true, estimate(-0.3, -0.4, -0.2), false, false},
		"within, perhaps":       {true, estimate(0.08, 0.01, 0.2), true, true},
		"beyond, perhaps":       {true, estimate(0.12, 0.05, 0.2), false, true},
		"something leaked":      {false, estimate(0.01, -0.02, 0.03), false, false},
		"leaked, and who knows": {false, estimate(0.08, 0.01, 0.2), false, false},
		"no estimate":           {true, report.Metric{}, nil, false},
		"not said":              {nil, estimate(0, 0, 0), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := checkBound(b, report.Metric{Value: c.said, Unit: "bool"}, c.estimate)
			if m.Value != c.want || (m.Undecided != "") != c.undecided {
				t.Errorf("%v, undecided %q; want %v, %v", m.Value, m.Undecided, c.want, c.undecided)
			}
		})
	}
}
