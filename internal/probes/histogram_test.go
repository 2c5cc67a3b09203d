package probes

import (
	"math"
	"runtime/metrics"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		counts []uint64
		edges  []float64
		q      float64
		want   float64 // -1: none
	}{
		"nothing happened":                    {[]uint64{0, 0}, []float64{0, 1, 2}, 0.5, -1},
		"no buckets":                          {nil, nil, 0.5, -1},
		"a single value lies in the middle":   {[]uint64{0, 1, 0}, []float64{0, 10, 20, 30}, 0.99, 15},
		"evenly spread within a bucket":       {[]uint64{100}, []float64{0, 100}, 0.50, 49.5},
		"the largest of a bucket":             {[]uint64{100}, []float64{0, 100}, 1, 99.5},
		"q of zero is the smallest":           {[]uint64{100}, []float64{0, 100}, 0, 0.5},
		"99 fast ones, one slow":              {[]uint64{99, 0, 1}, []float64{0, 1, 10, 20}, 0.99, 98.5 / 99},
		"98 fast ones, two slow":              {[]uint64{98, 0, 2}, []float64{0, 1, 10, 20}, 0.99, 12.5},
		"the open bucket above is its bottom": {[]uint64{0, 5}, []float64{0, 1, inf}, 0.99, 1},
		"the open bucket below is its top":    {[]uint64{5, 0}, []float64{-inf, 2, inf}, 0.5, 2},
		"one bucket for all":                  {[]uint64{5}, []float64{-inf, inf}, 0.5, -1},
		"the middle of a wide range":          {[]uint64{1, 1, 1}, []float64{-inf, 2, 4, inf}, 0.5, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := quantile(c.q, c.counts, c.edges)
			if !ok {
				got = -1
			}
			if math.Abs(got-c.want) > 1e-12 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// A quantile is finite, grows with q, and lies in the bucket of the value at that rank.
func TestQuantileAgainstSorting(t *testing.T) {
	edges := []float64{math.Inf(-1), 0, 1, 2, 4, 8, 16, 32, math.Inf(1)}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-5, 50), 1, 200).Draw(t, "values")
		slices.Sort(values)
		counts := make([]uint64, len(edges)-1)
		bucket := func(v float64) int {
			i := 0
			for v >= edges[i+1] {
				i++
			}
			return i
		}
		for _, v := range values {
			counts[bucket(v)]++
		}
		last := math.Inf(-1)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			got, ok := quantile(q, counts, edges)
			if !ok || math.IsInf(got, 0) || math.IsNaN(got) || got < last {
				t.Fatalf("q %v: %v, %v, after %v", q, got, ok, last)
			}
			last = got
			exact := values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
			b := bucket(exact)
			if got < edges[b] || got > edges[b+1] {
				t.Fatalf("q %v: %v, but the value is %v", q, got, exact)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	h := &metrics.Float64Histogram{Counts: []uint64{5, 0, 2}, Buckets: []float64{0, 1, 2, 3}}
	var w window
	if added, ok := w.next(h); ok {
		t.Errorf("the first reading returns %v", added)
	}
	if added, ok := w.next(h); !ok || !slices.Equal(added, []uint64{0, 0, 0}) {
		t.Errorf("nothing was added, but next returns %v, %v", added, ok)
	}
	// The runtime reuses the memory for the next reading.
	h.Counts[0], h.Counts[1] = 6, 10
	if added, ok := w.next(h); !ok || !slices.Equal(added, []uint64{1, 10, 0}) {
		t.Errorf("added %v, %v", added, ok)
	}
	h.Counts[1] = 11
	if added, ok := w.next(h); !ok || !slices.Equal(added, []uint64{0, 1, 0}) {
		t.Errorf("added %v, %v", added, ok)
	}
}
