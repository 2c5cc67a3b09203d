package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mabeam-top/internal/stress/report"
)

// A floor is the least that a metric of speed or memory must reach on this machine:
// a share of a reference workload of the same run. The speed of a machine changes
// threefold from one day to the next, but the share hardly changes, so a floor can be
// tight. A metric depends on the parameters of its step, so a floor applies only to
// steps with certain parameters.
type floor struct {
	shares []share            // the most lenient one is the limit
	at     map[string]string  // required parameters, as JSON
	from   map[string]float64 // required minimums of parameters
}

// A share is a multiple of the figure of a reference workload.
type share struct {
	workload string
	factor   float64
}

// A yamlFloor is a floor as it is written in the file.
type yamlFloor struct {
	Of    string  `yaml:"of"`
	Share float64 `yaml:"share"`
	// Or holds shares of other workloads. The relative costs of workloads depend on the
	// type of processor, so a metric fails only if it is beyond all shares.
	Or map[string]float64 `yaml:"or"`
	// At holds parameters that a step must have, and From the minimums of others: below
	// them, a metric depends on the start of the load more than on the load.
	At   map[string]any     `yaml:"at"`
	From map[string]float64 `yaml:"from"`
}

// parse checks the floor. The error continues the name of the row.
func (w yamlFloor) parse() (floor, error) {
	f := floor{shares: []share{{w.Of, w.Share}}, at: map[string]string{}, from: w.From}
	for _, of := range slices.Sorted(maps.Keys(w.Or)) {
		f.shares = append(f.shares, share{of, w.Or[of]})
	}
	for _, s := range f.shares {
		if s.workload == "" || !report.Finite(s.factor) || s.factor <= 0 {
			return floor{}, fmt.Errorf(": a floor needs a reference workload and a share above 0, not %q and %v", s.workload, s.factor)
		}
	}
	for name, value := range w.At {
		text, err := json.Marshal(value)
		if err != nil {
			return floor{}, fmt.Errorf(": encode the parameter %s of a floor: %w", name, err)
		}
		f.at[name] = string(text)
	}
	return f, nil
}

// applies reports whether the floor applies to a step with these parameters.
func (f floor) applies(params map[string]any) bool {
	for name, want := range f.at {
		value, ok := params[name]
		if !ok {
			return false
		}
		if text, err := json.Marshal(value); err != nil || string(text) != want {
			return false
		}
	}
	for name, least := range f.from {
		text, _ := json.Marshal(params[name])
		var value float64
		if json.Unmarshal(text, &value) != nil || value < least {
			return false
		}
	}
	return true
}

// limit returns the floor in the unit of its metric, or nil if a reference workload
// was not measured.
func (f floor) limit(unit string, better report.Better, reference map[string]float64) *report.Floor {
	var limit *report.Floor
	for _, s := range f.shares {
		cost, ok := reference[s.workload]
		if !ok || cost <= 0 {
			return nil
		}
		value := s.factor * report.ReferenceIn(unit, cost)
		if limit == nil || better == report.Lower && value > limit.Value || better == report.Higher && value < limit.Value {
			limit = &report.Floor{Value: value, Reference: s.workload, Share: s.factor}
		}
	}
	return limit
}

// workloads returns the reference workloads that the floor is a share of.
func (f floor) workloads() []string {
	var names []string
	for _, s := range f.shares {
		names = append(names, s.workload)
	}
	return names
}

// leastRepetitions is the number of repetitions that a floor needs: a single one may
// have been disturbed.
const leastRepetitions = 3

// floorOf returns the floor of a component's metric for a step with these parameters.
// The last result is false if there is none.
func (b Baselines) floorOf(component, metric string, params map[string]any) (floor, report.Better, bool) {
	r := b.components[component][metric]
	i := slices.IndexFunc(r.floors, func(f floor) bool { return f.applies(params) })
	if i < 0 {
		return floor{}, r.better, false
	}
	return r.floors[i], r.better, true
}

// HasFloor reports whether a component's metric has a floor for steps with these
// parameters.
func (b Baselines) HasFloor(component, metric string, params map[string]any) bool {
	_, _, ok := b.floorOf(component, metric, params)
	return ok
}

// ReferenceWorkloads returns the sorted names of the reference workloads that floors
// are shares of.
func (b Baselines) ReferenceWorkloads() []string {
	var names []string
	for _, rows := range b.components {
		for _, r := range rows {
			for _, f := range r.floors {
				names = append(names, f.workloads()...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A Row lists what a row of the table refers to, so that a caller can check that all
// of it exists.
type Row struct {
	Component, Metric string
	// Workloads are the reference workloads of the floors, and Params the parameters of
	// steps that they require.
	Workloads, Params []string
}

// Table returns all rows, sorted by name.
func (b Baselines) Table() []Row {
	var rows []Row
	for _, component := range b.Components() {
		for _, metric := range b.rows(component) {
			one := Row{Component: component, Metric: metric}
			for _, f := range b.components[component][metric].floors {
				one.Workloads = append(one.Workloads, f.workloads()...)
				one.Params = append(one.Params, slices.Sorted(maps.Keys(f.at))...)
				one.Params = append(one.Params, slices.Sorted(maps.Keys(f.from))...)
			}
			rows = append(rows, one)
		}
	}
	return rows
}
