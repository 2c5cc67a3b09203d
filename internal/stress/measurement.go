package stress

import (
	"context"
	"slices"

	"mabeam-top/internal/stress/scenario"
)

// An EngineMeasurement is a measurement of the catalogue: its description, and how it is
// carried out.
type Measurement struct {
	scenario.Measurement
	// Run carries out one repetition on the fresh system of env and hands its
	// results to env.
	Run func(ctx context.Context, env *Env) error
	// Died makes results of the death of the process that the measurement ran in,
	// in addition to those that it had reported by then. If it is nil, or returns
	// an error, the repetition could not be measured.
	Died func(*Env, *Death) error
}

// An EngineCatalogue is a set of measurements, in the order in which they are listed.
type Catalogue []*Measurement

// Descriptions returns what scenario files need to know of the measurements.
func (c Catalogue) Descriptions() scenario.Catalogue {
	all := make(scenario.Catalogue, len(c))
	for i, m := range c {
		all[i] = &m.Measurement
	}
	return all
}

// Find returns the measurement of that name, or nil.
func (c Catalogue) Find(name string) *Measurement {
	i := slices.IndexFunc(c, func(m *Measurement) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return c[i]
}
