package chart

import (
	"reflect"
	"testing"

	"mabeam-top/internal/stress/fold"
)

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
		got := traceOf(test.points, Span{0, end}, a, test.cols, 2*dotsPerRow)
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
