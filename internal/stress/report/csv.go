package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/probes/probe"
)

// csvHeader names the columns of CSV.
var csvHeader = []string{"scenario", "step", "kind", "name", "stat", "repetition", "t_seconds", "value", "unit"}

// CSV writes what was measured as one value a row, for spreadsheets and
// scripts. The column kind is metric, probe, or step, and stat says what the value is:
// value (of a metric, or of what is told of a step: that it was steered by hand, or how
// many of its repetitions finished), sample (of one repetition, or of a probe at one
// time), interval_low and interval_high (of an estimate), floor, or a statistic such as
// p99, min or last. Cells that have no meaning in a row are
// empty, as is the value of what was not measured. A text that a spreadsheet
// would take for a formula has an apostrophe before it.
func CSV(w io.Writer, r Report, c Course) error {
	table := csvTable{w: csv.NewWriter(w)}
	table.w.Write(csvHeader) //nolint:errcheck // Error tells, below
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			table.step(s.Name, step)
		}
	}
	table.course(c)
	table.w.Flush()
	if err := table.w.Error(); err != nil {
		return fmt.Errorf("write report as CSV: %w", err)
	}
	return nil
}

// A csvTable writes the rows.
type csvTable struct{ w *csv.Writer }

// A csvRow is one value and what it is of.
type csvRow struct{ scenario, step, kind, name, stat, repetition, at, value, unit string }

func (t csvTable) row(r csvRow) {
	t.w.Write([]string{ //nolint:errcheck // its Error tells at the end
		inert(r.scenario), inert(r.step), r.kind, inert(r.name), r.stat, r.repetition, r.at, r.value, inert(r.unit),
	})
}

// inert makes a text from outside one that a spreadsheet takes for a text.
func inert(s string) string {
	s = Clean(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (t csvTable) step(scenario string, step Step) {
	if step.Steered {
		t.row(csvRow{scenario: scenario, step: step.Name, kind: "step", name: "steered", stat: "value", value: "true", unit: "bool"})
	}
	if r := step.Repetitions; r != nil {
		row := csvRow{scenario: scenario, step: step.Name, kind: "step", stat: "value", unit: "count"}
		row.name, row.value = "repetitions_finished", strconv.Itoa(r.Finished)
		t.row(row)
		row.name, row.value = "repetitions_planned", strconv.Itoa(r.Planned)
		t.row(row)
	}
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		m := step.Metrics[name]
		row := csvRow{scenario: scenario, step: step.Name, kind: "metric", name: name, stat: "value", unit: m.Unit}
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
			row.stat, row.value = "interval_low", number(i.Low)
			t.row(row)
			row.stat, row.value = "interval_high", number(i.High)
			t.row(row)
		}
		if f := m.Floor; f != nil {
			row.stat, row.value = "floor", number(f.Value)
			t.row(row)
		}
		if d := m.Distribution; d != nil {
			for _, s := range []struct {
				stat string
				v    float64
			}{
				{"count", float64(d.Count)},
				{"min", d.Min},
				{"mean", d.Mean},
				{"stddev", d.Stddev},
				{"p50", d.P50},
				{"p90", d.P90},
				{"p95", d.P95},
				{"p99", d.P99},
				{"p999", d.P999},
				{"max", d.Max},
			} {
				row.stat, row.value = s.stat, number(s.v)
				if row.unit = m.Unit; s.stat == "count" {
					row.unit = "count"
				}
				t.row(row)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(step.Probes)) {
		p := step.Probes[name]
		for _, s := range []struct {
			stat string
			v    float64
		}{{"min", p.Min}, {"mean", p.Mean}, {"max", p.Max}, {"last", p.Last}} {
			t.row(csvRow{scenario: scenario, step: step.Name, kind: "probe", name: string(name), stat: s.stat, value: number(s.v), unit: probeUnit(name)})
		}
	}
}

// course writes the readings of the probes. Of steps that run at the same time
// in one process, the readings are of all: their names are joined.
func (t csvTable) course(c Course) {
	names := slices.Sorted(maps.Keys(c.Probes))
	for i, at := range c.Times {
		row := csvRow{kind: "probe", stat: "sample", at: strconv.FormatFloat(at, 'f', 3, 64)}
		var steps []string
		for _, s := range c.at(at) {
			row.scenario, steps = s.Scenario, append(steps, s.Step)
			if n, ok := s.repetition(at); ok {
				row.repetition = strconv.Itoa(n)
			}
		}
		row.step = strings.Join(steps, "+")
		for _, name := range names {
			if v := c.Probes[name][i]; !math.IsNaN(v) {
				row.name, row.value, row.unit = string(name), number(v), probeUnit(name)
				t.row(row)
			}
		}
	}
}

// number writes a number with all of its digits; nothing for one that is none.
func number(v float64) string {
	if !Finite(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// probeUnit returns the unit of a probe.
func probeUnit(name probe.Name) string {
	if unit := name.Unit(); unit != probe.Percent {
		return unit
	}
	return "%"
}
