package chart

import (
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

func TestLimitLabels(t *testing.T) {
	p := Plot{Unit: theme.PerSecond, Series: []Series{{Points: line10(10, 10, 10, 10)}}}
	for _, test := range []struct {
		name   string
		limits []Limit
		want   string
	}{
		{"on its line", []Limit{{12, "baseline 12/s"}}, "╌ baseline 12/s ╌"},
		{"out of sight above", []Limit{{1e6, "baseline 1M/s"}}, "↑ baseline 1M/s"},
		{"two at one height", []Limit{{12, "first"}, {12, "second"}}, "second"},
	} {
		p.Limits = test.limits
		got := strings.Join(p.Draw(theme.Plain(false), Span{0, 3}, nil, 60, 8), "\n")
		if !strings.Contains(got, test.want) || !strings.Contains(got, strings.TrimSpace(test.limits[0].Label)) {
			t.Errorf("%s: %q is not in\n%s", test.name, test.want, got)
		}
	}
}

// A plot has exactly the requested size, for any data.
func TestPlotSize(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(0, 1e18), rapid.SampledFrom([]float64{0, 1, 1e-300, 5e-324, 1e18}))
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(0, 120).Draw(t, "width"), rapid.IntRange(0, 30).Draw(t, "height")
		p := Plot{Unit: rapid.SampledFrom([]string{theme.PerSecond, theme.Millis, theme.Bytes, theme.Count}).Draw(t, "unit"), Log: rapid.Bool().Draw(t, "log"), Empty: "nothing"}
		for range rapid.IntRange(0, 4).Draw(t, "series") {
			p.Series = append(p.Series, Series{Points: line10(rapid.SliceOfN(value, 0, 20).Draw(t, "values")...), Filled: rapid.Bool().Draw(t, "filled"), Style: LineStyle{Letter: '*'}})
		}
		for range rapid.IntRange(0, 3).Draw(t, "limits") {
			p.Limits = append(p.Limits, Limit{value.Draw(t, "limit"), rapid.SampledFrom([]string{"limit", "限", strings.Repeat("long ", 30)}).Draw(t, "label")})
		}
		rows := p.Draw(theme.Plain(rapid.Bool().Draw(t, "ascii")), Span{0, rapid.Float64Range(0, 30).Draw(t, "to")}, []Vertical{{T: 0}, {T: 1}, {T: 50}}, width, height)
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
