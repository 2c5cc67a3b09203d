package scenario

import (
	"testing"
	"time"
)

// A fault can begin at any time if the end of the load is not known.
func TestFaultsInTime(t *testing.T) {
	cat := Catalogue{{
		Name:    "probe",
		Params:  append(LoadParams(), Param{Name: "operations", Kind: Int, Default: 100, Min: 1, Max: 1e6}),
		Targets: []Target{TargetAgents},
		LoadLength: func(p Params) time.Duration {
			if p.Has("duration") {
				return p.Duration("duration")
			}
			return 0
		},
	}}
	for _, c := range []struct {
		step string
		ok   bool
	}{
		{"{measure: probe, with: {duration: 2s}, faults: [{garbage: 1, from: 1s}]}", true},
		{"{measure: probe, with: {duration: 2s}, faults: [{garbage: 1, from: 2s}]}", false},
		{"{measure: probe, with: {operations: 2}, faults: [{garbage: 1, from: 1h}]}", true},
	} {
		document := Document{File: "s.yaml", Source: []byte("name: s\ntitle: S\nsteps:\n  - " + c.step + "\n")}
		if _, err := Parse(cat, testComponents, document); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.step, err)
		}
	}
}
