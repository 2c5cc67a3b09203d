package ui

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

func TestRates(t *testing.T) {
	got := rates([]fold.Point{{T: 0, V: 5}, {T: 1, V: 7}, {T: 3, V: 11}, {T: 4, V: 3}, {T: 4, V: 9}})
	// The fall to 3 is a fresh system; two readings at one time have no rate.
	want := []fold.Point{{T: 1, V: 2}, {T: 3, V: 2}, {T: 4, V: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rates = %v, want %v", got, want)
	}
}

func TestRatesOver(t *testing.T) {
	var points []fold.Point
	for i := range 31 {
		points = append(points, fold.Point{T: float64(i) / 10, V: math.Floor(float64(i) / 5)})
	}
	told := ratesOver(points, 1)
	if len(told) != 21 {
		t.Errorf("of 3 s there are %d rates over the second before, want 21", len(told))
	}
	for _, p := range told {
		if p.T < 1 || math.Abs(p.V-2) > 0.01 {
			t.Errorf("two a second are told as %v at %v", p.V, p.T)
		}
	}
	// A fresh system counts anew; what is not yet known is not told.
	got := ratesOver([]fold.Point{{T: 0, V: 10}, {T: 1, V: 12}, {T: 1.5, V: 1}, {T: 2.5, V: 3}}, 1)
	if want := []fold.Point{{T: 1, V: 2}, {T: 2.5, V: 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("with a fresh system between: %v, want %v", got, want)
	}
}

// A probe that no chart has by itself is drawn where its unit is, if a step
// is held to it.
func TestLimitBringsItsProbe(t *testing.T) {
	var tl fold.Timeline
	tl.Add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "creation", Limits: []stream.Limit{
		{Metric: "agents_per_second", Source: "baseline", Op: ">=", Value: 1000, Unit: "1/s", Probe: "agents_started_per_second"},
	}}})
	tl.Add(stream.Event{T: 1, Type: stream.SampleTaken, Sample: probe.Sample{"agents_started_per_second": 2000, "events_published_per_second": 0}})
	l := newLive()
	l.setData(tl.Snapshot())
	got := strings.Join(l.view(theme.Plain(false), 200, 56, true), "\n")
	for _, want := range []string{"agents_started 2.00k/s", "baseline 1k/s", "no events in this step", "no latency measured in this step", "now 2k/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
