package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mabeam-top/internal/stress/report"
)

// A floor is what a metric of speed or memory has to reach on this machine: a share
// of what a reference work took in the same run. A machine's speed changes threefold
// from one day to the next, and the share hardly does, so that a floor can be near.
// What a metric comes to depends on what was asked, so that a floor is for steps
// with certain parameters only.
type floor struct {
	shares []share            // the most lenient of them is the limit
	at     map[string]string  // parameters, as JSON
	from   map[string]float64 // the least of others
}

// A share is that of a reference work.
type share struct {
	of string
	n  float64
}

// A writtenFloor is a floor as it stands in the file.
type writtenFloor struct {
	Of    string  `yaml:"of"`
	Share float64 `yaml:"share"`
	// Or holds shares of other works: processors of different types differ in what one
	// work costs beside another, and a metric fails only if it is beyond all of them.
	Or map[string]float64 `yaml:"or"`
	// At holds parameters that a step must have, and From others that it must have
	// at least so much of: with less, a figure is of the start rather than the work.
	At   map[string]any     `yaml:"at"`
	From map[string]float64 `yaml:"from"`
}

// read checks the floor. The error continues a sentence that names the row.
func (w writtenFloor) read() (floor, error) {
	f := floor{shares: []share{{w.Of, w.Share}}, at: map[string]string{}, from: w.From}
	for _, of := range slices.Sorted(maps.Keys(w.Or)) {
		f.shares = append(f.shares, share{of, w.Or[of]})
	}
	for _, s := range f.shares {
		if s.of == "" || !report.Finite(s.n) || s.n <= 0 {
			return floor{}, fmt.Errorf(": a floor needs a reference work and a share above 0, not %q and %v", s.of, s.n)
		}
	}
	for name, value := range w.At {
		text, err := json.Marshal(value)
		if err != nil {
			return floor{}, fmt.Errorf(": the parameter %s of a floor: %w", name, err)
		}
		f.at[name] = string(text)
	}
	return f, nil
}

// fits says whether the floor is for a step with these parameters.
func (f floor) fits(params map[string]any) bool {
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

// limit is the floor of a metric in its unit, or nil if a reference work was not
// measured.
func (f floor) limit(unit string, better report.Better, reference map[string]float64) *report.Floor {
	var limit *report.Floor
	for _, s := range f.shares {
		cost, ok := reference[s.of]
		if !ok || cost <= 0 {
			return nil
		}
		value := s.n * report.ReferenceIn(unit, cost)
		if limit == nil || better == report.Lower && value > limit.Value || better == report.Higher && value < limit.Value {
			limit = &report.Floor{Value: value, Reference: s.of, Share: s.n}
		}
	}
	return limit
}

// works are the reference works that it is a share of.
func (f floor) works() []string {
	var works []string
	for _, s := range f.shares {
		works = append(works, s.of)
	}
	return works
}

// leastRepetitions is how many repetitions a floor takes: one of them may have met with
// anything.
const leastRepetitions = 3

// floorOf returns the floor of a component's metric in a step with these parameters,
// and false if there is none.
func (b Baselines) floorOf(component, metric string, params map[string]any) (floor, report.Better, bool) {
	r := b.components[component][metric]
	i := slices.IndexFunc(r.floors, func(f floor) bool { return f.fits(params) })
	if i < 0 {
		return floor{}, r.better, false
	}
	return r.floors[i], r.better, true
}

// HasFloor says whether a component's metric has a floor for steps with these parameters.
func (b Baselines) HasFloor(component, metric string, params map[string]any) bool {
	_, _, ok := b.floorOf(component, metric, params)
	return ok
}

// Works are the reference works that any floor is a share of, sorted.
func (b Baselines) Works() []string {
	var works []string
	for _, rows := range b.components {
		for _, r := range rows {
			for _, f := range r.floors {
				works = append(works, f.works()...)
			}
		}
	}
	slices.Sort(works)
	return slices.Compact(works)
}

// A Row tells what a row of the table names: who checks that all of it exists needs
// no more.
type Row struct {
	Component, Metric string
	// Works are the reference works of its floors, and Params what these ask of steps.
	Works, Params []string
}

// Table returns all rows, in the order of their names.
func (b Baselines) Table() []Row {
	var rows []Row
	for _, component := range b.Components() {
		for _, metric := range b.Rows(component) {
			one := Row{Component: component, Metric: metric}
			for _, f := range b.components[component][metric].floors {
				one.Works = append(one.Works, f.works()...)
				one.Params = append(one.Params, slices.Sorted(maps.Keys(f.at))...)
				one.Params = append(one.Params, slices.Sorted(maps.Keys(f.from))...)
			}
			rows = append(rows, one)
		}
	}
	return rows
}
