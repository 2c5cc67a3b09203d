package openmetrics

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
)

// prefix begins the name of every metric.
const prefix = "mabeam_"

// A collector collects the state of the run. Its metrics change during the run, so it
// does not describe them in advance.
type collector struct{ page *Page }

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.page.timeline.Load().Snapshot()
	w := writer{out}
	if s.Run != nil {
		w.run(s)
	}
	w.steps(s)
	for _, fault := range slices.Sorted(maps.Keys(s.Faults)) {
		w.metric(prometheus.CounterValue, "faults_injected_total", "Injected faults.", float64(s.Faults[fault]), []label{{"fault", fault}})
	}
	if last, ok := s.Last(); ok {
		w.probes(last.Values())
	}
}

// A writer writes metrics. It corrects label values, so that none is rejected.
type writer struct{ out chan<- prometheus.Metric }

type label struct{ name, value string }

func (w writer) metric(kind prometheus.ValueType, name, help string, value float64, labels []label) {
	var names, values []string
	for _, l := range labels {
		names = append(names, l.name)
		values = append(values, strings.ToValidUTF8(report.Clean(l.value), "?"))
	}
	w.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(prefix+name, help, names, nil), kind, value, values...)
}

func (w writer) gauge(name, help string, value float64, labels ...label) {
	w.metric(prometheus.GaugeValue, name, help, value, labels)
}

// run writes the progress of the run.
func (w writer) run(s *fold.Snapshot) {
	w.gauge("run_info", "The current run.", 1, label{"id", s.Run.ID}, label{"version", s.Run.Tool.Version}, label{"go", s.Run.Tool.Go})
	w.gauge("run_start_time_seconds", "Start of the run, in seconds since 1970.", float64(s.Run.StartedAt.UnixMilli())/1000)
	w.gauge("run_elapsed_seconds", "Time since the start of the run.", s.T)
	w.gauge("run_estimate_seconds", "Expected duration of the run, estimated at its start.", s.Run.EstimateSeconds)
	w.gauge("run_finished", "1 if the run has finished.", number(s.Report != nil))
	w.gauge("run_scenarios", "Scenarios in the run.", float64(len(s.Run.Scenarios)))
	finished := map[report.Verdict]int{}
	for _, result := range s.Results {
		finished[result.Verdict]++
	}
	w.verdicts("run_scenarios_finished", "Scenarios that have finished.", finished)
}

// steps writes the running steps and the verdicts of the finished ones.
func (w writer) steps(s *fold.Snapshot) {
	finished := map[report.Verdict]int{}
	written := map[[2]string]bool{}
	for _, step := range s.Steps {
		if step.Result != nil {
			finished[step.Result.Verdict]++
			continue
		}
		key := [2]string{step.Scenario, step.Step.Name}
		if written[key] {
			continue // a stream from elsewhere could have two steps of one name
		}
		written[key] = true
		labels := []label{{"scenario", step.Scenario}, {"step", step.Step.Name}, {"measurement", step.Step.Measurement}}
		w.gauge("step_running", "1 for each running step.", 1, labels...)
		if step.Repetition != nil {
			w.gauge("step_repetition", "The running repetition, from 1; 0 is the warm-up.", float64(step.Repetition.Number), labels...)
			w.gauge("step_repetitions", "Repetitions of the step.", float64(step.Repetition.Of), labels...)
		}
	}
	w.verdicts("run_steps_finished", "Steps that have finished.", finished)
}

// verdicts writes a count for each verdict, including those of 0: an alert needs the 0
// before the 1.
func (w writer) verdicts(name, help string, counts map[report.Verdict]int) {
	for _, v := range []report.Verdict{report.Pass, report.Warn, report.Inconclusive, report.Fail, report.Broken, report.Interrupted} {
		w.gauge(name, help, float64(counts[v]), label{"verdict", string(v)})
	}
}

// validName matches the names of probes that are valid metric names.
var validName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// probes writes the newest sample. A counter falls when the system or the process that
// it counts in is replaced; Prometheus takes that for a reset.
func (w writer) probes(sample probe.Sample) {
	for _, name := range slices.Sorted(maps.Keys(sample)) {
		if !validName.MatchString(string(name)) {
			continue
		}
		metric, scale := baseUnit(string(name))
		d, ok := probe.Find(name)
		if !ok {
			d.Doc = "The probe " + string(name) + "."
		}
		if d.Kind == probe.Counter {
			w.metric(prometheus.CounterValue, metric+"_total", d.Doc, sample[name]*scale, nil)
			continue
		}
		w.gauge(metric, d.Doc, sample[name]*scale)
	}
}

// baseUnit returns the name of a probe in the base unit of its metric, and the factor
// that converts its values.
func baseUnit(name string) (metric string, scale float64) {
	if base, ok := strings.CutSuffix(name, "_ms"); ok {
		return base + "_seconds", 1e-3
	}
	if base, ok := strings.CutSuffix(name, "_percent"); ok {
		return base + "_ratio", 1e-2
	}
	return name, 1
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
