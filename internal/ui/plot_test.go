package ui

import (
	"reflect"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

func line10(values ...float64) []fold.Point {
	var out []fold.Point
	for i, v := range values {
		out = append(out, fold.Point{T: float64(i), V: v})
	}
	return out
}

func TestTrace(t *testing.T) {
	// One dot for each step of 1; the lowest value is not at the very bottom.
	a := axis{height: 2, every: 1, step: 4}
	for _, test := range []struct {
		name       string
		points     []fold.Point
		cols       int
		line, span []stroke
	}{
		{"flat", line10(0, 0, 0), 3, []stroke{{0, 0}, {0, 0}, {0, 0}}, []stroke{{0, 0}, {0, 0}, {0, 0}}},
		{"a step is joined", line10(0, 3), 2, []stroke{{0, 0}, {1, 3}}, []stroke{{0, 0}, {3, 3}}},
		{
			"the line is the mean, the spread keeps the spike",
			[]fold.Point{{T: 0, V: 0}, {T: 0.01, V: 3}, {T: 0.02, V: 0}, {T: 1, V: 1}},
			2,
			[]stroke{{1, 1}, {1, 1}},
			[]stroke{{0, 3}, {1, 1}},
		},
		{"between two points", []fold.Point{{T: 0, V: 0}, {T: 1, V: 3}}, 4, []stroke{{0, 0}, {1, 1}, {2, 2}, {3, 3}}, []stroke{{0, 0}, noStroke, noStroke, {3, 3}}},
		{
			"a hole stays one",
			[]fold.Point{{T: 0, V: 0}, {T: 0.1, V: 0}, {T: 0.2, V: 0}, {T: 3, V: 3}},
			4,
			[]stroke{{0, 0}, noStroke, noStroke, {3, 3}},
			[]stroke{{0, 0}, noStroke, noStroke, {3, 3}},
		},
		{
			"what was thinned has no hole",
			[]fold.Point{{T: 0, V: 0}, {T: 30, V: 3}, {T: 60, V: 3}},
			3,
			[]stroke{{0, 0}, {1, 3}, {3, 3}},
			[]stroke{{0, 0}, {3, 3}, {3, 3}},
		},
	} {
		end := test.points[len(test.points)-1].T
		got := newTrace(test.points, span{0, end}, a, test.cols, 2*dotsPerRow)
		for _, strokes := range [][]stroke{test.line, test.span} {
			for i := range strokes {
				if strokes[i] != noStroke {
					strokes[i].low, strokes[i].high = strokes[i].low+bottom, strokes[i].high+bottom
				}
			}
		}
		if !reflect.DeepEqual(got.line, test.line) || !reflect.DeepEqual(got.span, test.span) {
			t.Errorf("%s: line %v, spread %v; want %v, %v", test.name, got.line, got.span, test.line, test.span)
		}
	}
}

func TestLimitLabels(t *testing.T) {
	p := plot{unit: theme.PerSecond, series: []series{{points: line10(10, 10, 10, 10)}}}
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
		got := strings.Join(p.draw(theme.Plain(false), span{0, 3}, nil, 60, 8), "\n")
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
		p := plot{unit: rapid.SampledFrom([]string{theme.PerSecond, theme.Millis, theme.Bytes, theme.Count}).Draw(t, "unit"), log: rapid.Bool().Draw(t, "log"), empty: "nothing"}
		for range rapid.IntRange(0, 4).Draw(t, "series") {
			p.series = append(p.series, series{points: line10(rapid.SliceOfN(value, 0, 20).Draw(t, "values")...), filled: rapid.Bool().Draw(t, "filled"), look: look{letter: '*'}})
		}
		for range rapid.IntRange(0, 3).Draw(t, "limits") {
			p.limits = append(p.limits, limitLine{value.Draw(t, "limit"), rapid.SampledFrom([]string{"limit", "限", strings.Repeat("long ", 30)}).Draw(t, "label")})
		}
		rows := p.draw(theme.Plain(rapid.Bool().Draw(t, "ascii")), span{0, rapid.Float64Range(0, 30).Draw(t, "to")}, []upright{{t: 0}, {t: 1}, {t: 50}}, width, height)
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
	s := theme.Plain(false)
	for _, test := range []struct {
		points []fold.Point
		want   string
	}{
		{nil, "    "},
		{line10(0, 0, 0, 0), "▁▁▁▁"},
		{line10(100, 100, 100, 100), "▅▅▅▅"},
		{line10(0, 1, 2, 3), "▁▂▄▆"},
		{line10(100, 101, 99, 100), "▅▅▄▅"},
	} {
		if got := sparkline(s, test.points, span{0, 3}, 4); got != test.want {
			t.Errorf("sparkline(%v) = %q, want %q", test.points, got, test.want)
		}
	}
}
