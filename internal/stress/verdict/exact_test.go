package verdict

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/stress/report"
)

// conditions are those of metrics, by name, in the notation of a scenario file.
func conditions(t *testing.T, texts map[string]string) map[string]Exact {
	t.Helper()
	all := map[string]Exact{}
	for name, text := range texts {
		c, err := ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = Exact{Condition: c}
	}
	return all
}

// table reads a baseline table.
func tableOf(t *testing.T, text string) Baselines {
	t.Helper()
	b, err := ParseBaselines([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJudgeExact judges metrics that have to meet a condition.
func TestJudgeExact(t *testing.T) {
	declared := map[string]report.Metric{
		"lost": {Unit: "count", Better: report.Lower}, "recovered": {Unit: "bool"}, "growth": {Unit: "ratio", Better: report.Lower},
		report.FindingsMetric: {Unit: "count", Better: report.Lower}, "rate": {Unit: "1/s", Better: report.Higher},
	}
	exact := map[string]string{"lost": "== 0", "recovered": "== true", "growth": "< 0.1", report.FindingsMetric: "== 0"}
	good := map[string]any{"lost": 0.0, "recovered": true, "growth": 0.01, report.FindingsMetric: 0.0, "rate": 100.0}
	type change func(map[string]report.Metric)
	set := func(name string, value any) change {
		return func(m map[string]report.Metric) {
			one := m[name]
			one.Value = value
			m[name] = one
		}
	}
	between := func(name string, value, low, high float64) change {
		return func(m map[string]report.Metric) {
			one := m[name]
			one.Value, one.Interval = value, &report.Interval{Low: low, High: high}
			m[name] = one
		}
	}
	for name, c := range map[string]struct {
		change     change
		thresholds []Threshold
		verdict    report.Verdict
		metric     string
		status     report.Status
		undecided  bool
		told       string // a part of the recommendations
	}{
		"all is well":         {set("rate", 100.0), nil, report.Pass, "lost", report.StatusPass, false, ""},
		"one is lost":         {set("lost", 1.0), nil, report.Fail, "lost", report.StatusFail, false, "lost is 1, but must be 0"},
		"no instead of yes":   {set("recovered", false), nil, report.Fail, "recovered", report.StatusFail, false, "recovered is no, but must be yes"},
		"something was found": {set(report.FindingsMetric, 2.0), nil, report.Fail, report.FindingsMetric, report.StatusFail, false, "findings is 2, but must be 0"},
		"no value":            {set("lost", nil), nil, report.Fail, "lost", report.StatusFail, false, "lost was not measured, which counts as failed: must be 0"},
		"a value that is none": {
			set("lost", math.NaN()), nil, report.Fail, "lost", report.StatusFail, false, "must be 0",
		},
		"a text": {set("lost", "none"), nil, report.Fail, "lost", report.StatusFail, false, "must be 0"},
		"not even declared by its run": {
			func(m map[string]report.Metric) { delete(m, "lost") }, nil, report.Fail, "lost", report.StatusFail, false, "lost was not measured",
		},
		"an estimate within":   {between("growth", 0.01, -0.01, 0.03), nil, report.Pass, "growth", report.StatusPass, false, ""},
		"an estimate beyond":   {between("growth", 0.3, 0.2, 0.4), nil, report.Fail, "growth", report.StatusFail, false, "growth is 0.3, but must be < 0.1"},
		"in the noise, within": {between("growth", 0.05, -0.05, 0.15), nil, report.Inconclusive, "growth", report.StatusPass, true, "growth is between -0.05 and 0.15"},
		"in the noise, beyond": {between("growth", 0.15, 0.05, 0.25), nil, report.Inconclusive, "growth", report.StatusFail, true, "more repetitions tell which"},
		"relaxed by a threshold": {
			set("lost", 3.0),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Pass, "lost", report.StatusInfo, false, "",
		},
		"relaxed, and still too many": {
			set("lost", 7.0),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Fail, "lost", report.StatusInfo, false, "lost is 7, limit < 5",
		},
		"relaxed, and missing": {
			set("lost", nil),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Fail, "lost", report.StatusInfo, false, "lost was not measured",
		},
		"a threshold on another relaxes nothing": {
			set("lost", 1.0),
			[]Threshold{{Metric: "rate", Condition: Condition{">", 5}}},
			report.Fail, "lost", report.StatusFail, false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			metrics := map[string]report.Metric{}
			for name, m := range declared {
				m.Value = good[name]
				metrics[name] = m
			}
			c.change(metrics)
			got := Judge(measured("", metrics), Against{Exact: conditions(t, exact), Declared: declared, Thresholds: c.thresholds})
			m := got.Metrics[c.metric]
			if got.Verdict != c.verdict || m.Status != c.status || (m.Undecided != "") != c.undecided {
				t.Errorf("%s, %s is %+v", got.Verdict, c.metric, m)
			}
			if told := strings.Join(got.Recommendations, "\n"); !strings.Contains(told, c.told) || c.verdict == report.Pass && told != "" {
				t.Errorf("told %q, want %q in it", told, c.told)
			}
			if relaxed := len(c.thresholds) > 0 && c.thresholds[0].Metric == c.metric; (m.Condition == "") != relaxed {
				t.Errorf("it must be %q", m.Condition)
			}
		})
	}
}

// TestJudgeNothing judges steps of which nothing that they are about is held against
// anything.
func TestJudgeNothing(t *testing.T) {
	exact := conditions(t, map[string]string{report.FindingsMetric: "== 0"})
	found := func(n float64) report.Step {
		return measured("", map[string]report.Metric{report.FindingsMetric: {Value: n, Unit: "count"}, "rate": metric(5.0, "1/s")})
	}
	for name, c := range map[string]struct {
		step    report.Step
		against Against
		want    report.Verdict
	}{
		"information":           {measured("", map[string]report.Metric{"rate": metric(5.0, "1/s")}), Against{}, report.Inconclusive},
		"nothing wrong found":   {found(0), Against{Exact: exact}, report.Inconclusive},
		"something wrong found": {found(1), Against{Exact: exact}, report.Fail},
		"a threshold":           {found(0), Against{Exact: exact, Thresholds: []Threshold{{Metric: "rate", Condition: Condition{">", 1}}}}, report.Pass},
		"of a component without rows": {
			measured("nobody", map[string]report.Metric{"rate": metric(5.0, "1/s")}), Against{Baselines: Builtin(), Tolerance: 0.2}, report.Inconclusive,
		},
	} {
		got := Judge(c.step, c.against)
		if got.Verdict != c.want || c.want == report.Inconclusive && !strings.Contains(got.Reason(), "nothing that was measured is held against anything") {
			t.Errorf("%s: %s, %q", name, got.Verdict, got.Recommendations)
		}
	}
}

// TestJudgeCutOff judges a step that was cut off: what it had not measured by then is
// no failure of the system.
func TestJudgeCutOff(t *testing.T) {
	for _, v := range []report.Verdict{report.Broken, report.Interrupted} {
		got := Judge(report.Step{Verdict: v}, Against{
			Exact: conditions(t, map[string]string{"lost": "== 0"}), Declared: map[string]report.Metric{"lost": {Unit: "count"}},
		})
		if got.Verdict != v || len(got.Metrics) != 0 {
			t.Errorf("%s with %v", got.Verdict, got.Metrics)
		}
	}
}

const floors = `
c:
  rate:   {value: 100, better: higher, floors: [{of: hand_over, share: 0.05, at: {agents: 10}}, {of: hand_over, share: 0.02}]}
  time_ms: {better: lower, floors: [{of: timer, share: 20, at: {agents: 10, mode: fast}}]}
  memory: {better: lower, floors: [{of: entry_bytes, share: 3}]}
  memory_mb: {better: lower, floors: [{of: entry_bytes, share: 1e6}]}
  enough: {better: higher, floors: [{of: timer, share: 1, at: {mode: fast}, from: {agents: 100}}]}
  ratio:  {better: lower, floors: [{of: allocation, share: 2}]}
  longest: {better: lower, floors: [{of: allocation, share: 2, or: {hand_over: 0.1, timer: 0.3}}]}
  least:   {better: higher, floors: [{of: timer, share: 0.3, or: {allocation: 0.02}}]}
`

// TestFloors computes floors in the units of their metrics, by the step's parameters.
func TestFloors(t *testing.T) {
	b := tableOf(t, floors)
	reference := map[string]float64{"hand_over": 200, "timer": 1000, "entry_bytes": 160, "allocation": 25}
	fast := map[string]any{"agents": 10, "mode": "fast"}
	for name, c := range map[string]struct {
		metric, unit string
		params       map[string]any
		want         float64 // 0 for none
	}{
		"a rate is a share of the work's rate": {"rate", "1/s", fast, 0.05 * 5e6},
		"numbers of any type are the same":     {"rate", "1/s", map[string]any{"agents": 10.0}, 0.05 * 5e6},
		"the first floor that fits":            {"rate", "1/s", map[string]any{"agents": 11}, 0.02 * 5e6},
		"a time is a multiple of the work's":   {"time_ms", "ms", fast, 0.02},
		"all parameters have to fit":           {"time_ms", "ms", map[string]any{"agents": 10, "mode": "slow"}, 0},
		"one that is not there does not fit":   {"time_ms", "ms", map[string]any{"agents": 10}, 0},
		"bytes":                                {"memory", "bytes", nil, 480},
		"megabytes":                            {"memory_mb", "MB", nil, 160},
		"any other unit is that of the work":   {"ratio", "ratio", nil, 50},
		"at least so many":                     {"enough", "1/s", map[string]any{"agents": 100, "mode": "fast"}, 1e6},
		"more than that":                       {"enough", "1/s", map[string]any{"agents": 1e6, "mode": "fast"}, 1e6},
		"fewer":                                {"enough", "1/s", map[string]any{"agents": 99, "mode": "fast"}, 0},
		"not a number":                         {"enough", "1/s", map[string]any{"agents": "many", "mode": "fast"}, 0},
		"not there":                            {"enough", "1/s", map[string]any{"mode": "fast"}, 0},
		"the longest of several times":         {"longest", "ms", nil, 300e-6},
		"the least of several rates":           {"least", "1/s", nil, 0.3e6},
		"no such metric":                       {"nothing", "ms", nil, 0},
	} {
		f, better, ok := b.floorOf("c", c.metric, c.params)
		if !ok {
			if c.want != 0 {
				t.Errorf("%s: there is none", name)
			}
			continue
		}
		if got := f.limit(c.unit, better, reference); got == nil || math.Abs(got.Value-c.want) > 1e-9*c.want {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
	}
	f, better, _ := b.floorOf("c", "rate", nil)
	for _, none := range []map[string]float64{nil, {"timer": 1}, {"hand_over": 0}, {"hand_over": -1}} {
		if got := f.limit("1/s", better, none); got != nil {
			t.Errorf("of %v it is %+v", none, got)
		}
	}
	if got := strings.Join(b.Works(), " "); got != "allocation entry_bytes hand_over timer" {
		t.Errorf("works %q", got)
	}
}

// TestJudgeFloor holds a metric against a baseline and a floor.
func TestJudgeFloor(t *testing.T) {
	b := tableOf(t, floors)
	busy := map[string]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}} // of two processors, the other is taken
	for name, c := range map[string]struct {
		value      any
		floors     string
		reference  map[string]float64
		probes     map[string]report.Probe
		thresholds []Threshold
		status     report.Status
		verdict    report.Verdict
		undecided  string
	}{
		"above both":            {250_001.0, "c", map[string]float64{"hand_over": 200}, nil, nil, report.StatusExceed, report.Pass, ""},
		"at the floor":          {250_000.0, "c", map[string]float64{"hand_over": 200}, nil, nil, report.StatusExceed, report.Pass, ""},
		"below the floor":       {249_999.0, "c", map[string]float64{"hand_over": 200}, nil, nil, report.StatusFail, report.Fail, ""},
		"a slower machine":      {249_999.0, "c", map[string]float64{"hand_over": 600}, nil, nil, report.StatusExceed, report.Pass, ""},
		"no value":              {nil, "c", map[string]float64{"hand_over": 200}, nil, nil, report.StatusFail, report.Fail, ""},
		"no reference":          {250_001.0, "c", nil, nil, nil, report.StatusExceed, report.Inconclusive, "hand_over was not measured"},
		"no reference, failed":  {1.0, "c", nil, nil, nil, report.StatusFail, report.Fail, ""},
		"floors do not apply":   {200.0, "", map[string]float64{"hand_over": 200}, nil, nil, report.StatusExceed, report.Pass, ""},
		"relaxed":               {200.0, "c", map[string]float64{"hand_over": 200}, nil, []Threshold{{Metric: "rate", Condition: Condition{">", 1}}}, report.StatusExceed, report.Pass, ""},
		"a busy machine":        {100_000.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusFail, report.Inconclusive, "while other programs took 50 %"},
		"a busy machine, twice": {62_499.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusFail, report.Fail, ""},
		"a busy machine passes": {250_001.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusExceed, report.Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			step := measured("c", map[string]report.Metric{"rate": ofThree(c.value)})
			step.Params, step.Reference, step.Probes = map[string]any{"agents": 10}, c.reference, c.probes
			got := Judge(step, Against{Baselines: b, Tolerance: 0.2, Floors: c.floors, Thresholds: c.thresholds, CPUs: 2})
			m := got.Metrics["rate"]
			if m.Status != c.status || got.Verdict != c.verdict || !strings.Contains(m.Undecided, c.undecided) || (c.undecided == "") != (m.Undecided == "") {
				t.Errorf("%s, %+v", got.Verdict, m)
			}
		})
	}
}

// ofThree is a rate of three repetitions, which a floor takes.
func ofThree(value any) report.Metric {
	m := metric(value, "1/s")
	if v, ok := value.(float64); ok {
		m.Samples = []float64{v, v, v}
	} else {
		m.Samples, m.MissingIn = []float64{1, 1}, []int{3}
	}
	return m
}

// TestFloorTakesRepetitions holds no metric against a floor of which there are fewer
// repetitions than tell.
func TestFloorTakesRepetitions(t *testing.T) {
	b := tableOf(t, floors)
	for n := range 5 {
		m := metric(200.0, "1/s") // the baseline is far below the floor
		for range n {
			m.Samples = append(m.Samples, 200)
		}
		step := measured("c", map[string]report.Metric{"rate": m})
		step.Reference = map[string]float64{"hand_over": 200}
		got := Judge(step, Against{Baselines: b, Tolerance: 0.2, Floors: "c"}).Metrics["rate"]
		if (got.Floor != nil) != (n >= leastRepetitions) {
			t.Errorf("%d repetitions: %+v", n, got)
		}
	}
}

// TestExactIsNeverExcused holds what explains a missed baseline against a condition that
// is not met: it explains nothing of that.
func TestExactIsNeverExcused(t *testing.T) {
	step := measured("c", map[string]report.Metric{"share": {Value: 0.7, Unit: "ratio", Better: report.Higher, Interval: &report.Interval{Low: 0.6, High: 0.8}}})
	step.Probes = map[string]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}}
	got := Judge(step, Against{
		Baselines: tableOf(t, "c: {share: {value: 0.9, better: higher}}"), Tolerance: 0.2, CPUs: 2,
		Exact: conditions(t, map[string]string{"share": "== 1"}),
	})
	if m := got.Metrics["share"]; got.Verdict != report.Fail || m.Status != report.StatusFail || m.Undecided != "" {
		t.Errorf("%s, %+v", got.Verdict, m)
	}
}

// TestUndecidedBaseline holds estimates against a baseline: within their noise they
// neither pass nor fail.
func TestUndecidedBaseline(t *testing.T) {
	b := tableOf(t, "c: {growth: {value: 0.05, better: lower}, score: {value: 1, better: higher}}") // fails above 0.06, below 0.8
	for name, c := range map[string]struct {
		metric           string
		value, low, high float64
		verdict          report.Verdict
	}{
		"well within":              {"growth", 0.01, 0, 0.02, report.Pass},
		"near, and within":         {"growth", 0.05, 0.045, 0.059, report.Pass},
		"near, and not sure":       {"growth", 0.05, 0.03, 0.07, report.Inconclusive},
		"beyond, and not sure":     {"growth", 0.07, 0.05, 0.09, report.Inconclusive},
		"surely beyond":            {"growth", 0.09, 0.07, 0.1, report.Fail},
		"a score, surely beyond":   {"score", 0.5, 0.4, 0.6, report.Fail},
		"a score, not sure":        {"score", 0.9, 0.7, 1, report.Inconclusive},
		"a score, well within":     {"score", 1, 0.95, 1, report.Pass},
		"a bound at the limit":     {"growth", 0.04, 0.02, 0.06, report.Pass},
		"an interval of one value": {"growth", 0.07, 0.07, 0.07, report.Fail},
	} {
		better := report.Lower
		if c.metric == "score" {
			better = report.Higher
		}
		// The other metric of the component would fail for want of a value if it were declared.
		got := Judge(measured("c", map[string]report.Metric{
			c.metric: {Value: c.value, Unit: "ratio", Better: better, Interval: &report.Interval{Low: c.low, High: c.high}},
		}), Against{Baselines: b, Tolerance: 0.2})
		if got.Verdict != c.verdict {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Metrics[c.metric])
		}
	}
}

// TestJudgeProperties holds whatever a metric is: it is never better for being held
// against more, one without a value that is held against anything fails, and what is
// undecided decides nothing.
func TestJudgeProperties(t *testing.T) {
	b := tableOf(t, "c: {m: {value: 10, better: lower, floors: [{of: allocation, share: 1}]}}")
	rapid.Check(t, func(t *rapid.T) {
		m := report.Metric{Unit: "ns", Better: report.Lower}
		if rapid.Bool().Draw(t, "measured") {
			m.Value = rapid.SampledFrom([]float64{0, 1, 5, 9, 10, 11, 11.5, 12, 12.5, 20, 100}).Draw(t, "value")
		}
		against := Against{Tolerance: 0.2}
		step := measured("", map[string]report.Metric{"m": m})
		step.Reference = map[string]float64{"allocation": rapid.SampledFrom([]float64{1, 10, 11, 50}).Draw(t, "allocation")}
		held := false
		worst := report.StatusExceed
		grow := func(change func()) {
			change()
			held = true
			got := Judge(step, against)
			one := got.Metrics["m"]
			if goodness[one.Status] > goodness[worst] {
				t.Fatalf("%v became %s, from %s, for being held against more: %+v", m.Value, one.Status, worst, one)
			}
			worst = one.Status
			if m.Value == nil && (one.Status != report.StatusFail || got.Verdict != report.Fail) {
				t.Fatalf("without a value it is %s, and the step %s", one.Status, got.Verdict)
			}
			if one.Status == report.StatusFail && one.Undecided == "" && got.Verdict != report.Fail {
				t.Fatalf("it failed, and the step is %s", got.Verdict)
			}
			if shown, ok := one.MainCheck(); !ok || shown.Status != one.Status {
				t.Fatalf("shown is %+v, of %+v", shown, one)
			}
		}
		grow(func() { against.Baselines, step.Component = b, "c" })
		grow(func() { against.Floors = "c" })
		grow(func() { against.Exact = map[string]Exact{"m": {Condition: Condition{"<", 11.2}}} })
		if !held {
			t.Fatal("nothing was tried")
		}
	})
}

// TestConditionText writes conditions in the notation of a metric's unit.
func TestConditionText(t *testing.T) {
	for _, c := range []struct {
		condition Condition
		unit      string
		want      string
	}{
		{Condition{"==", 0}, "count", "== 0"},
		{Condition{"==", 1}, "bool", "== true"},
		{Condition{"!=", 0}, "bool", "!= false"},
		{Condition{"<", 0.1}, "ratio", "< 0.1"},
		{Condition{"==", 2}, "bool", "== 2"},
	} {
		got := c.condition.text(c.unit)
		if got != c.want {
			t.Errorf("%v in %s is %q, want %q", c.condition, c.unit, got, c.want)
		}
		if again, err := ParseCondition(got); err != nil || again != c.condition {
			t.Errorf("%q is read as %v, %v", got, again, err)
		}
	}
}

// TestNearTheBest says how near a metric comes to the best figure kept.
func TestNearTheBest(t *testing.T) {
	b := tableOf(t, floors)
	for name, c := range map[string]struct {
		value  any
		floors string
		best   map[string]float64
		want   float64 // 0 for none
	}{
		"as good":        {500_000.0, "c", map[string]float64{"rate": 2}, 1},
		"half as good":   {500_000.0, "c", map[string]float64{"rate": 4}, 0.5},
		"better":         {500_000.0, "c", map[string]float64{"rate": 1}, 2},
		"none kept":      {500_000.0, "c", nil, 0},
		"no floor":       {500_000.0, "", map[string]float64{"rate": 2}, 0},
		"not measured":   {nil, "c", map[string]float64{"rate": 2}, 0},
		"of another":     {500_000.0, "c", map[string]float64{"time_ms": 2}, 0},
		"not a figure":   {0.0, "c", map[string]float64{"rate": 2}, 0},
		"nothing at all": {500_000.0, "c", map[string]float64{"rate": 0}, 0},
	} {
		step := measured("c", map[string]report.Metric{"rate": ofThree(c.value)})
		step.Params, step.Reference = map[string]any{"agents": 10}, map[string]float64{"hand_over": 200}
		m := Judge(step, Against{Baselines: b, Tolerance: 0.2, Floors: c.floors, Best: c.best}).Metrics["rate"]
		if (m.BestRatio == nil) != (c.want == 0) || m.BestRatio != nil && math.Abs(*m.BestRatio-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, m.BestRatio, c.want)
		}
	}
}

// TestJudgeTimed judges conditions that time decides: where other programs took the
// processors, one that is not met is undecided, and what was counted by itself is not.
func TestJudgeTimed(t *testing.T) {
	busy := map[string]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}}
	for name, c := range map[string]struct {
		late, lost float64
		probes     map[string]report.Probe
		before     report.Verdict
		want       report.Verdict
	}{
		"met, busy":                    {0, 0, busy, "", report.Pass},
		"late on a quiet machine":      {3, 0, nil, "", report.Fail},
		"late on a busy machine":       {3, 0, busy, "", report.Inconclusive},
		"lost on a busy machine":       {0, 1, busy, "", report.Fail},
		"late, and the load was too":   {3, 0, busy, report.Inconclusive, report.Inconclusive},
		"lost, though the load lagged": {0, 1, busy, report.Inconclusive, report.Fail},
	} {
		step := measured("", map[string]report.Metric{"late": {Value: c.late, Unit: "count"}, "lost": {Value: c.lost, Unit: "count"}})
		step.Probes, step.Verdict = c.probes, c.before
		exact := conditions(t, map[string]string{"late": "== 0", "lost": "== 0"})
		exact["late"] = Exact{Condition: exact["late"].Condition, Timed: true}
		if got := Judge(step, Against{Exact: exact, CPUs: 2}); got.Verdict != c.want {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Metrics["late"])
		}
	}
}

// TestUndecidedBool keeps what is told of a bool that depends on an estimate: it is
// neither yes nor no within its noise, whether it must be yes or not.
func TestUndecidedBool(t *testing.T) {
	for _, said := range []bool{true, false} {
		stable := report.Metric{Value: said, Unit: "bool", Undecided: "depends on whether growth is beyond 0.1"}
		for name, exact := range map[string]map[string]Exact{"held": conditions(t, map[string]string{"stable": "== true"}), "not held": nil} {
			got := Judge(measured("", map[string]report.Metric{"stable": stable, "other": metric(1.0, "ratio")}), Against{
				Exact: exact, Thresholds: []Threshold{{Metric: "other", Condition: Condition{"==", 1}}},
			})
			if m := got.Metrics["stable"]; m.Undecided != stable.Undecided || got.Verdict != report.Inconclusive {
				t.Errorf("%v, %s: %s, %+v", said, name, got.Verdict, m)
			}
		}
		got := Judge(measured("", map[string]report.Metric{"stable": stable}), Against{Thresholds: []Threshold{{Metric: "stable", Condition: Condition{"==", 0}}}})
		if m := got.Metrics["stable"]; m.Undecided != "" {
			t.Errorf("relaxed: %+v", m)
		}
	}
}
