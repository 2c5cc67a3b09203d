package live

import (
	"math"
	"reflect"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
)

func TestRates(t *testing.T) {
	got := rates([]fold.Point{{T: 0, V: 5}, {T: 1, V: 7}, {T: 3, V: 11}, {T: 4, V: 3}, {T: 4, V: 9}})
	// The fall to 3 is a fresh system. Two values at one time have no rate.
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
	got := ratesOver(points, 1)
	if len(got) != 21 {
		t.Errorf("%d rates over a second in 3 s, want 21", len(got))
	}
	for _, p := range got {
		if p.T < 1 || math.Abs(p.V-2) > 0.01 {
			t.Errorf("2 per second is %v at %v", p.V, p.T)
		}
	}
	// A fresh system counts from 0 again. There is no rate before the first second.
	got = ratesOver([]fold.Point{{T: 0, V: 10}, {T: 1, V: 12}, {T: 1.5, V: 1}, {T: 2.5, V: 3}}, 1)
	if want := []fold.Point{{T: 1, V: 2}, {T: 2.5, V: 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("with a fresh system between: %v, want %v", got, want)
	}
}

// A probe without a line of its own is drawn with the probes of its unit if it has
// a limit.
func TestProbeWithLimit(t *testing.T) {
	st := newStage(t, nil).size(200, 60)
	st.feed.Emit(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "creation", Limits: []stream.Limit{
		{Metric: "agents_per_second", Source: "baseline", Op: ">=", Value: 1000, Unit: "1/s", Probe: "agents_started_per_second"},
	}}})
	st.feed.Emit(stream.Event{T: 1, Type: stream.SampleTaken, Sample: probe.Sample{"agents_started_per_second": 2000, "events_published_per_second": 0}})
	st.tick().shows("agents_started 2.00k/s", "baseline 1k/s", "no events in this step", "no latency measured in this step", "now 2k/s")
}
