package probes

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRate(t *testing.T) {
	type reading struct {
		at        time.Duration
		value     float64
		perSecond float64 // -1: absent
	}
	for name, readings := range map[string][]reading{
		"no rate at the first reading": {{0, 500, -1}, {time.Second, 500, 0}},
		"growth per second, not per reading": {
			{0, 0, -1}, {100 * time.Millisecond, 50, 500}, {200 * time.Millisecond, 100, 500},
		},
		"a late reading divides by the real time": {
			{0, 0, -1}, {100 * time.Millisecond, 50, 500}, {1100 * time.Millisecond, 550, 500},
		},
		"a reading too soon counts for the next": {
			{0, 0, -1}, {0, 7, -1}, {time.Microsecond, 10, -1}, {time.Second, 20, 20},
		},
		"a counter that fell starts again": {
			{0, 900, -1}, {time.Second, 1000, 100}, {2 * time.Second, 40, -1}, {3 * time.Second, 50, 10},
		},
		"a fall counts however soon": {
			{0, 900, -1}, {time.Microsecond, 10, -1}, {time.Second + time.Microsecond, 30, 20},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r rate
			for i, in := range readings {
				got, ok := r.next(epoch.Add(in.at), in.value)
				if !ok {
					got = -1
				}
				if got != in.perSecond {
					t.Errorf("reading %d: %v, want %v", i, got, in.perSecond)
				}
			}
		})
	}
}

// Whatever the times of the readings are, the rates add up to the growth of the counter.
func TestRatesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := rapid.SliceOfN(rapid.Int64Range(0, int64(10*time.Second)), 1, 20).Draw(t, "spans")
		var r rate
		now, counter, sum, last := epoch, 0.0, 0.0, epoch
		var counted float64
		r.next(now, counter)
		for _, span := range spans {
			now = now.Add(time.Duration(span))
			counter += float64(rapid.IntRange(0, 1_000_000).Draw(t, "growth"))
			perSecond, ok := r.next(now, counter)
			if !ok {
				continue
			}
			if perSecond < 0 || math.IsInf(perSecond, 0) || math.IsNaN(perSecond) {
				t.Fatalf("rate %v", perSecond)
			}
			sum += perSecond * now.Sub(last).Seconds()
			last, counted = now, counter
		}
		if math.Abs(sum-counted) > 1e-6*(counted+1) {
			t.Fatalf("rates add up to %v, the counter to %v", sum, counted)
		}
	})
}
