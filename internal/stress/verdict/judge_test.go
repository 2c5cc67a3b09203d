package verdict

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/stress/report"
)

func TestCompareWithBaseline(t *testing.T) {
	for name, c := range map[string]struct {
		actual, baseline float64
		better           report.Better
		tolerance        float64
		deviation        float64
		status           report.Status
	}{
		"the same":                         {100, 100, report.Higher, 0.25, 0, report.StatusPass},
		"the same, lower":                  {100, 100, report.Lower, 0.25, 0, report.StatusPass},
		"at the tolerance is not above":    {125, 100, report.Higher, 0.25, 0.25, report.StatusPass},
		"above":                            {126, 100, report.Higher, 0.25, 0.26, report.StatusExceed},
		"half as long":                     {50, 100, report.Lower, 0.25, 0.5, report.StatusExceed},
		"at half the tolerance no warn":    {87.5, 100, report.Higher, 0.25, -0.125, report.StatusPass},
		"just beyond half":                 {87, 100, report.Higher, 0.25, -0.13, report.StatusWarn},
		"at the lower end only a warning":  {75, 100, report.Higher, 0.25, -0.25, report.StatusWarn},
		"below":                            {74, 100, report.Higher, 0.25, -0.26, report.StatusFail},
		"too long":                         {126, 100, report.Lower, 0.25, -0.26, report.StatusFail},
		"longer, warn":                     {120, 100, report.Lower, 0.25, -0.2, report.StatusWarn},
		"no tolerance, the same":           {100, 100, report.Higher, 0, 0, report.StatusPass},
		"no tolerance, less":               {99, 100, report.Higher, 0, -0.01, report.StatusFail},
		"no tolerance, more":               {101, 100, report.Higher, 0, 0.01, report.StatusExceed},
		"nothing of a baseline of 0":       {0, 0, report.Lower, 0.2, 0, report.StatusPass},
		"more than a baseline of 0, lower": {1e-9, 0, report.Lower, 0.2, math.Inf(-1), report.StatusFail},
		"more than a baseline of 0":        {1, 0, report.Higher, 0.2, math.Inf(1), report.StatusExceed},
		"nothing at all":                   {0, 100, report.Higher, 0.2, -1, report.StatusFail},
		"no time at all":                   {0, 100, report.Lower, 0.2, 1, report.StatusExceed},
		"beyond all numbers":               {1e308, 1e-10, report.Lower, 0.2, math.Inf(-1), report.StatusFail},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := Baseline{c.baseline, c.better}.compare(c.actual, c.tolerance)
			if s != c.status || d != c.deviation && !(math.Abs(d-c.deviation) < 1e-12) {
				t.Errorf("deviation %v, %s; want %v, %s", d, s, c.deviation, c.status)
			}
			if d == 0 && math.Signbit(d) {
				t.Error("deviation is −0, which a report would show")
			}
		})
	}
}

// goodness orders the statuses from worst to best.
var goodness = map[report.Status]int{report.StatusFail: 1, report.StatusWarn: 2, report.StatusPass: 3, report.StatusExceed: 4}

func TestMoreIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		baseline := rapid.Float64Range(0, 1e12).Draw(t, "baseline")
		tolerance := rapid.Float64Range(0, 2).Draw(t, "tolerance")
		less := rapid.Float64Range(-1e12, 1e12).Draw(t, "less")
		more := less + rapid.Float64Range(0, 1e12).Draw(t, "by")
		dLess, sLess := Baseline{baseline, report.Higher}.compare(less, tolerance)
		dMore, sMore := Baseline{baseline, report.Higher}.compare(more, tolerance)
		if dMore < dLess || goodness[sMore] < goodness[sLess] {
			t.Fatalf("higher is better, but %v is %s and %v is %s", less, sLess, more, sMore)
		}
		dLess, sLess = Baseline{baseline, report.Lower}.compare(less, tolerance)
		dMore, sMore = Baseline{baseline, report.Lower}.compare(more, tolerance)
		if dMore > dLess || goodness[sMore] > goodness[sLess] {
			t.Fatalf("lower is better, but %v is %s and %v is %s", less, sLess, more, sMore)
		}
	})
}

// TestStatusMatchesReport computes the status again from the numbers in the report, as
// a reader of the report would.
func TestStatusMatchesReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Baseline{rapid.Float64Range(1e-6, 1e9).Draw(t, "baseline"), rapid.SampledFrom([]report.Better{report.Higher, report.Lower}).Draw(t, "better")}
		tolerance := rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.5}).Draw(t, "tolerance")
		value := b.Value * rapid.SampledFrom([]float64{0, 0.5, 0.79, 0.8, 0.85, 0.9, 0.95, 1, 1.1, 1.2, 1.21, 5}).Draw(t, "factor")
		m := checkBaseline(report.Metric{Value: value, Unit: "ms", Better: report.Neither}, b, tolerance)
		sign := -1.0
		if m.Better == report.Higher {
			sign = 1
		}
		dev := (value - *m.Baseline) / *m.Baseline * sign
		want := report.StatusPass
		switch {
		case dev > *m.Tolerance:
			want = report.StatusExceed
		case dev < -*m.Tolerance:
			want = report.StatusFail
		case dev < -*m.Tolerance/2:
			want = report.StatusWarn
		}
		if m.Status != want || *m.Deviation != dev {
			t.Fatalf("%v compared with %v: %s %v, want %s %v", value, b, m.Status, *m.Deviation, want, dev)
		}
	})
}

func TestCheckBaselineWithoutNumber(t *testing.T) {
	for name, value := range map[string]any{"nil": nil, "text": "fast", "NaN": math.NaN(), "infinite": math.Inf(1)} {
		t.Run(name, func(t *testing.T) {
			m := checkBaseline(report.Metric{Value: value, Unit: "1/s"}, Baseline{10, report.Higher}, 0.2)
			if m.Status != report.StatusFail || m.Deviation != nil || *m.Baseline != 10 || *m.Tolerance != 0.2 {
				t.Errorf("got %+v, want a failed metric without a deviation", m)
			}
		})
	}
}

// measured returns a step that ran to its end with these metrics.
func measured(component string, metrics map[string]report.Metric) report.Step {
	return report.Step{
		Name: "step", Component: component, Metrics: metrics,
		Operations: report.Operations{Attempted: 10, Succeeded: 10},
	}
}

func metric(value any, unit string) report.Metric {
	return report.Metric{Value: value, Unit: unit, Better: report.Higher}
}

func TestJudge(t *testing.T) {
	good := map[string]report.Metric{"agents_per_second": metric(5000.0, "1/s"), "creation_time_ms": metric(1.0, "ms"), "memory_scaling": metric("linear", "text")}
	threshold := func(name, op string, limit float64) Threshold {
		return Threshold{Metric: name, Condition: Condition{op, limit}}
	}
	for name, c := range map[string]struct {
		step       report.Step
		thresholds []Threshold
		verdict    report.Verdict
		score      float64
		err        string
	}{
		"exceed and pass": {step: measured("agent_creation", good), verdict: report.Pass, score: 1},
		"without a component nothing is judged": {
			step: measured("", good), verdict: report.Inconclusive, score: 0,
		},
		"a warning": {
			step:    measured("agent_creation", map[string]report.Metric{"agents_per_second": metric(850.0, "1/s"), "creation_time_ms": metric(1.0, "ms")}),
			verdict: report.Warn, score: 0.9,
		},
		"one failed": {
			step:    measured("agent_creation", map[string]report.Metric{"agents_per_second": metric(10.0, "1/s"), "creation_time_ms": metric(0.1, "ms")}),
			verdict: report.Fail, score: 0.5,
		},
		"not measured is failed": {
			step:    measured("agent_creation", map[string]report.Metric{"agents_per_second": metric(nil, "1/s")}),
			verdict: report.Fail, score: 0,
		},
		"a threshold fails the step but not the score": {
			step: measured("agent_creation", good), thresholds: []Threshold{threshold("agents_per_second", ">", 1e6)},
			verdict: report.Fail, score: 1,
		},
		"a threshold fails a step without baselines": {
			step: measured("", good), thresholds: []Threshold{threshold("agents_per_second", ">", 1e6)},
			verdict: report.Fail, score: 0,
		},
		"a threshold that holds": {
			step: measured("", good), thresholds: []Threshold{threshold("agents_per_second", ">=", 5000)},
			verdict: report.Pass, score: 1.0,
		},
		"a threshold on what was not measured": {
			step: measured("", good), thresholds: []Threshold{threshold("latency_ms.p99", "<", 5)},
			verdict: report.Fail, score: 0,
		},
		"a threshold on a text": {
			step: measured("", good), thresholds: []Threshold{threshold("memory_scaling", "<", 5)},
			verdict: report.Fail, score: 0,
		},
		"undelivered load, whatever the metrics say": {
			step: report.Step{
				Component: "agent_creation", Verdict: report.Inconclusive,
				Metrics: map[string]report.Metric{"agents_per_second": metric(10.0, "1/s")},
			},
			verdict: report.Inconclusive, score: 0,
		},
		"an error stays one": {
			step: report.Step{Verdict: report.Broken}, verdict: report.Broken, score: 0,
		},
		"interrupted stays so": {
			step: report.Step{Verdict: report.Interrupted, Metrics: good}, verdict: report.Interrupted, score: 0,
		},
		"an earlier pass does not count": {
			step: report.Step{
				Verdict: report.Pass, Component: "agent_creation", Operations: report.Operations{Attempted: 1, Failed: 1},
				Metrics: map[string]report.Metric{"agents_per_second": metric(10.0, "1/s")},
			},
			verdict: report.Fail, score: 0,
		},
		"no metric": {
			step: measured("agent_creation", nil), verdict: report.Broken, score: 0, err: "no metric was measured",
		},
		"no operation": {
			step: report.Step{Metrics: good}, verdict: report.Broken, score: 0, err: "no operation was attempted",
		},
		"operations that do not add up": {
			step:    report.Step{Metrics: good, Operations: report.Operations{Attempted: 10, Succeeded: 8, Dropped: 1}},
			verdict: report.Broken, score: 0, err: "operations do not add up: 10 attempted, but 8 succeeded, 0 failed and 1 dropped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Judge(c.step, Criteria{Baselines: Builtin(), Tolerance: 0.2, Thresholds: c.thresholds})
			if got.Verdict != c.verdict || math.Abs(got.Score-c.score) > 1e-12 {
				t.Errorf("%s, score %v; want %s, %v", got.Verdict, got.Score, c.verdict, c.score)
			}
			switch {
			case c.err == "" && len(got.Errors) > 0:
				t.Errorf("unexpected errors %v", got.Errors)
			case c.err != "" && (len(got.Errors) != 1 || got.Errors[0].Message != c.err):
				t.Errorf("errors %v, want %q", got.Errors, c.err)
			}
			if (got.Verdict == report.Pass) != (len(got.Recommendations) == 0) {
				t.Errorf("%s with recommendations %q", got.Verdict, got.Recommendations)
			}
		})
	}
}

// TestBaselineOfMaximum compares the highest percentile for which there are enough
// operations with a baseline NAME.max; the maximum itself is information.
func TestBaselineOfMaximum(t *testing.T) {
	for _, c := range []struct {
		count  int64
		name   string
		actual float64
	}{
		{1_000_000, "creation_time_ms.p999", 12},
		{10_000, "creation_time_ms.p999", 12},
		{9999, "creation_time_ms.p99", 11},
		{1000, "creation_time_ms.p99", 11},
		{999, "creation_time_ms.p95", 10.5},
		{200, "creation_time_ms.p95", 10.5},
		{199, "creation_time_ms.p90", 10.2},
		{99, "creation_time_ms.p50", 9},
		{20, "creation_time_ms.p50", 9},
		{19, "", 0},
	} {
		d := &report.Distribution{Count: c.count, Min: 0.1, Mean: 0.5, P50: 9, P90: 10.2, P95: 10.5, P99: 11, P999: 12, Max: 13}
		given := measured("agent_creation", map[string]report.Metric{
			"creation_time_ms": {Value: 0.5, Unit: "ms", Better: report.Lower, Distribution: d},
		})
		got := Judge(given, Criteria{Baselines: Builtin(), Tolerance: 0.2})
		if m := got.Metrics["creation_time_ms.max"]; m.Value != 13.0 || m.Unit != "ms" || m.Status != report.StatusInfo || m.Baseline != nil {
			t.Errorf("%d operations: the maximum is %+v", c.count, m)
		}
		var compared []string
		for name, m := range got.Metrics {
			if name != "creation_time_ms" && m.Baseline != nil {
				compared = append(compared, name)
				if m.Value != c.actual || *m.Baseline != 10 {
					t.Errorf("%d operations: %s is %+v", c.count, name, m)
				}
			}
		}
		if strings.Join(compared, " ") != c.name {
			t.Errorf("%d operations: %q is compared, want %q", c.count, compared, c.name)
		}
		if len(given.Metrics) != 1 || given.Metrics["creation_time_ms"].Status != "" {
			t.Error("the step given was changed")
		}
	}

	empty := measured("agent_creation", map[string]report.Metric{
		"creation_time_ms": {Value: 0.5, Unit: "ms", Better: report.Lower, Distribution: &report.Distribution{}},
	})
	if m, ok := Judge(empty, Criteria{Baselines: Builtin(), Tolerance: 0.2}).Metrics["creation_time_ms.max"]; ok {
		t.Errorf("the maximum of nothing is a metric: %+v", m)
	}
}

func TestJudgeTwiceIsJudgeOnce(t *testing.T) {
	criteria := Criteria{Baselines: Builtin(), Tolerance: 0.2}
	once := Judge(measured("agent_creation", map[string]report.Metric{
		"agents_per_second": metric(10.0, "1/s"),
		"creation_time_ms":  {Value: 0.5, Unit: "ms", Distribution: &report.Distribution{Count: 1, Max: 5}},
	}), criteria)
	twice := Judge(once, criteria)
	if twice.Score != once.Score || twice.Verdict != once.Verdict || len(twice.Metrics) != len(once.Metrics) {
		t.Errorf("second judgement %s %v, first %s %v", twice.Verdict, twice.Score, once.Verdict, once.Score)
	}
	none := Judge(once, Criteria{})
	for name, m := range none.Metrics {
		if m.Status != report.StatusInfo || m.Baseline != nil || m.Deviation != nil || m.Tolerance != nil {
			t.Errorf("%s keeps a judgement without a baseline: %+v", name, m)
		}
	}
}

func TestLookup(t *testing.T) {
	d := &report.Distribution{Count: 10_000, Min: 1, Mean: 2, Stddev: 3, P50: 4, P90: 5, P95: 6, P99: 7, P999: 8, Max: 9}
	metrics := map[string]report.Metric{
		"latency_ms":     {Value: 4.0, Distribution: d},
		"empty_ms":       {Value: nil, Distribution: &report.Distribution{}},
		"plain":          {Value: 1.5},
		"stable":         {Value: true},
		"unstable":       {Value: false},
		"scaling":        {Value: "linear"},
		"memory.min":     {Value: 77.0},
		"memory":         {Value: 1.0, Distribution: d},
		"latency_ms.p97": {Value: math.NaN()},
	}
	for _, c := range []struct {
		name string
		want float64
		ok   bool
	}{
		{"latency_ms", 4, true},
		{"latency_ms.min", 1, true},
		{"latency_ms.mean", 2, true},
		{"latency_ms.stddev", 3, true},
		{"latency_ms.p50", 4, true},
		{"latency_ms.p90", 5, true},
		{"latency_ms.p95", 6, true},
		{"latency_ms.p99", 7, true},
		{"latency_ms.p999", 8, true},
		{"latency_ms.max", 9, true},
		{"latency_ms.p42", 0, false},
		{"latency_ms.p97", 0, false},
		{"empty_ms", 0, false},
		{"empty_ms.max", 0, false},
		{"plain", 1.5, true},
		{"plain.p99", 0, false},
		{"stable", 1, true},
		{"unstable", 0, true},
		{"scaling", 0, false},
		{"memory.min", 77, true}, // a part named min, not the statistic
		{"absent", 0, false},
		{"", 0, false},
	} {
		got, ok := lookup(metrics, c.name)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q is %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}
