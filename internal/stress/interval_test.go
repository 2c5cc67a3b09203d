package stress

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// measuring returns an environment whose loads nobody holds.
func measuring() *Env {
	return &Env{
		gate: newGate(newHelm()), aborted: context.Background(), driving: func(loadEvent) {}, results: map[string]sample{},
		ended: NewHistogram(), recent: NewHistogram(),
	}
}

// In a stall nothing ends, and each interval says for how long something has been
// due. The intervals together are the load.
func TestIntervalsOfAStall(t *testing.T) {
	for name, load := range map[string]Load{
		"open":   {Workers: 5, Stages: []Stage{{Rate: 100, For: 2 * time.Second}}},
		"closed": {Workers: 2, For: 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			env := measuring()
			start := time.Now()
			stalls, goesOn := start.Add(500*time.Millisecond), start.Add(1500*time.Millisecond)
			var driven Driven
			over := make(chan struct{})
			go func() {
				defer close(over)
				driven, _ = env.Drive(t.Context(), load, func(context.Context, Op) error {
					if now := time.Now(); !now.Before(stalls) && now.Before(goesOn) {
						time.Sleep(goesOn.Sub(now))
					}
					time.Sleep(time.Millisecond)
					return nil
				})
			}()
			sum := NewHistogram()
			var due, done int64
			for sample := 1; sample <= 25; sample++ {
				time.Sleep(time.Until(start.Add(time.Duration(sample)*100*time.Millisecond + 500*time.Microsecond)))
				now := time.Now()
				i := env.interval(now)
				sum.Merge(i.Latency)
				due += i.Attempted
				done += i.Succeeded
				// The operation that was the first to stall began at most 1 ms before
				// or 10 ms after the stall.
				if within := now.Sub(stalls); within > 50*time.Millisecond && now.Before(goesOn) {
					if i.Latency.Count() > 0 && within > 150*time.Millisecond {
						t.Errorf("%s: %d ended in the stall", name, i.Latency.Count())
					}
					if (i.Oldest-within).Abs() > 10*time.Millisecond || i.Inflight != int64(load.Workers) && within > 150*time.Millisecond {
						t.Errorf("%s: %v into the stall the oldest is %v old and %d are under way", name, within, i.Oldest, i.Inflight)
					}
				}
				if name == "open" && sample < 20 && due != int64(sample*10)+1 && due != int64(sample*10) {
					t.Errorf("%d due after %d samples", due, sample)
				}
			}
			<-over
			i := env.interval(time.Now())
			if i.Latency.Count() != 0 || i.Oldest != 0 || i.Inflight != 0 {
				t.Errorf("%s: after the load %+v", name, i)
			}
			if sum.Count() != driven.Latency.Count() || done != driven.Succeeded || due != driven.Attempted || sum.max != driven.Latency.max {
				t.Errorf("%s: the intervals have %d latencies of at most %v, %d due, %d done; the load has %+v, %d of at most %v", name, sum.Count(), sum.max, due, done, driven.Operations, driven.Latency.Count(), driven.Latency.max)
			}
		})
	}
}
