package chart

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/ui/theme"
)

// ticksOf reads the scale of an axis from the bottom to the top, a dash for
// each row without a label.
func ticksOf(a axis) string {
	var out []string
	for _, label := range a.labels(theme.Plain(false)) {
		text := strings.TrimRight(strings.TrimSpace(label), "┤")
		if text == "" {
			text = "-"
		}
		out = append([]string{strings.ReplaceAll(text, " ", "")}, out...)
	}
	return strings.Join(out, " ")
}

func TestAxis(t *testing.T) {
	for _, test := range []struct {
		name      string
		low, high float64
		unit      string
		log       bool
		height    int
		want      string
	}{
		{"nothing but zero", math.Inf(1), 0, theme.PerSecond, false, 4, "0 - - -"},
		{"steps fill the height", 20000, 20000, theme.PerSecond, false, 9, "0 - 5k - 10k - 15k - 20k"},
		{"few rows", 1000, 1000, theme.PerSecond, false, 3, "0 - 1k"},
		{"a single row", 1000, 1000, theme.PerSecond, false, 1, "0"},
		{"counts have no halves", 1, 1, theme.Count, false, 8, "0 - - 1 - - 2 -"},
		{"bytes", 41e6, 41e6, theme.Bytes, false, 8, "0B - - 20MB - - 40MB -"},
		{"share of a processor", 150, 150, theme.Percent, false, 6, "0% - 100% - 200% -"},
		{"powers of ten", 0.12, 3, theme.Millis, true, 9, "100µs - - - - 1ms - - -"},
		{"far apart powers have numbers between", 2, 8, theme.Millis, true, 9, "1ms - 2ms - - 5ms - - 10ms"},
		{"six orders of magnitude", 0.001, 1000, theme.Millis, true, 8, "1µs - 100µs - 10ms - 1s -"},
	} {
		if got := ticksOf(newAxis(test.low, test.high, test.unit, test.log, test.height)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// For any values, the highest is visible, ticks are at their values, and labels
// fit.
func TestAnyAxis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		high := math.Pow(10, rapid.Float64Range(-9, 18).Draw(t, "exponent of the highest"))
		low := high / math.Pow(10, rapid.Float64Range(0, 20).Draw(t, "orders below"))
		unit := rapid.SampledFrom([]string{theme.PerSecond, theme.Millis, theme.Bytes, theme.BytesPerSecond, theme.Count, theme.Percent, theme.Ratio}).Draw(t, "unit")
		a := newAxis(low, high, unit, rapid.Bool().Draw(t, "log"), rapid.IntRange(1, 60).Draw(t, "height"))
		if !a.shows(high) {
			bottom, top := a.bounds()
			t.Fatalf("%v is not within %v to %v", high, bottom, top)
		}
		if a.height < 1 || a.every < 1 || !(a.step > 0) {
			t.Fatalf("%+v", a)
		}
		for i, label := range a.labels(theme.Plain(false)) {
			if w := len([]rune(label)); w != gutter || strings.Contains(label, "…") {
				t.Fatalf("row %d: label %q of width %d", i, label, w)
			}
		}
		previous := -1
		for i := range 20 {
			v := low + (high-low)*float64(i)/19
			dot := a.dot(v)
			if dot < previous || dot < 0 || dot >= a.height*dotsPerRow {
				t.Fatalf("%v is at dot %d, what is below it at %d", v, dot, previous)
			}
			previous = dot
		}
		for i := 0; !a.log && i*a.every < a.height; i++ {
			if got := a.row(float64(i) * a.step); got != a.height-1-i*a.every {
				t.Fatalf("tick %v is in row %d, want %d", fmt.Sprint(float64(i)*a.step), got, a.height-1-i*a.every)
			}
		}
	})
}
