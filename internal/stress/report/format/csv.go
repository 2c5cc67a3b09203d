package format

import (
	"encoding/csv"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// csvHeader names the columns.
var csvHeader = []string{"scenario", "step", "kind", "name", "stat", "repetition", "t_seconds", "value", "unit"}

// writeCSV writes one value per row, for spreadsheets and scripts. The kind is metric,
// probe or step. The stat is value, sample (of one repetition, or of a probe at one
// time), floor, interval_low, interval_high, or a statistic such as p99 or last. Cells
// without a meaning are empty, and so is the value of what was not measured.
func writeCSV(w io.Writer, r report.Report, t report.Timeline, _ Options) error {
	table := csvTable{w: csv.NewWriter(w)}
	table.w.Write(csvHeader) //nolint:errcheck // Error returns it, below
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			table.step(s.Name, step)
		}
	}
	table.timeline(t)
	table.w.Flush()
	return table.w.Error()
}

// A csvTable writes rows.
type csvTable struct{ w *csv.Writer }

// A csvRow is one value, and what it is the value of.
type csvRow struct{ scenario, step, kind, name, stat, repetition, at, value, unit string }

func (t csvTable) row(r csvRow) {
	t.w.Write([]string{ //nolint:errcheck // Error returns it at the end
		inert(r.scenario), inert(r.step), r.kind, inert(r.name), r.stat, r.repetition, r.at, r.value, inert(r.unit),
	})
}

// inert puts an apostrophe before a text that a spreadsheet would take for a formula.
func inert(s string) string {
	s = report.Clean(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (t csvTable) step(scenario string, step report.Step) {
	fact := func(name, value, unit string) {
		t.row(csvRow{scenario: scenario, step: step.Name, kind: "step", name: name, stat: "value", value: value, unit: unit})
	}
	if step.Steered {
		fact("steered", "true", "bool")
	}
	if r := step.Repetitions; r != nil {
		fact("repetitions_finished", strconv.Itoa(r.Finished), "count")
		fact("repetitions_planned", strconv.Itoa(r.Planned), "count")
	}
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		t.metric(csvRow{scenario: scenario, step: step.Name, kind: "metric", name: name}, step.Metrics[name])
	}
	for _, name := range slices.Sorted(maps.Keys(step.Probes)) {
		p := step.Probes[name]
		row := csvRow{scenario: scenario, step: step.Name, kind: "probe", name: string(name), unit: probeUnit(name)}
		t.stats(row, report.Stat{Name: "min", Value: p.Min}, report.Stat{Name: "mean", Value: p.Mean}, report.Stat{Name: "max", Value: p.Max}, report.Stat{Name: "last", Value: p.Last})
	}
}

func (t csvTable) metric(row csvRow, m report.Metric) {
	row.stat, row.unit = "value", m.Unit
	switch v := m.Value.(type) {
	case float64:
		row.value = number(v)
	case bool:
		row.value = strconv.FormatBool(v)
	case string:
		row.value = inert(v)
	}
	t.row(row)
	for i, v := range m.Samples {
		row.stat, row.repetition, row.value = "sample", strconv.Itoa(i+1), number(v)
		t.row(row)
	}
	row.repetition = ""
	if i := m.Interval; i != nil {
		t.stats(row, report.Stat{Name: "interval_low", Value: i.Low}, report.Stat{Name: "interval_high", Value: i.High})
	}
	if f := m.Floor; f != nil {
		t.stats(row, report.Stat{Name: "floor", Value: f.Value})
	}
	d := m.Distribution
	if d == nil {
		return
	}
	count := row
	count.unit = "count"
	t.stats(count, report.Stat{Name: "count", Value: float64(d.Count)})
	t.stats(row, d.Stats()...)
}

// stats writes a row for each statistic.
func (t csvTable) stats(row csvRow, stats ...report.Stat) {
	for _, s := range stats {
		row.stat, row.value = s.Name, number(s.Value)
		t.row(row)
	}
}

// timeline writes the readings of the probes. Steps that run in parallel share their
// readings: it joins their names.
func (t csvTable) timeline(all report.Timeline) {
	names := slices.Sorted(maps.Keys(all.Probes))
	for i, at := range all.Times {
		row := csvRow{kind: "probe", stat: "sample", at: strconv.FormatFloat(at, 'f', 3, 64)}
		var steps []string
		for _, s := range all.StepsAt(at) {
			row.scenario, steps = s.Scenario, append(steps, s.Step)
			if n, ok := s.RepetitionAt(at); ok {
				row.repetition = strconv.Itoa(n)
			}
		}
		row.step = strings.Join(steps, "+")
		for _, name := range names {
			if v := all.Probes[name][i]; !math.IsNaN(v) {
				row.name, row.value, row.unit = string(name), number(v), probeUnit(name)
				t.row(row)
			}
		}
	}
}

// number writes all digits of a number; nothing for one that is not finite.
func number(v float64) string {
	if !report.Finite(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func probeUnit(name probe.Name) string {
	if unit := name.Unit(); unit != probe.Percent {
		return unit
	}
	return "%"
}
