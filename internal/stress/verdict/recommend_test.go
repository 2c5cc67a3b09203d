package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

func TestRecommend(t *testing.T) {
	step := Judge(report.Step{
		Component:  "agent_creation",
		Operations: report.Operations{Attempted: 1000, Succeeded: 990, Dropped: 10},
		Metrics: map[string]report.Metric{
			"agents_per_second": {Value: 612.0, Unit: "1/s", Samples: []float64{600, 612, 990}},
			"creation_time_ms":  {Value: 1.15, Unit: "ms", Samples: []float64{1.1, 1.15, 1.2}},
			"memory_per_agent":  {Unit: "bytes"},
			"total_count":       {Value: 1000.0, Unit: "count"},
			"memory_stable":     {Value: false, Unit: "bool"},
		},
	}, Criteria{Baselines: Builtin(), Tolerance: 0.2, Thresholds: []Threshold{
		{Metric: "creation_time_ms", Condition: Condition{"<", 1}},
		{Metric: "creation_time_ms.p99", Condition: Condition{"<", 1}},
		{Metric: "memory_stable", Condition: Condition{"==", 1}},
		{Metric: "total_count", Condition: Condition{">", 1}},
	}})
	want := []string{
		"creation_time_ms is 1.15 ms, threshold < 1 ms",
		"creation_time_ms.p99 was not measured, so its threshold < 1 ms failed",
		"memory_stable is no, threshold == yes",
		"agents_per_second is 612/s, 39 % below the baseline of 1k/s (tolerance 20 %); its best repetition passes with 990/s, so run more repetitions to rule out chance",
		"memory_per_agent was not measured, so it failed: baseline 1.05 MB",
		"creation_time_ms is 1.15 ms, 15 % above the baseline of 1 ms, close to the tolerance of 20 %",
		"10 of 1,000 operations were dropped and never started",
	}
	if strings.Join(step.Recommendations, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(step.Recommendations, "\n"), strings.Join(want, "\n"))
	}
}

func TestRecommendPartial(t *testing.T) {
	for _, c := range []struct {
		verdict     report.Verdict
		repetitions *report.Repetitions
		want        string
	}{
		{report.Interrupted, nil, "the step was interrupted, and its results are partial"},
		{report.Interrupted, &report.Repetitions{Finished: 2, Planned: 4}, "the step was interrupted, and its results are partial (its metrics cover 2 of 4 repetitions)"},
		{report.Broken, &report.Repetitions{Planned: 4}, "the step did not run to its end; see its errors"},
	} {
		step := Judge(report.Step{Verdict: c.verdict, Repetitions: c.repetitions}, Criteria{})
		if got := strings.Join(step.Recommendations, "\n"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestRecommendWindow(t *testing.T) {
	step := Judge(measured("", map[string]report.Metric{"rate": metric(100.0, "1/s")}), Criteria{
		Thresholds: []Threshold{{Metric: "rate", Condition: Condition{">=", 90}, Window: time.Second}},
		Series:     map[string][]Series{"rate": {{Start: 2, Points: []Point{{At: 3, Value: 100}, {At: 4, Value: 20}, {At: 5, Value: 100}}}}},
	})
	if got, want := strings.Join(step.Recommendations, "\n"), "rate is 20/s, threshold >= 90/s, in the worst window of 1 s, which starts at 3 s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A step that did badly lists remarkable probes, one that did well does not.
func TestRecommendDiagnostics(t *testing.T) {
	step := report.Step{Verdict: report.Fail, Probes: map[probe.Name]report.Probe{
		"gc_cpu_ratio": {Mean: 0.3}, "sched_latency_p99_ms": {Mean: 0.01}, "goroutines": {Mean: 1e6}, "host_cpu_percent": {Mean: 99},
		"events_dropped": {Mean: 500, Max: 1000}, // a counter
		"cpu_percent":    {Mean: 180}, "actions_failed_per_second": {Mean: 40},
	}}
	want := "during the step: host_cpu_percent was 99 %: all CPUs were busy; use a lower load or a larger machine; " +
		"gc_cpu_ratio was 0.3: the garbage collector takes CPU time from the load; look for allocations in a heap profile (alloc_space); " +
		"events_dropped was 1,000: events are dropped; look at the queues of the subscribers"
	if got := recommend(step, Criteria{}); !slices.Equal(got, []string{want}) {
		t.Errorf("%q, want %q", got, want)
	}
	// Failed actions count only if operations of the load failed, because measurements
	// provoke others. The garbage collector does not matter to an idle step. Injected
	// faults come first.
	step.Probes = map[probe.Name]report.Probe{"gc_cpu_ratio": {Mean: 0.3}, "cpu_percent": {Mean: 3}, "actions_failed_per_second": {Mean: 40}}
	if got := recommend(step, Criteria{}); len(got) > 0 {
		t.Errorf("a step that was nearly idle: %q", got)
	}
	step.Operations = report.Operations{Attempted: 100, Succeeded: 60, Failed: 40}
	step.Faults = report.AddFault([]report.Fault{{Fault: "hog_cpu"}}, "kill_agents", 1.5, "a_1")
	want = "during the step: the scenario injected kill_agents ×1 at 1.5 s: a_1; actions_failed_per_second was 40/s: actions fail; look at the errors of the step first | " +
		"40 of 100 operations failed, and the latencies include them: operations that fail at once make latencies shorter"
	if got := strings.Join(recommend(step, Criteria{}), " | "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	step.Verdict, step.Operations = report.Pass, report.Operations{}
	if got := recommend(step, Criteria{}); len(got) > 0 {
		t.Errorf("a step that passed: %q", got)
	}
}

// If other programs used the machine during a step that failed, the recommendations of
// the step and the run say so. The CPU time of the step itself does not count.
func TestRecommendOnBusyMachine(t *testing.T) {
	probes := func(host, own float64) map[probe.Name]report.Probe {
		return map[probe.Name]report.Probe{"host_cpu_percent": {Mean: host}, "cpu_percent": {Mean: own}}
	}
	for _, c := range []struct {
		name    string
		verdict report.Verdict
		probes  map[probe.Name]report.Probe
		want    string
	}{
		{"others used half", report.Fail, probes(90, 80), "other programs used 50 % of the machine: repeat the run without them before you trust this result"},
		{"it used all itself", report.Fail, probes(94, 185), ""},
		{"unknown", report.Fail, map[probe.Name]report.Probe{"cpu_percent": {Mean: 80}}, ""},
		{"it passed anyway", report.Pass, probes(90, 80), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := report.Step{Name: "load", Verdict: c.verdict, Probes: c.probes}
			if got := strings.Join(recommend(step, Criteria{CPUs: 2}), "; "); got != c.want {
				t.Errorf("the step says %q, want %q", got, c.want)
			}
			run := report.Report{Host: report.Host{CPUs: 2}, Scenarios: []report.Scenario{{Name: "storm", Steps: []report.Step{step}}}}
			want := ""
			if c.want != "" {
				want = "other programs used up to 50 % of the machine while these steps failed, so repeat the run without them before you trust the result: storm › load"
			}
			if got := strings.Join(RecommendRun(run), "; "); got != want {
				t.Errorf("the run says %q, want %q", got, want)
			}
		})
	}
}
