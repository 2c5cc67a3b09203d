package stress

import (
	"context"
	"slices"

	"mabeam-top/internal/stress/scenario"
)

// A Measurement is a measurement of the catalogue: its description, and the code that
// carries it out.
type Measurement struct {
	scenario.Measurement
	// Run carries out one repetition on the fresh system of env and reports its
	// results to env.
	Run func(ctx context.Context, env *Env) error
	// Died reports results from the death of the process that the measurement ran
	// in, in addition to those reported by then. If it is nil, or returns an error,
	// the repetition could not be measured.
	Died func(*Env, *Death) error
}

// A Catalogue is a list of measurements.
type Catalogue []*Measurement

// Descriptions returns the descriptions of the measurements, which scenario files are
// checked with.
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
