package load

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		name   string
		stages []Stage
		count  int
		due    map[int]time.Duration
	}{
		{
			"even",
			[]Stage{{Rate: 100, For: 2 * time.Second}},
			200,
			map[int]time.Duration{0: 0, 1: 10 * time.Millisecond, 199: 1990 * time.Millisecond},
		},
		{
			"two stages",
			[]Stage{{Rate: 10, For: time.Second}, {Rate: 100, For: time.Second}},
			110,
			map[int]time.Duration{9: 900 * time.Millisecond, 10: time.Second, 11: 1010 * time.Millisecond, 109: 1990 * time.Millisecond},
		},
		{ // n = 50 t², so t = sqrt(n/50)
			"ramp from nothing",
			[]Stage{{Rate: 100, For: time.Second, Ramp: true}},
			50,
			map[int]time.Duration{0: 0, 2: 200 * time.Millisecond, 8: 400 * time.Millisecond, 32: 800 * time.Millisecond},
		},
		{ // from 100 down to 0 in a second: n = 100 t − 50 t²
			"ramp down",
			[]Stage{{Rate: 100, For: time.Second}, {Rate: 0, For: time.Second, Ramp: true}},
			150,
			map[int]time.Duration{100: time.Second, 118: 1200 * time.Millisecond, 148: 1800 * time.Millisecond},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newArrivals(c.stages)
			if n := s.count(); n != c.count {
				t.Errorf("%d operations, want %d", n, c.count)
			}
			for n, want := range c.due {
				if at, _ := s.due(n); (at - want).Abs() > time.Microsecond {
					t.Errorf("operation %d is due at %v, want %v", n, at, want)
				}
			}
		})
	}
}

// Due times are in order and within the schedule, and the rate is right.
func TestScheduleIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Stage {
			return Stage{
				Rate: rapid.Float64Range(0.5, 10_000).Draw(t, "rate"),
				For:  time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(2*time.Second)).Draw(t, "for")),
				Ramp: rapid.Bool().Draw(t, "ramp"),
			}
		}), 1, 4).Draw(t, "stages")
		s := newArrivals(stages)
		last := time.Duration(0)
		for n := range min(s.count(), 5000) {
			at, interval := s.due(n)
			if at < last-time.Microsecond || at > s.elapsed+time.Microsecond || interval < 0 {
				t.Fatalf("operation %d of %d is due at %v (interval %v), after one at %v; the schedule ends at %v", n, s.count(), at, interval, last, s.elapsed)
			}
			last = at
		}
	})
}
