package stream_test

import (
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/stress/stream"
)

// However long a history becomes, it begins with its first element, has every one of
// the latest, the worst of all, and no long gap.
func TestThin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 64
		n := rapid.IntRange(limit, 100*limit).Draw(t, "elements")
		most := rapid.IntRange(1, 1000).Draw(t, "values") // 1: all are equal
		value := func(i int) int { return (i * 7919) % most }
		var history []int // each element is the time at which it came
		for i := range n {
			if len(history) == limit {
				var kept []int
				for _, j := range stream.Thin(limit,
					func(i int) float64 { return float64(history[i]) },
					func(i, j int) bool { return value(history[i]) > value(history[j]) }) {
					kept = append(kept, history[j])
				}
				history = kept
			}
			history = append(history, i)
		}
		if history[0] != 0 || history[len(history)-1] != n-1 {
			t.Fatalf("it reaches from %d to %d of %d", history[0], history[len(history)-1], n)
		}
		worst := 0
		for i := 1; i < len(history); i++ {
			if gap := history[i] - history[i-1]; gap > 4*n/(limit/4)+1 {
				t.Fatalf("of %d, %d elements are missing before %d: %v", n, gap, history[i], history)
			}
			worst = max(worst, value(history[i]))
		}
		for i := range n {
			if value(i) > worst {
				t.Fatalf("the worst that is kept is %d, but element %d is %d", worst, i, value(i))
			}
		}
		for i := n - limit/4; i < n; i++ {
			if history[len(history)-(n-i)] != i {
				t.Fatalf("element %d of %d is missing: %v", i, n, history)
			}
		}
	})
}
