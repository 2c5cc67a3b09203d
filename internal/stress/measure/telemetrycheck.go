package measure

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

// telemetryMismatches describes the metric that a witness reports.
func telemetryMismatches() scenario.Metric {
	return never("telemetry_mismatches", "Counters of the runtime's telemetry that differ from what the measurement counted itself; the errors name each with both numbers.")
}

// A witness compares the telemetry of a system with what a measurement counted
// itself, so that a runtime that counts work it did not do is caught.
type witness struct {
	env        *stress.Env
	system     *mabeam.System
	before     mabeam.Telemetry
	mismatches int
}

// newWitness reads the telemetry that later readings are compared with.
func newWitness(env *stress.Env, system *mabeam.System) *witness {
	return &witness{env: env, system: system, before: system.Telemetry()}
}

// gauges are the fields of the telemetry that also fall.
var gauges = []string{"Agents", "Subscriptions", "MailboxDepth"}

// expect compares the change of each counter since the last call, or since the
// witness was made, with the expected one; the keys are field names of
// mabeam.Telemetry. Counters that lag behind get up to settleWithin to catch up.
//
// Where other steps use the same system, or faults end agents or restart components,
// the counters also count what the measurement cannot know of. Then a counter must
// have grown by at least the expected change, and gauges are not compared.
func (w *witness) expect(ctx context.Context, expected map[string]int64) {
	exact := map[string]bounds{}
	for counter, n := range expected {
		exact[counter] = bounds{n, n}
	}
	w.expectBetween(ctx, exact)
}

// bounds are the least and the most that a counter may change by.
type bounds struct{ least, most int64 }

// String implements fmt.Stringer.
func (b bounds) String() string {
	if b.least == b.most {
		return fmt.Sprint(b.least)
	}
	return fmt.Sprintf("%d to %d", b.least, b.most)
}

// expectBetween is expect for counters of which the measurement knows bounds.
func (w *witness) expectBetween(ctx context.Context, expected map[string]bounds) {
	disturbed := w.env.SharesSystem() || w.env.HasFaultsOn(scenario.TargetAgents) || w.env.HasFaultsOn(scenario.TargetComponents)
	var now mabeam.Telemetry
	differs := func(counter string) bool {
		got, want := w.change(counter, now), expected[counter]
		if disturbed {
			return got < want.least && !slices.Contains(gauges, counter)
		}
		return got < want.least || got > want.most
	}
	counters := slices.Sorted(maps.Keys(expected))
	settle(ctx, func() bool {
		now = w.system.Telemetry()
		return slices.ContainsFunc(counters, differs)
	})
	for _, counter := range counters {
		if differs(counter) {
			w.differ("the telemetry's "+counter, w.change(counter, now), expected[counter])
		}
	}
	w.before = now
}

// change is by how much a counter has changed since the last reading.
func (w *witness) change(counter string, now mabeam.Telemetry) int64 {
	read := func(t mabeam.Telemetry) int64 { return reflect.ValueOf(t).FieldByName(counter).Int() }
	return read(now) - read(w.before)
}

// differ records a number of the runtime that is not what was counted.
func (w *witness) differ(what string, got int64, want bounds) {
	w.mismatches++
	w.env.Detail(fmt.Sprintf("%s changed by %d; counted were %v", what, got, want), 1)
}

// report reports the metric telemetry_mismatches.
func (w *witness) report() { w.env.Value("telemetry_mismatches", float64(w.mismatches)) }
