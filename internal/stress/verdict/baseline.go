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

// A Baseline is the value that a metric is held against.
type Baseline struct {
	// Value is in the metric's unit, finite and not negative.
	Value float64
	// Better is Higher or Lower.
	Better report.Better
}

// A row is what the table says of a metric: what is promised on any machine, and
// what this machine has to allow for.
type row struct {
	promised bool // baseline is set
	baseline Baseline
	better   report.Better
	floors   []floor
}

// Baselines is a table of baselines: component, then metric. It is not
// changed after it was made. The zero value is an empty table.
type Baselines struct {
	components map[string]map[string]row
}

// Builtin returns the table that the program carries.
func Builtin() Baselines { return builtin() }

var builtin = sync.OnceValue(func() Baselines {
	b, err := ParseBaselines(table)
	if err != nil {
		panic(err) // the table is part of the program, and a test reads it
	}
	return b
})

// ParseBaselines reads a table from YAML: component, metric, then better, and value,
// floors or both. Unknown keys, missing ones, and values that are negative or not
// finite are errors; all of the latter are told at once.
func ParseBaselines(data []byte) (Baselines, error) {
	var raw map[string]map[string]writtenRow
	if err := yaml.UnmarshalWithOptions(data, &raw, yaml.Strict()); err != nil {
		return Baselines{}, fmt.Errorf("parse baselines: %w", err)
	}
	components := make(map[string]map[string]row, len(raw))
	var faults []error
	for _, component := range slices.Sorted(maps.Keys(raw)) {
		rows := make(map[string]row, len(raw[component]))
		for _, metric := range slices.Sorted(maps.Keys(raw[component])) {
			read, err := raw[component][metric].read()
			if err != nil {
				faults = append(faults, fmt.Errorf("parse baselines: %s.%s%w", component, metric, err))
				continue
			}
			rows[metric] = read
		}
		components[component] = rows
	}
	if len(faults) > 0 {
		return Baselines{}, errors.Join(faults...)
	}
	return Baselines{components: components}, nil
}

// A writtenRow is a row as it stands in the file.
type writtenRow struct {
	Value  *float64       `yaml:"value"`
	Better report.Better  `yaml:"better"`
	Floors []writtenFloor `yaml:"floors"`
}

// read checks the row. The error continues a sentence that names it.
func (w writtenRow) read() (row, error) {
	r := row{better: w.Better}
	switch {
	case w.Value == nil && len(w.Floors) == 0:
		return row{}, errors.New(" has neither value nor floors")
	case w.Value != nil && (!report.Finite(*w.Value) || *w.Value < 0):
		// A negative baseline would turn the sign of every deviation.
		return row{}, fmt.Errorf(": value %v is negative or not finite", *w.Value)
	case w.Better != report.Higher && w.Better != report.Lower:
		return row{}, fmt.Errorf(": better is %q, not higher or lower", w.Better)
	case w.Value != nil:
		r.promised, r.baseline = true, Baseline{Value: *w.Value, Better: w.Better}
	}
	for _, f := range w.Floors {
		one, err := f.read()
		if err != nil {
			return row{}, err
		}
		r.floors = append(r.floors, one)
	}
	return r, nil
}

// Find returns the baseline of a component's metric, and whether there is one.
func (b Baselines) Find(component, metric string) (Baseline, bool) {
	found, ok := b.components[component][metric]
	return found.baseline, ok && found.promised
}

// Has says whether the table has a component of that name.
func (b Baselines) Has(component string) bool {
	_, ok := b.components[component]
	return ok
}

// Components returns the names of all components, sorted.
func (b Baselines) Components() []string {
	return slices.Sorted(maps.Keys(b.components))
}

// Metrics returns the names of a component's metrics that have a baseline, sorted;
// none for a component that the table does not have.
func (b Baselines) Metrics(component string) []string {
	var names []string
	for _, name := range b.Rows(component) {
		if b.components[component][name].promised {
			names = append(names, name)
		}
	}
	return names
}

// Rows returns the names of all of a component's metrics, sorted: those with a
// baseline, with floors, or with both.
func (b Baselines) Rows(component string) []string {
	return slices.Sorted(maps.Keys(b.components[component]))
}

// MaximumOf returns NAME for NAME.max, the name of a baseline that is promised of
// the greatest of all operations.
func MaximumOf(metric string) (string, bool) {
	return strings.CutSuffix(metric, ".max")
}
