package chart

import (
	"testing"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

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
		if got := Sparkline(s, test.points, Span{0, 3}, 4); got != test.want {
			t.Errorf("sparkline(%v) = %q, want %q", test.points, got, test.want)
		}
	}
}
