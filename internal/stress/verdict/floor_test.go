package verdict

import (
	"math"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

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

// TestFloors computes floors in the units of their metrics, by the parameters of the
// step.
func TestFloors(t *testing.T) {
	b := parseTable(t, floors)
	reference := map[string]float64{"hand_over": 200, "timer": 1000, "entry_bytes": 160, "allocation": 25}
	fast := map[string]any{"agents": 10, "mode": "fast"}
	for name, c := range map[string]struct {
		metric, unit string
		params       map[string]any
		want         float64 // 0 for none
	}{
		"a rate is a share of the workload's rate": {"rate", "1/s", fast, 0.05 * 5e6},
		"numbers of any type are the same":         {"rate", "1/s", map[string]any{"agents": 10.0}, 0.05 * 5e6},
		"the first floor that fits":                {"rate", "1/s", map[string]any{"agents": 11}, 0.02 * 5e6},
		"a time is a multiple of the workload's":   {"time_ms", "ms", fast, 0.02},
		"all parameters have to fit":               {"time_ms", "ms", map[string]any{"agents": 10, "mode": "slow"}, 0},
		"a missing parameter does not fit":         {"time_ms", "ms", map[string]any{"agents": 10}, 0},
		"bytes":                                    {"memory", "bytes", nil, 480},
		"megabytes":                                {"memory_mb", "MB", nil, 160},
		"any other unit is that of the workload":   {"ratio", "ratio", nil, 50},
		"at least so many":                         {"enough", "1/s", map[string]any{"agents": 100, "mode": "fast"}, 1e6},
		"more than that":                           {"enough", "1/s", map[string]any{"agents": 1e6, "mode": "fast"}, 1e6},
		"fewer":                                    {"enough", "1/s", map[string]any{"agents": 99, "mode": "fast"}, 0},
		"not a number":                             {"enough", "1/s", map[string]any{"agents": "many", "mode": "fast"}, 0},
		"not there":                                {"enough", "1/s", map[string]any{"mode": "fast"}, 0},
		"the longest of several times":             {"longest", "ms", nil, 300e-6},
		"the least of several rates":               {"least", "1/s", nil, 0.3e6},
		"no such metric":                           {"nothing", "ms", nil, 0},
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
	if got := strings.Join(b.ReferenceWorkloads(), " "); got != "allocation entry_bytes hand_over timer" {
		t.Errorf("reference workloads %q", got)
	}
}

// TestJudgeFloor compares a metric with a baseline and a floor.
func TestJudgeFloor(t *testing.T) {
	b := parseTable(t, floors)
	busy := map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}} // other programs use one of two CPUs
	for name, c := range map[string]struct {
		value      any
		floors     string
		reference  map[string]float64
		probes     map[probe.Name]report.Probe
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
		"a busy machine":        {100_000.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusFail, report.Inconclusive, "but other programs used 50 %"},
		"a busy machine, twice": {62_499.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusFail, report.Fail, ""},
		"a busy machine passes": {250_001.0, "c", map[string]float64{"hand_over": 200}, busy, nil, report.StatusExceed, report.Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			step := measured("c", map[string]report.Metric{"rate": ofThree(c.value)})
			step.Params, step.Reference, step.Probes = map[string]any{"agents": 10}, c.reference, c.probes
			got := Judge(step, Criteria{Baselines: b, Tolerance: 0.2, FloorComponent: c.floors, Thresholds: c.thresholds, CPUs: 2})
			m := got.Metrics["rate"]
			if m.Status != c.status || got.Verdict != c.verdict || !strings.Contains(m.Undecided, c.undecided) || (c.undecided == "") != (m.Undecided == "") {
				t.Errorf("%s, %+v", got.Verdict, m)
			}
		})
	}
}

// ofThree returns a rate of three repetitions, enough for a floor.
func ofThree(value any) report.Metric {
	m := metric(value, "1/s")
	if v, ok := value.(float64); ok {
		m.Samples = []float64{v, v, v}
	} else {
		m.Samples, m.MissingIn = []float64{1, 1}, []int{3}
	}
	return m
}

// TestFloorNeedsRepetitions does not compare a metric of too few repetitions with a
// floor.
func TestFloorNeedsRepetitions(t *testing.T) {
	b := parseTable(t, floors)
	for n := range 5 {
		m := metric(200.0, "1/s") // the baseline is far below the floor
		for range n {
			m.Samples = append(m.Samples, 200)
		}
		step := measured("c", map[string]report.Metric{"rate": m})
		step.Reference = map[string]float64{"hand_over": 200}
		got := Judge(step, Criteria{Baselines: b, Tolerance: 0.2, FloorComponent: "c"}).Metrics["rate"]
		if (got.Floor != nil) != (n >= leastRepetitions) {
			t.Errorf("%d repetitions: %+v", n, got)
		}
	}
}
