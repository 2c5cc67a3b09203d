package verdict

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// repeated returns a metric with samples.
func repeated(better report.Better, samples ...float64) report.Metric {
	m := report.Metric{Unit: "ms", Better: better, Samples: samples, Status: report.StatusInfo}
	if len(samples) > 0 {
		m.Value = report.Median(samples)
	}
	return m
}

// around returns n samples close to a value.
func around(middle float64, n int) []float64 {
	samples := make([]float64, n)
	for i := range samples {
		samples[i] = middle * (1 + 0.002*float64(i-n/2))
	}
	return samples
}

// reportOf returns a report of one step with these metrics.
func reportOf(metrics map[string]report.Metric) report.Report {
	return report.Report{Scenarios: []report.Scenario{{Name: "s", Verdict: report.Pass, Steps: []report.Step{{
		Name: "a", Measurement: "probe", Verdict: report.Pass, Params: map[string]any{"agents": 10}, Metrics: metrics,
	}}}}}
}

func one(m report.Metric) report.Report { return reportOf(map[string]report.Metric{"m": m}) }

func compareOne(t *testing.T, before, now report.Metric) report.RegressionMetric {
	t.Helper()
	r, _, err := Compare(one(before), one(now), "old", Rule{})
	if err != nil || len(r.Metrics) != 1 {
		t.Fatalf("%v, %+v", err, r.Metrics)
	}
	m := r.Metrics[0]
	if r.Detected != (m.Verdict == report.Regressed) {
		t.Errorf("detected is %v, the verdict %s", r.Detected, m.Verdict)
	}
	return m
}

func TestCompareMetric(t *testing.T) {
	text := func(v any, unit string) report.Metric {
		return report.Metric{Value: v, Unit: unit, Better: report.Higher}
	}
	for name, c := range map[string]struct {
		before, now report.Metric
		verdict     report.Change
		note        string // a part of it
		delta       float64
		tested      bool
	}{
		"a slow-down of 15 %":             {repeated(report.Lower, around(100, 10)...), repeated(report.Lower, around(115, 10)...), report.Regressed, "spread", 15, true},
		"a rate that fell":                {repeated(report.Higher, around(100, 10)...), repeated(report.Higher, around(80, 10)...), report.Regressed, "", -20, true},
		"faster":                          {repeated(report.Lower, around(100, 10)...), repeated(report.Lower, around(80, 10)...), report.Improved, "", -20, true},
		"a rate that rose":                {repeated(report.Higher, around(100, 4)...), repeated(report.Higher, around(150, 4)...), report.Improved, "", 50, true},
		"9 % is not enough":               {repeated(report.Lower, around(100, 10)...), repeated(report.Lower, around(109, 10)...), report.Same, "", 9, true},
		"four samples are enough":         {repeated(report.Lower, around(100, 4)...), repeated(report.Lower, around(120, 4)...), report.Regressed, "", 20, true},
		"three are not":                   {repeated(report.Lower, 99, 100, 101), repeated(report.Lower, around(120, 10)...), report.Regressed, tooFew, 20, false},
		"one is not":                      {repeated(report.Lower, 100), repeated(report.Lower, 111), report.Regressed, tooFew, 11, false},
		"few, and the same":               {repeated(report.Lower, 100), repeated(report.Lower, 109), report.Same, "", 9, false},
		"few, and better":                 {repeated(report.Higher, 100), repeated(report.Higher, 130), report.Improved, tooFew, 30, false},
		"not significant":                 {repeated(report.Lower, 80, 95, 100, 130, 150), repeated(report.Lower, 85, 100, 120, 125, 160), report.Same, "not significant", 20, true},
		"significant, with a wide spread": {repeated(report.Lower, 60, 70, 80, 100, 101, 120, 125, 126, 130, 140), repeated(report.Lower, 125, 135, 140, 150, 152, 170, 180, 185, 190, 210), report.Regressed, "spread", 100 * (161.0/110.5 - 1), true},
		"significant, but in the spread":  {repeated(report.Lower, 60, 70, 80, 100, 101, 120, 125, 126, 130, 140), repeated(report.Lower, 105, 115, 120, 130, 132, 150, 160, 165, 170, 190), report.Unknown, "differ too much", 100 * (141.0/110.5 - 1), true},
		"the same all along":              {repeated(report.Lower, 5, 5, 5, 5), repeated(report.Lower, 5, 5, 5, 5), report.Same, "", 0, true},
		"from 0 on, worse":                {repeated(report.Lower, 0, 0, 0, 0), repeated(report.Lower, 3, 3, 3, 3), report.Regressed, "old value is 0", math.NaN(), true},
		"to 0, better":                    {repeated(report.Lower, 3, 3, 3, 3), repeated(report.Lower, 0, 0, 0, 0), report.Improved, "", -100, true},
		"0 is 0":                          {repeated(report.Lower, 0, 0, 0, 0), repeated(report.Lower, 0, 0, 0, 0), report.Same, "", 0, true},
		"below 0, worse":                  {repeated(report.Higher, -10), repeated(report.Higher, -20), report.Regressed, tooFew, -100, false},
		"neither direction is better":     {repeated(report.Neither, around(100, 5)...), repeated(report.Neither, around(200, 5)...), report.Unknown, "neither", 100, true},
		"a text that changed":             {text("linear", "text"), text("superlinear", "text"), report.Unknown, "was linear, is superlinear", math.NaN(), false},
		"a text":                          {text("linear", "text"), text("linear", "text"), report.Same, "", math.NaN(), false},
		"yes became no":                   {text(true, "bool"), text(false, "bool"), report.Regressed, tooFew, -100, false},
		"not measured any more":           {repeated(report.Lower, 1, 2, 3, 4), repeated(report.Lower), report.Unknown, "not measured in the new report", math.NaN(), false},
		"never measured":                  {repeated(report.Lower), repeated(report.Lower), report.Unknown, "not measured in either report", math.NaN(), false},
		"another unit":                    {text(1.0, "s"), text(1.0, "ms"), report.Unknown, "in s before, in ms now", math.NaN(), false},
	} {
		t.Run(name, func(t *testing.T) {
			m := compareOne(t, c.before, c.now)
			if m.Verdict != c.verdict || !strings.Contains(m.Note, c.note) {
				t.Errorf("%s (%s), want %s (%s)", m.Verdict, m.Note, c.verdict, c.note)
			}
			if (m.DeltaPercent == nil) != math.IsNaN(c.delta) || m.DeltaPercent != nil && math.Abs(*m.DeltaPercent-c.delta) > 1e-6+0.3*float64(len(c.now.Samples)&1^1) {
				t.Errorf("the difference is %v, want %v", deref(m.DeltaPercent), c.delta)
			}
			if (m.PValue != nil) != c.tested {
				t.Errorf("p is %v, tested should be %v", deref(m.PValue), c.tested)
			}
		})
	}
}

func deref(p *float64) any {
	if p == nil {
		return nil
	}
	return *p
}

// benchstat computes the same p-value: p=0.008 n=5 for two samples of five that do not
// overlap (2/252).
func TestPValueLikeBenchstat(t *testing.T) {
	m := compareOne(t, repeated(report.Lower, 1, 2, 3, 4, 5), repeated(report.Lower, 6, 7, 8, 9, 10))
	if m.PValue == nil || math.Abs(*m.PValue-2.0/252) > 1e-12 {
		t.Errorf("p = %v, want 2/252", deref(m.PValue))
	}
}

// The maximum of all operations is one value, whatever the number of repetitions, and
// changes from run to run.
func TestCompareIgnoresMaxima(t *testing.T) {
	metrics := func(greatest float64) map[string]report.Metric {
		m := repeated(report.Lower, around(1, 5)...)
		m.Distribution = &report.Distribution{Count: 10, Max: greatest}
		return map[string]report.Metric{"m": m, "m.max": {Value: greatest, Unit: "ms", Better: report.Lower}}
	}
	r, _, err := Compare(reportOf(metrics(2)), reportOf(metrics(50)), "old", Rule{})
	if err != nil || r.Detected || r.Metrics[1].Metric != "m.max" || r.Metrics[1].Verdict != report.Unknown {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestCompareListsUnpairedMetrics(t *testing.T) {
	before := reportOf(map[string]report.Metric{"both": repeated(report.Lower, 1), "gone": repeated(report.Lower, 2)})
	before.Scenarios = append(before.Scenarios, report.Scenario{Name: "old", Steps: []report.Step{{Name: "b", Metrics: map[string]report.Metric{"m": repeated(report.Lower, 3)}}}})
	now := reportOf(map[string]report.Metric{"both": repeated(report.Lower, 1), "come": repeated(report.Lower, 4)})
	r, _, err := Compare(before, now, "old", Rule{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range r.Metrics {
		got = append(got, strings.Join([]string{m.Scenario, m.Step, m.Metric, string(m.Verdict), m.Note}, " "))
	}
	want := []string{
		"s a both same ", "s a come unknown only in the new report", "s a gone unknown only in the old report",
		"old b m unknown only in the old report",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCompareUnreliableSteps(t *testing.T) {
	for _, v := range []report.Verdict{report.Inconclusive, report.Broken, report.Interrupted} {
		before, now := one(repeated(report.Lower, around(1, 5)...)), one(repeated(report.Lower, around(2, 5)...))
		before.Scenarios[0].Steps[0].Verdict = v
		r, _, err := Compare(before, now, "old", Rule{})
		if err != nil || r.Detected || r.Metrics[0].Verdict != report.Unknown || !strings.Contains(r.Metrics[0].Note, string(v)+" in the old report") {
			t.Errorf("%s: %v, %+v", v, err, r.Metrics)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	before, now := one(repeated(report.Lower, 1)), one(repeated(report.Lower, 1))
	now.Scenarios[0].Steps[0].Params = map[string]any{"agents": 10.0} // as a file has it
	if _, warnings, err := Compare(before, now, "old", Rule{}); err != nil || len(warnings) > 0 {
		t.Errorf("the same number of another type: %v, %v", err, warnings)
	}
	now.Scenarios[0].Steps[0].Params = map[string]any{"agents": 20, "rate": "5/s"}
	_, _, err := Compare(before, now, "old", Rule{})
	if !errors.Is(err, ErrDifferentParameters) || !strings.Contains(err.Error(), "s › a: different parameters: agents was 10, is 20, rate was not set, is 5/s") {
		t.Errorf("other parameters: %v", err)
	}
	r, warnings, err := Compare(before, now, "old", Rule{Force: true})
	if err != nil || len(r.Metrics) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "agents was 10") {
		t.Errorf("forced: %v, %v, %+v", err, warnings, r)
	}
	now.Scenarios[0].Steps[0].Measurement = "other"
	if _, _, err := Compare(before, now, "old", Rule{}); !errors.Is(err, ErrDifferentParameters) {
		t.Errorf("another measurement: %v", err)
	}
	now.Scenarios[0].Name = "other"
	if _, _, err := Compare(before, now, "old", Rule{Force: true}); !errors.Is(err, ErrNothingInCommon) {
		t.Errorf("another scenario: %v", err)
	}
}

func TestCompareWarns(t *testing.T) {
	host := func(change func(*report.Report)) report.Report {
		r := one(repeated(report.Lower, around(1, 5)...))
		r.Host = report.Host{OS: "linux", Arch: "amd64", Kernel: "6.1", CPUModel: "X", CPUs: 2, GOMAXPROCS: 2, MemoryBytes: 8e9, GOMemLimit: math.MaxInt64}
		r.Tool, r.Seed = report.Tool{Go: "go1.26"}, 1
		change(&r)
		return r
	}
	limit := uint64(1e9)
	for name, c := range map[string]struct {
		change func(*report.Report)
		want   string
	}{
		"nothing":             {func(*report.Report) {}, ""},
		"another build":       {func(r *report.Report) { r.Tool.Commit = "abc" }, ""},
		"a little memory":     {func(r *report.Report) { r.Host.MemoryBytes += 1e6 }, ""},
		"system":              {func(r *report.Report) { r.Host.Arch = "arm64" }, "the operating system differs"},
		"kernel":              {func(r *report.Report) { r.Host.Kernel = "6.2" }, "the kernel differs: 6.1 before, 6.2 now"},
		"CPU":                 {func(r *report.Report) { r.Host.CPUModel = "Y" }, "the CPU differs"},
		"CPUs":                {func(r *report.Report) { r.Host.CPUs = 4 }, "the number of CPUs differs: 2 before, 4 now"},
		"GOMAXPROCS":          {func(r *report.Report) { r.Host.GOMAXPROCS = 1 }, "GOMAXPROCS differs"},
		"memory":              {func(r *report.Report) { r.Host.MemoryBytes = 4e9 }, "the memory differs: 8 GB before, 4 GB now"},
		"a limit":             {func(r *report.Report) { r.Host.CgroupMemoryBytes = &limit }, "the memory limit differs: none before, 1 GB now"},
		"Go":                  {func(r *report.Report) { r.Tool.Go = "go1.27" }, "the Go version differs: go1.26 before, go1.27 now"},
		"seed":                {func(r *report.Report) { r.Seed = 2 }, "the seed differs: 1 before, 2 now"},
		"repetitions":         {func(r *report.Report) { r.Scenarios[0].Steps[0].Metrics["m"] = repeated(report.Lower, around(1, 7)...) }, "s › a: 5 repetitions before, 7 now"},
		"a child process":     {func(r *report.Report) { r.Scenarios[0].Steps[0].Isolated = true }, "a process of its own now"},
		"somebody steered it": {func(r *report.Report) { r.Scenarios[0].Steps[0].Steered = true }, "manually"},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := Compare(host(func(*report.Report) {}), host(c.change), "old", Rule{})
			if err != nil || (len(warnings) > 0) != (c.want != "") || !strings.Contains(strings.Join(warnings, "\n"), c.want) {
				t.Errorf("%v, %q; want %q", err, warnings, c.want)
			}
		})
	}
}

func TestWithRegressionExplains(t *testing.T) {
	before, now := one(repeated(report.Lower, around(1, 5)...)), one(repeated(report.Lower, around(1.5, 5)...))
	step := func(r report.Report) *report.Step { return &r.Scenarios[0].Steps[0] }
	before.Host.CPUs, now.Host.CPUs = 2, 2
	explanation := func(t *testing.T) string {
		t.Helper()
		result, err := WithRegression(now, before, "v1", Rule{})
		if err != nil || result.Regression == nil || !result.Regression.Detected || result.Regression.Baseline != "v1" {
			t.Fatalf("%v, %+v", err, result.Regression)
		}
		if len(step(now).Recommendations) > 0 || now.Regression != nil {
			t.Error("the report given was changed")
		}
		text := strings.Join(step(result).Recommendations, "\n")
		if !strings.HasPrefix(text, "m is 50 % worse than in v1: 1 ms before, 1.5 ms now") {
			t.Errorf("explained as %s", text)
		}
		return text
	}
	if text := explanation(t); !strings.Contains(text, "no probe changed as well") {
		t.Error(text)
	}
	step(before).Probes = map[probe.Name]report.Probe{"gc_cpu_ratio": {Mean: 0.02}, "goroutines": {Mean: 100}, "threads": {Mean: 8}}
	step(now).Probes = map[probe.Name]report.Probe{"gc_cpu_ratio": {Mean: 0.2}, "goroutines": {Mean: 102}, "threads": {Mean: 8}}
	if text := explanation(t); !strings.Contains(text, "gc_cpu_ratio (0.02 before, 0.2 now): the garbage collector") || strings.Contains(text, "goroutine") || strings.Contains(text, "threads") {
		t.Error(text)
	}
	step(before).Probes = map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 50}, "cpu_percent": {Mean: 100}}
	step(now).Probes = map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 90}, "cpu_percent": {Mean: 100}}
	if text := explanation(t); !strings.Contains(text, "other programs used 0 % of the machine before and 40 % now") {
		t.Error(text)
	}
}

// anyReport draws a report of one step, whose metrics have many samples, a few, or none.
func anyReport(t *rapid.T, names []string) report.Report {
	metrics := map[string]report.Metric{}
	for _, name := range names {
		better := rapid.SampledFrom([]report.Better{report.Lower, report.Higher, report.Neither}).Draw(t, "better "+name)
		samples := rapid.SliceOfN(rapid.Float64Range(0.001, 1e6), 0, 12).Draw(t, "samples "+name)
		metrics[name] = repeated(better, samples...)
	}
	return reportOf(metrics)
}

// A report compared with itself has no regression, and nothing has improved.
func TestCompareWithItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyReport(t, []string{"x", "y.max", "z"})
		c, warnings, err := Compare(r, r, "itself", Rule{})
		if err != nil || len(warnings) > 0 || c.Detected || c.Percentage != 0 || len(c.Metrics) != 3 {
			t.Fatalf("%v, %v, %+v", err, warnings, c)
		}
		for _, m := range c.Metrics {
			if m.Verdict != report.Same && m.Note != "not measured in either report" || m.DeltaPercent != nil && *m.DeltaPercent != 0 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// With the reports swapped, the sign of a change is reversed, its p-value is the same,
// and no metric is worse both ways.
func TestCompareSwapped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"x", "y"}
		before, now := anyReport(t, names), anyReport(t, names)
		for _, name := range names { // which direction is better does not change
			m := now.Scenarios[0].Steps[0].Metrics[name]
			m.Better = before.Scenarios[0].Steps[0].Metrics[name].Better
			now.Scenarios[0].Steps[0].Metrics[name] = m
		}
		there, _, err1 := Compare(before, now, "", Rule{})
		back, _, err2 := Compare(now, before, "", Rule{})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for i, a := range there.Metrics {
			b := back.Metrics[i]
			if a.Verdict == report.Regressed && b.Verdict == report.Regressed || a.Verdict == report.Improved && b.Verdict == report.Improved {
				t.Fatalf("%s both ways: %+v", a.Verdict, a)
			}
			if (a.DeltaPercent == nil) != (b.DeltaPercent == nil) {
				t.Fatalf("%+v, %+v", a, b)
			}
			if a.DeltaPercent != nil && (*a.DeltaPercent > 0) != (*b.DeltaPercent < 0) {
				t.Fatalf("%v and %v %%", *a.DeltaPercent, *b.DeltaPercent)
			}
			if (a.PValue == nil) != (b.PValue == nil) || a.PValue != nil && math.Abs(*a.PValue-*b.PValue) > 1e-9 {
				t.Fatalf("p is %v and %v", deref(a.PValue), deref(b.PValue))
			}
		}
	})
}
