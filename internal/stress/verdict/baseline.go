package verdict

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"mabeam-top/internal/stress/report"
)

//go:embed baselines.yaml
var table []byte

// A Baseline is the value that a metric is compared with.
type Baseline struct {
	// Value is in the metric's unit, finite and not negative.
	Value float64
	// Better is Higher or Lower.
	Better report.Better
}

// A row of the table describes one metric: the baseline, which MABEAM promises on
// any machine, and the floors, which depend on the speed of the machine.
type row struct {
	hasBaseline bool
	baseline    Baseline
	better      report.Better
	floors      []floor
}

// Baselines is an immutable table of baselines and floors by component and metric.
// The zero value is an empty table.
type Baselines struct {
	components map[string]map[string]row
}

// Builtin returns the table that is built into the program.
func Builtin() Baselines { return builtin() }

var builtin = sync.OnceValue(func() Baselines {
	b, err := ParseBaselines(table)
	if err != nil {
		panic(err) // the table is part of the program, and a test reads it
	}
	return b
})

// ParseBaselines parses a table from YAML: component, metric, then better, and value,
// floors or both. It refuses unknown keys, and reports all rows with missing keys or
// invalid values together.
func ParseBaselines(data []byte) (Baselines, error) {
	var raw map[string]map[string]yamlRow
	if err := yaml.UnmarshalWithOptions(data, &raw, yaml.Strict()); err != nil {
		return Baselines{}, fmt.Errorf("parse baselines: %w", err)
	}
	components := make(map[string]map[string]row, len(raw))
	var errs []error
	for _, component := range slices.Sorted(maps.Keys(raw)) {
		rows := make(map[string]row, len(raw[component]))
		for _, metric := range slices.Sorted(maps.Keys(raw[component])) {
			parsed, err := raw[component][metric].parse()
			if err != nil {
				errs = append(errs, fmt.Errorf("parse baselines: %s.%s%w", component, metric, err))
				continue
			}
			rows[metric] = parsed
		}
		components[component] = rows
	}
	if len(errs) > 0 {
		return Baselines{}, errors.Join(errs...)
	}
	return Baselines{components: components}, nil
}

// A yamlRow is a row as it is written in the file.
type yamlRow struct {
	Value  *float64      `yaml:"value"`
	Better report.Better `yaml:"better"`
	Floors []yamlFloor   `yaml:"floors"`
}

// parse checks the row. The error continues the name of the row.
func (w yamlRow) parse() (row, error) {
	r := row{better: w.Better}
	switch {
	case w.Value == nil && len(w.Floors) == 0:
		return row{}, errors.New(": expected a value, floors or both")
	case w.Value != nil && (!report.Finite(*w.Value) || *w.Value < 0):
		// A negative baseline would turn the sign of every deviation.
		return row{}, fmt.Errorf(": value is %v; expected a finite number that is not negative", *w.Value)
	case w.Better != report.Higher && w.Better != report.Lower:
		return row{}, fmt.Errorf(": better is %q; expected higher or lower", w.Better)
	case w.Value != nil:
		r.hasBaseline, r.baseline = true, Baseline{Value: *w.Value, Better: w.Better}
	}
	for _, f := range w.Floors {
		one, err := f.parse()
		if err != nil {
			return row{}, err
		}
		r.floors = append(r.floors, one)
	}
	return r, nil
}

// Find returns the baseline of a component's metric. The second result is false if
// there is none.
func (b Baselines) Find(component, metric string) (Baseline, bool) {
	found, ok := b.components[component][metric]
	return found.baseline, ok && found.hasBaseline
}

// Has reports whether the table has a component with that name.
func (b Baselines) Has(component string) bool {
	_, ok := b.components[component]
	return ok
}

// Components returns the names of all components, sorted.
func (b Baselines) Components() []string {
	return slices.Sorted(maps.Keys(b.components))
}

// Metrics returns the sorted names of the metrics of a component that have a
// baseline. There are none if the table does not have the component.
func (b Baselines) Metrics(component string) []string {
	var names []string
	for _, name := range b.rows(component) {
		if b.components[component][name].hasBaseline {
			names = append(names, name)
		}
	}
	return names
}

// rows returns the sorted names of all metrics of a component: those with a
// baseline, floors or both.
func (b Baselines) rows(component string) []string {
	return slices.Sorted(maps.Keys(b.components[component]))
}

// maximumOf returns NAME for NAME.max, which is the name of a baseline for the slowest
// operation.
func maximumOf(metric string) (string, bool) {
	return strings.CutSuffix(metric, ".max")
}
