package probes

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/probes/probe"
)

// A sourceFunc is a function that is a Source.
type sourceFunc func(now time.Time, put func(probe.Name, float64))

func (f sourceFunc) Read(now time.Time, put func(probe.Name, float64)) { f(now, put) }

func TestSamplerRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ticks := sourceFunc(func(now time.Time, put func(probe.Name, float64)) {
			put("age", now.Sub(start).Seconds())
		})
		ctx, cancel := context.WithTimeout(t.Context(), 450*time.Millisecond)
		defer cancel()
		var at []time.Duration
		err := New(100*time.Millisecond, ticks).Run(ctx, func(now time.Time, sample probe.Sample) {
			at = append(at, now.Sub(start))
			if want := now.Sub(start).Seconds(); sample["age"] != want {
				t.Errorf("at %v the source got the time %v", want, sample["age"])
			}
			if len(at) == 1 {
				time.Sleep(130 * time.Millisecond) // a slow reader
			}
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		want := []time.Duration{
			100 * time.Millisecond,
			230 * time.Millisecond, // late, as it was held up
			300 * time.Millisecond, 400 * time.Millisecond,
		}
		if !slices.Equal(at, want) {
			t.Errorf("samples at %v, want %v", at, want)
		}
	})
}

func TestSamplerThatMayNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := New(time.Second).Run(ctx, func(time.Time, probe.Sample) { t.Error("a sample") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSampleLeavesOutWhatIsNoNumber(t *testing.T) {
	s := New(time.Second,
		sourceFunc(func(_ time.Time, put func(probe.Name, float64)) {
			put("nan", math.NaN())
			put("inf", math.Inf(1))
			put("less", math.Inf(-1))
			put("zero", 0)
		}),
		sourceFunc(func(_ time.Time, put func(probe.Name, float64)) { put("one", 1) }),
	)
	if _, got := s.Sample(); !maps.Equal(got, probe.Sample{"zero": 0, "one": 1}) {
		t.Errorf("sample %v", got)
	}
}

func TestSamplesAreTheReadersToKeep(t *testing.T) {
	n := 0.0
	s := New(time.Second, sourceFunc(func(_ time.Time, put func(probe.Name, float64)) { n++; put("n", n) }))
	_, first := s.Sample()
	first["mine"] = 1
	_, second := s.Sample()
	if first["n"] != 1 || !maps.Equal(second, probe.Sample{"n": 2}) {
		t.Errorf("first %v, second %v", first, second)
	}
}

// Sample may be called while Run is running.
func TestSampleWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n float64
		s := New(time.Millisecond, sourceFunc(func(_ time.Time, put func(probe.Name, float64)) { n++; put("n", n) }))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var running sync.WaitGroup
		seen := 0
		running.Go(func() { _ = s.Run(ctx, func(time.Time, probe.Sample) { seen++ }) })
		mine := 0
		for ctx.Err() == nil {
			s.Sample()
			mine++
			time.Sleep(time.Millisecond)
		}
		running.Wait()
		if n != float64(seen+mine) {
			t.Errorf("%v readings, but %d and %d samples", n, seen, mine)
		}
	})
}
