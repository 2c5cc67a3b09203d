package openmetrics

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
)

// prefix begins the name of each metric.
const prefix = "mabeam_"

// collector tells what the page knows. What there is to tell changes while the
// run goes on, so it describes nothing ahead.
type collector struct{ page *Page }

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.page.timeline.Load().Snapshot()
	teller{out, c.page.counters}.tell(s)
}

// teller writes metrics. Names and texts are put right before, so that none of
// them is refused.
type teller struct {
	out chan<- prometheus.Metric
	// counters are the names of the probes that are counters.
	counters []string
}

func (t teller) gauge(name, help string, value float64, labels ...label) {
	t.metric(prometheus.GaugeValue, name, help, value, labels)
}

type label struct{ name, value string }

func (t teller) metric(kind prometheus.ValueType, name, help string, value float64, labels []label) {
	var names, values []string
	for _, l := range labels {
		names = append(names, l.name)
		values = append(values, strings.ToValidUTF8(report.Clean(l.value), "?"))
	}
	t.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(prefix+name, help, names, nil), kind, value, values...)
}

func (t teller) tell(s *fold.Snapshot) {
	if s.Run != nil {
		t.run(s)
	}
	t.steps(s)
	for _, fault := range slices.Sorted(maps.Keys(s.Faults)) {
		t.metric(prometheus.CounterValue, "faults_injected_total", "Disturbances injected on purpose.", float64(s.Faults[fault]), []label{{"fault", fault}})
	}
	if last, ok := s.Last(); ok {
		t.probes(last.Values())
	}
}

// run tells how far the run is.
func (t teller) run(s *fold.Snapshot) {
	t.gauge("run_info", "The run that is told about.", 1, label{"id", s.Run.ID}, label{"version", s.Run.Tool.Version}, label{"go", s.Run.Tool.Go})
	t.gauge("run_start_time_seconds", "When the run began, in seconds since 1970.", float64(s.Run.StartedAt.UnixMilli())/1000)
	t.gauge("run_elapsed_seconds", "How long the run has been going on.", s.T)
	t.gauge("run_estimate_seconds", "How long the run is expected to take in all, as was thought at its start.", s.Run.EstimateSeconds)
	t.gauge("run_finished", "1 when the run has finished.", number(s.Report != nil))
	t.gauge("run_scenarios", "How many scenarios the run has.", float64(len(s.Run.Scenarios)))
	finished := map[report.Verdict]int{}
	for _, result := range s.Results {
		finished[result.Verdict]++
	}
	t.verdicts("run_scenarios_finished", "Scenarios that have finished.", finished)
}

// steps tell what runs now, and how it went with what has finished.
func (t teller) steps(s *fold.Snapshot) {
	finished := map[report.Verdict]int{}
	told := map[[2]string]bool{}
	for _, step := range s.Steps {
		if step.Result != nil {
			finished[step.Result.Verdict]++
			continue
		}
		key := [2]string{step.Scenario, step.Step.Name}
		if told[key] {
			continue // no scenario has two, but a stream from outside could
		}
		told[key] = true
		labels := []label{{"scenario", step.Scenario}, {"step", step.Step.Name}, {"measurement", step.Step.Measurement}}
		t.gauge("step_running", "1 for each step that runs now.", 1, labels...)
		if step.Repetition != nil {
			t.gauge("step_repetition", "The repetition that runs now, from 1; 0 is the warm-up.", float64(step.Repetition.Number), labels...)
			t.gauge("step_repetitions", "How many repetitions the step has.", float64(step.Repetition.Of), labels...)
		}
	}
	t.verdicts("run_steps_finished", "Steps that have finished.", finished)
}

// verdicts tell numbers by verdict, those of nothing too: an alert needs the 0
// before the 1.
func (t teller) verdicts(name, help string, counts map[report.Verdict]int) {
	for _, v := range []report.Verdict{report.Pass, report.Warn, report.Inconclusive, report.Fail, report.Broken, report.Interrupted} {
		t.gauge(name, help, float64(counts[v]), label{"verdict", string(v)})
	}
}

// probeName is what a probe's name must be to be told.
var probeName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (t teller) probes(sample map[string]float64) {
	for _, probe := range slices.Sorted(maps.Keys(sample)) {
		if !probeName.MatchString(probe) {
			continue
		}
		name, scale := baseUnit(probe)
		if slices.Contains(t.counters, probe) {
			t.metric(prometheus.CounterValue, name+"_total", "What the probe "+probe+" has counted.", sample[probe]*scale, nil)
			continue
		}
		t.gauge(name, "The newest reading of the probe "+probe+".", sample[probe]*scale)
	}
}

// baseUnit returns a probe's name in the unit that metrics of its kind are told
// in, and what to multiply a reading with.
func baseUnit(probe string) (name string, scale float64) {
	if base, ok := strings.CutSuffix(probe, "_ms"); ok {
		return base + "_seconds", 1e-3
	}
	if base, ok := strings.CutSuffix(probe, "_percent"); ok {
		return base + "_ratio", 1e-2
	}
	return probe, 1
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
