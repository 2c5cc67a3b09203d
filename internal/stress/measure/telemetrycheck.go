package measure

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// telemetryMismatches describes the metric of a telemetryCheck.
func telemetryMismatches() scenario.Metric {
	return mustBeZero("telemetry_mismatches", "Counters of the runtime's telemetry that differ from the measurement's own counts. The errors name each with both numbers.")
}

// A telemetryCheck compares the telemetry of a system with the measurement's own counts,
// to detect a runtime that counts work it did not do.
type telemetryCheck struct {
	env        *stress.Env
	system     *mabeam.System
	before     mabeam.Telemetry
	mismatches int
}

// newTelemetryCheck reads the telemetry to compare later readings with.
func newTelemetryCheck(env *stress.Env, system *mabeam.System) *telemetryCheck {
	return &telemetryCheck{env: env, system: system, before: system.Telemetry()}
}

// gauges are the fields of the telemetry that can decrease.
var gauges = []string{"Agents", "Subscriptions", "MailboxDepth"}

// expect compares the change of each counter since the last call, or since
// newTelemetryCheck, with the expected one. The keys are field names of mabeam.Telemetry.
// Counters that lag behind get resources.SettleTimeout to catch up.
//
// If other steps use the same system, or faults end agents or restart components, the
// counters include changes that the measurement does not know. A counter must then have
// grown by at least the expected change, and gauges are not compared.
func (w *telemetryCheck) expect(ctx context.Context, expected map[string]int64) {
	exact := map[string]countRange{}
	for counter, n := range expected {
		exact[counter] = countRange{n, n}
	}
	w.expectBetween(ctx, exact)
}

// A countRange is the least and the most by which a counter may change.
type countRange struct{ min, max int64 }

func (b countRange) String() string {
	if b.min == b.max {
		return fmt.Sprint(b.min)
	}
	return fmt.Sprintf("%d to %d", b.min, b.max)
}

// expectBetween is like expect for counters with a known range.
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
	resources.WaitWhile(ctx, func() bool {
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

// change is the change of a counter since the last reading.
func (w *telemetryCheck) change(counter string, now mabeam.Telemetry) int64 {
	read := func(t mabeam.Telemetry) int64 { return reflect.ValueOf(t).FieldByName(counter).Int() }
	return read(now) - read(w.before)
}

// recordMismatch records a number of the runtime that does not match.
func (w *telemetryCheck) recordMismatch(what string, got int64, want countRange) {
	w.mismatches++
	w.env.Detail(fmt.Sprintf("%s changed by %d, want %v", what, got, want), 1)
}

// report reports telemetry_mismatches.
func (w *telemetryCheck) report() { w.env.Value("telemetry_mismatches", float64(w.mismatches)) }
