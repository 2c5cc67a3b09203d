// Package check lists what a run is checked against, and the results so far.
package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A Row is one check of a step: a limit, or the result of the step as a whole.
type Row struct {
	// Word is a verdict or a status in capitals, theme.Running or theme.Waiting.
	Word, Step, Metric string
	// Exact is the number of exact conditions that the row stands for; 0 for any
	// other row.
	Exact int
	// Value is the result, or the current value while the step runs.
	Value, Limit string
	// Deviation is the deviation from a baseline; nil without one.
	Deviation *float64
	Status    report.Status
}

// Whole reports whether the row is about its step as a whole.
func (r Row) Whole() bool { return r.Limit == "" && r.Exact == 0 }

// Rows returns a row for each limit of each step, in the order of the run. A step
// without limits has one row, and so has a step that has not begun.
func Rows(s *fold.Snapshot) []Row {
	var out []Row
	begun := map[string]bool{}
	for _, step := range s.Steps {
		begun[step.Scenario+"\x00"+step.Step.Name] = true
		if step.Result == nil {
			out = append(out, running(s, step)...)
		} else {
			out = append(out, Finished(step.Step, step.Result)...)
		}
	}
	if s.Scenario != nil && s.Report == nil {
		for _, name := range s.Scenario.Steps {
			if !begun[s.Scenario.Name+"\x00"+name] {
				out = append(out, Row{Word: theme.Waiting, Step: theme.Clean(name)})
			}
		}
	}
	return out
}

// running returns the rows of a step that has not finished.
func running(s *fold.Snapshot, step fold.StepState) []Row {
	word := theme.Running
	if s.Report != nil {
		word = strings.ToUpper(string(report.Interrupted))
	}
	name := theme.Clean(step.Step.Name)
	if len(step.Step.Limits) == 0 {
		return []Row{{Word: word, Step: name}}
	}
	var out []Row
	exact := 0
	for _, l := range step.Step.Limits {
		if l.Source == report.KindCondition {
			exact++
			continue
		}
		row := Row{Word: word, Step: name, Metric: theme.Clean(l.Metric), Limit: limitText(l)}
		if v, ok := s.Latest(l.Probe); ok && s.Report == nil {
			row.Value = "now " + quantity.Format(v/cmp.Or(l.ProbeScale, 1), l.Unit)
		}
		out = append(out, row)
	}
	if exact > 0 {
		out = append(out, Row{Word: word, Step: name, Metric: ExactText(exact), Exact: exact})
	}
	return out
}

// Finished returns the rows of a step that has finished.
func Finished(step *stream.Step, result *report.Step) []Row {
	f := finished{step: theme.Clean(step.Name), result: result, done: map[string]bool{}}
	whole := Row{Word: strings.ToUpper(string(result.Verdict)), Step: f.step}
	if !result.Verdict.Conclusive() {
		whole.Metric = theme.Clean(result.Reason()) // the metrics alone do not say it
		f.rows = append(f.rows, whole)
	}
	for _, l := range step.Limits {
		if l.Source == report.KindThreshold {
			f.threshold(l)
		} else {
			f.limit(l)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(result.Metrics)) {
		if _, checked := result.Metrics[name].MainCheck(); checked {
			f.metric(name) // a floor, which is not known before the step ends
		}
	}
	if f.exact > 0 {
		f.rows = append(f.rows, Row{Word: "PASS", Step: f.step, Metric: format.ConditionsMet(f.exact), Exact: f.exact})
	}
	if len(f.rows) == 0 {
		return []Row{whole}
	}
	return f.rows
}

// finished collects the rows of a step that has finished.
type finished struct {
	step   string
	result *report.Step
	rows   []Row
	// done are the metrics that have a row.
	done map[string]bool
	// exact is the number of exact conditions that hold.
	exact int
}

// metric adds the row of a metric, once.
func (f *finished) metric(name string) {
	if f.done[name] {
		return
	}
	f.done[name] = true
	m := f.result.Metrics[name]
	row := metricRow(f.step, name, m)
	if m.Condition != "" && m.Baseline == nil && m.Floor == nil && row.Word == "PASS" {
		f.exact++
		return
	}
	f.rows = append(f.rows, row)
}

func (f *finished) threshold(l stream.Limit) {
	row := f.notMeasured(l)
	for _, t := range f.result.Thresholds {
		if t.Metric == l.Metric {
			row.Word, row.Value = thresholdText(t, l.Unit)
		}
	}
	f.rows = append(f.rows, row)
}

func (f *finished) limit(l stream.Limit) {
	name := l.Metric
	if _, ok := f.result.Metrics[name]; l.Source == report.KindCondition && !ok {
		return // the step was cut off, see its first row
	}
	if l.Source == report.KindBaseline {
		name = checkedAs(name, f.result.Metrics)
	}
	if m, ok := f.result.Metrics[name]; !ok || m.Status == report.StatusInfo {
		f.rows = append(f.rows, f.notMeasured(l)) // such as a maximum of too few operations
		return
	}
	f.metric(name)
}

func (f *finished) notMeasured(l stream.Limit) Row {
	return Row{Word: "NONE", Step: f.step, Metric: theme.Clean(l.Metric), Limit: limitText(l), Value: "not measured"}
}

// checkedAs is the metric that a baseline was compared with. The baseline of
// NAME.max is compared with the highest percentile that has enough operations.
func checkedAs(name string, metrics map[string]report.Metric) string {
	base, isMax := strings.CutSuffix(name, ".max")
	if !isMax || metrics[name].Baseline != nil {
		return name
	}
	for _, stat := range []string{"p999", "p99", "p95", "p90", "p50"} {
		if metrics[base+"."+stat].Baseline != nil {
			return base + "." + stat
		}
	}
	return name
}

func metricRow(step, name string, m report.Metric) Row {
	row := Row{Word: StatusWord(m), Step: step, Metric: theme.Clean(name), Value: theme.Clean(m.Text()), Status: m.Status}
	shown, ok := m.MainCheck()
	switch {
	case !ok:
	case shown.Kind == report.KindBaseline:
		row.Limit, row.Deviation = "vs "+theme.Clean(shown.Limit), m.Deviation
	default:
		row.Limit = theme.Clean(shown.Limit)
	}
	return row
}

// StatusWord is the status of a metric in capitals.
func StatusWord(m report.Metric) string {
	if m.Undecided != "" {
		return theme.Undecided
	}
	return strings.ToUpper(string(m.Status))
}

func thresholdText(t report.Threshold, unit string) (word, value string) {
	word, value = "PASS", "not measured"
	if !t.OK {
		word = "FAIL"
	}
	if t.Actual != nil {
		value = quantity.Format(*t.Actual, unit)
	}
	return word, value
}

func limitText(l stream.Limit) string {
	if l.Source == report.KindBaseline {
		return "vs " + quantity.Format(l.Value, l.Unit)
	}
	return Condition(l)
}

// Condition formats the condition of a limit, such as < 5 ms.
func Condition(l stream.Limit) string {
	if l.Unit == "bool" && (l.Value == 0 || l.Value == 1) {
		return theme.Clean(l.Op) + " " + report.Metric{Value: l.Value == 1}.Text()
	}
	return theme.Clean(l.Op) + " " + quantity.Format(l.Value, l.Unit)
}

// ExactText counts exact conditions, which are checked when a step ends.
func ExactText(n int) string {
	if n == 1 {
		return "1 exact condition"
	}
	return fmt.Sprintf("%d exact conditions", n)
}
