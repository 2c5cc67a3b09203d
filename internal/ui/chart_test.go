package ui

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mabeam-top/internal/stress/stream"
)

func plainStyles(ascii bool) *styles {
	s := newStyles(io.Discard, "never", "dark", ascii)
	return &s
}

func line10(values ...float64) []stream.Point {
	var out []stream.Point
	for i, v := range values {
		out = append(out, stream.Point{T: float64(i), V: v})
	}
	return out
}

func TestYAxis(t *testing.T) {
	for _, test := range []struct {
		name   string
		plot   plot
		height int
		high   float64
		ticks  string
	}{
		{"nothing measured but zero", plot{series: []series{{points: line10(0, 0)}}}, 8, 1, "[0 1]"},
		{"round numbers with headroom", plot{series: []series{{points: line10(20000)}}}, 9, 22500, "[0 5000 10000 15000 20000]"},
		{"few ticks in few rows", plot{series: []series{{points: line10(1000)}}}, 3, 1500, "[0 1000]"},
		{"a near limit is in sight", plot{series: []series{{points: line10(10)}}, limits: []limitLine{{value: 25}}}, 8, 30, "[0 10 20 30]"},
		{"a far limit does not flatten the rest", plot{series: []series{{points: line10(10)}}, limits: []limitLine{{value: 1000}}}, 8, 12.5, "[0 5 10]"},
		{"a limit alone makes the scale", plot{series: []series{{points: line10(0)}}, limits: []limitLine{{value: 8}}}, 8, 9, "[0 2 4 6 8]"},
		{"logarithmic", plot{log: true, series: []series{{points: line10(0.12, 3)}}}, 9, 5, "[0.1 1 5]"},
		{"logarithmic, zero is left out", plot{log: true, series: []series{{points: line10(0, 3)}}}, 4, 5, "[]"},
	} {
		y := test.plot.yAxis(test.height)
		if fmt.Sprint(y.high) != fmt.Sprint(test.high) || fmt.Sprint(y.ticks) != test.ticks {
			t.Errorf("%s: up to %v, ticks %v; want %v, %s", test.name, y.high, y.ticks, test.high, test.ticks)
		}
	}
}

func TestStrokes(t *testing.T) {
	y := yAxis{high: 3}
	for _, test := range []struct {
		name   string
		points []stream.Point
		cols   int
		want   []stroke
	}{
		{"flat", line10(0, 0, 0), 3, []stroke{{3, 3}, {3, 3}, {3, 3}}},
		{"a step is joined", line10(0, 3), 2, []stroke{{3, 3}, {0, 2}}},
		{"a column keeps its spike", []stream.Point{{T: 0, V: 0}, {T: 0.01, V: 3}, {T: 0.02, V: 0}, {T: 1, V: 0}}, 2, []stroke{{0, 3}, {3, 3}}},
		{"between two points", []stream.Point{{T: 0, V: 0}, {T: 1, V: 3}}, 4, []stroke{{3, 3}, {2, 2}, {1, 1}, {0, 0}}},
		{"a gap stays one", []stream.Point{{T: 0, V: 0}, {T: 0.1, V: 0}, {T: 0.2, V: 0}, {T: 3, V: 3}}, 4, []stroke{{3, 3}, noStroke, noStroke, {0, 0}}},
	} {
		end := test.points[len(test.points)-1].T
		if got := (series{points: test.points}).strokes(span{0, end}, y, test.cols, 4); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLimitLabels(t *testing.T) {
	p := plot{unit: perSecond, series: []series{{points: line10(10, 10, 10, 10)}}}
	for _, test := range []struct {
		name   string
		limits []limitLine
		want   string
	}{
		{"on its line", []limitLine{{12, "baseline 12/s"}}, "╌ baseline 12/s ╌"},
		{"out of sight above", []limitLine{{1e6, "baseline 1M/s"}}, "↑ baseline 1M/s"},
		{"two at one height", []limitLine{{12, "first"}, {12, "second"}}, "second"},
	} {
		p.limits = test.limits
		got := strings.Join(p.draw(plainStyles(false), span{0, 3}, nil, 60, 8), "\n")
		if !strings.Contains(got, test.want) || !strings.Contains(got, strings.TrimSpace(test.limits[0].label)) {
			t.Errorf("%s: %q is not in\n%s", test.name, test.want, got)
		}
	}
}

// A plot has exactly the size asked for, whatever is in it.
func TestPlotSize(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(0, 1e18), rapid.SampledFrom([]float64{0, 1, 1e-300, 5e-324, 1e18}))
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(0, 120).Draw(t, "width"), rapid.IntRange(0, 30).Draw(t, "height")
		p := plot{unit: rapid.SampledFrom([]string{perSecond, millis, bytesUnit, count}).Draw(t, "unit"), log: rapid.Bool().Draw(t, "log"), empty: "nothing"}
		for range rapid.IntRange(0, 4).Draw(t, "series") {
			p.series = append(p.series, series{points: line10(rapid.SliceOfN(value, 0, 20).Draw(t, "values")...), filled: rapid.Bool().Draw(t, "filled")})
		}
		for range rapid.IntRange(0, 3).Draw(t, "limits") {
			p.limits = append(p.limits, limitLine{value.Draw(t, "limit"), rapid.SampledFrom([]string{"limit", "限", strings.Repeat("long ", 30)}).Draw(t, "label")})
		}
		rows := p.draw(plainStyles(rapid.Bool().Draw(t, "ascii")), span{0, rapid.Float64Range(0, 30).Draw(t, "to")}, []float64{0, 1, 50}, width, height)
		if len(rows) != height {
			t.Fatalf("%d rows, want %d", len(rows), height)
		}
		for _, row := range rows {
			if w := ansi.StringWidth(row); w != width {
				t.Fatalf("row of width %d, want %d: %q", w, width, row)
			}
		}
	})
}

func TestSparkline(t *testing.T) {
	s := plainStyles(false)
	for _, test := range []struct {
		points []stream.Point
		want   string
	}{
		{nil, "    "},
		{line10(0, 0, 0, 0), "▁▁▁▁"},
		{line10(100, 100, 100, 100), "▅▅▅▅"},
		{line10(0, 1, 2, 3), "▁▂▄▆"},
		{line10(100, 101, 99, 100), "▅▅▄▅"},
	} {
		if got := s.sparkline(test.points, span{0, 3}, 4); got != test.want {
			t.Errorf("sparkline(%v) = %q, want %q", test.points, got, test.want)
		}
	}
}

func TestRates(t *testing.T) {
	got := rates([]stream.Point{{T: 0, V: 5}, {T: 1, V: 7}, {T: 3, V: 11}, {T: 4, V: 3}, {T: 4, V: 9}})
	// The fall to 3 is a fresh system; two readings at one time have no rate.
	want := []stream.Point{{T: 1, V: 2}, {T: 3, V: 2}, {T: 4, V: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rates = %v, want %v", got, want)
	}
}

// A probe that no chart has by itself is drawn where its unit is, if a step
// is held to it.
func TestLimitBringsItsProbe(t *testing.T) {
	var tl stream.Timeline
	tl.Add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "creation", Limits: []stream.Limit{
		{Metric: "agents_per_second", Source: "baseline", Op: ">=", Value: 1000, Unit: "1/s", Probe: "agents_started_per_second"},
	}}})
	tl.Add(stream.Event{T: 1, Type: stream.SampleTaken, Sample: map[string]float64{"agents_started_per_second": 2000, "events_published_per_second": 0}})
	l := newLive()
	l.setData(tl.Snapshot())
	got := strings.Join(l.view(plainStyles(false), 120, 37), "\n")
	for _, want := range []string{"agents_started 2k/s", "baseline 1k/s", "no events in this step", "no latency measured in this step", "now 2k/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
