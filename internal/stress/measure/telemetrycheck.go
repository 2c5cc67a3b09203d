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
	return mustBeZero("telemetry_mismatches", "Counters of the runtime's telemetry that differ from what the measurement counted itself; the errors name each with both numbers.")
}

// A witness compares the telemetry of a system with what a measurement counted
// itself, so that a runtime that counts work it did not do is caught.
type telemetryCheck struct {
	env        *stress.Env
	system     *mabeam.System
	before     mabeam.Telemetry
	mismatches int
}

// newTelemetryCheck reads the telemetry that later readings are compared with.
func newTelemetryCheck(env *stress.Env, system *mabeam.System) *telemetryCheck {
	return &telemetryCheck{env: env, system: system, before: system.Telemetry()}
}

// gauges are the fields of the telemetry that also fall.
var gauges = []string{"Agents", "Subscriptions", "MailboxDepth"}

// expect compares the change of each counter since the last call, or since the
// witness was made, with the expected one; the keys are field names of
// mabeam.Telemetry. Counters that lag behind get up to settleTimeout to catch up.
//
// Where other steps use the same system, or faults end agents or restart components,
// the counters also count what the measurement cannot know of. Then a counter must
// have grown by at least the expected change, and gauges are not compared.
func (w *telemetryCheck) expect(ctx context.Context, expected map[string]int64) {
	exact := map[string]countRange{}
	for counter, n := range expected {
		exact[counter] = countRange{n, n}
	}
	w.expectBetween(ctx, exact)
}

// bounds are the least and the most that a counter may change by.
type countRange struct{ min, max int64 }

// String implements fmt.Stringer.
func (b countRange) String() string {
	if b.min == b.max {
		return fmt.Sprint(b.min)
	}
	return fmt.Sprintf("%d to %d", b.min, b.max)
}

// expectBetween is expect for counters of which the measurement knows bounds.
func (w *telemetryCheck) expectBetween(ctx context.Context, expected map[string]countRange) {
	disturbed := w.env.SharesSystem() || w.env.HasFaultsOn(scenario.TargetAgents) || w.env.HasFaultsOn(scenario.TargetComponents)
	var now mabeam.Telemetry
	differs := func(counter string) bool {
		got, want := w.change(counter, now), expected[counter]
		if disturbed {
			return got < want.min && !slices.Contains(gauges, counter)
		}
		return got < want.min || got > want.max
	}
	counters := slices.Sorted(maps.Keys(expected))
	waitWhile(ctx, func() bool {
		now = w.system.Telemetry()
		return slices.ContainsFunc(counters, differs)
	})
	for _, counter := range counters {
		if differs(counter) {
			w.recordMismatch("the telemetry's "+counter, w.change(counter, now), expected[counter])
		}
	}
	w.before = now
}

// change is by how much a counter has changed since the last reading.
func (w *telemetryCheck) change(counter string, now mabeam.Telemetry) int64 {
	read := func(t mabeam.Telemetry) int64 { return reflect.ValueOf(t).FieldByName(counter).Int() }
	return read(now) - read(w.before)
}

// differ records a number of the runtime that is not what was counted.
func (w *telemetryCheck) recordMismatch(what string, got int64, want countRange) {
	w.mismatches++
	w.env.Detail(fmt.Sprintf("%s changed by %d; counted were %v", what, got, want), 1)
}

// report reports the metric telemetry_mismatches.
func (w *telemetryCheck) report() { w.env.Value("telemetry_mismatches", float64(w.mismatches)) }
