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

// Baselines is a table of baselines: component, then metric. It is not
// changed after it was made. The zero value is an empty table.
type Baselines struct {
	components map[string]map[string]Baseline
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

// ParseBaselines reads a table from YAML: component, metric, then value and
// better. Unknown keys, missing ones, and values that are negative or not
// finite are errors; all of the latter are told at once.
func ParseBaselines(data []byte) (Baselines, error) {
	var raw map[string]map[string]struct {
		Value  *float64      `yaml:"value"`
		Better report.Better `yaml:"better"`
	}
	if err := yaml.UnmarshalWithOptions(data, &raw, yaml.Strict()); err != nil {
		return Baselines{}, fmt.Errorf("parse baselines: %w", err)
	}
	components := make(map[string]map[string]Baseline, len(raw))
	var faults []error
	for _, component := range slices.Sorted(maps.Keys(raw)) {
		metrics := make(map[string]Baseline, len(raw[component]))
		for _, metric := range slices.Sorted(maps.Keys(raw[component])) {
			entry := raw[component][metric]
			switch {
			case entry.Value == nil:
				faults = append(faults, fmt.Errorf("parse baselines: %s.%s has no value", component, metric))
			case !report.Finite(*entry.Value) || *entry.Value < 0:
				// A negative baseline would turn the sign of every deviation.
				faults = append(faults, fmt.Errorf("parse baselines: %s.%s: value %v is negative or not finite", component, metric, *entry.Value))
			case entry.Better != report.Higher && entry.Better != report.Lower:
				faults = append(faults, fmt.Errorf("parse baselines: %s.%s: better is %q, not higher or lower", component, metric, entry.Better))
			default:
				metrics[metric] = Baseline{Value: *entry.Value, Better: entry.Better}
			}
		}
		components[component] = metrics
	}
	if len(faults) > 0 {
		return Baselines{}, errors.Join(faults...)
	}
	return Baselines{components: components}, nil
}

// Find returns the baseline of a component's metric, and whether there is one.
func (b Baselines) Find(component, metric string) (Baseline, bool) {
	found, ok := b.components[component][metric]
	return found, ok
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

// Metrics returns the names of a component's metrics, sorted; none for a
// component that the table does not have.
func (b Baselines) Metrics(component string) []string {
	return slices.Sorted(maps.Keys(b.components[component]))
}

// maximumOf returns NAME for NAME.max, the name under which a baseline is held
// against the maximum of NAME's distribution.
func maximumOf(metric string) (string, bool) {
	return strings.CutSuffix(metric, ".max")
}
