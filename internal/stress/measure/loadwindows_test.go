package measure

import (
	"slices"
	"testing"
	"time"

	"mabeam-top/internal/stress/load"
)

// Windows in which nothing ended are not stable, however late they are read and however
// fast the load catches up.
func TestWindowsOfAFreeze(t *testing.T) {
	w := newLoadWindows(load.Stage{Rate: 100, For: time.Second}, 1)
	w.startedAt = time.Unix(0, 0)
	for i := range 100 {
		at := time.Duration(i) * 10 * time.Millisecond
		if at >= 300*time.Millisecond && at < 600*time.Millisecond {
			at = 605 * time.Millisecond
		}
		w.count(i, w.startedAt.Add(at), 1, 0)
	}
	w.count(0, w.startedAt.Add(1001*time.Millisecond), 1, 0) // after the load
	if stable, of := w.stable(time.Second); stable != 7 || of != 10 || w.total() != 100 {
		t.Errorf("%d of %d windows are stable, %d in all", stable, of, w.total())
	}
	w.count(0, w.startedAt.Add(50*time.Millisecond), 0, 1) // one of eleven failed
	if stable, _ := w.stable(time.Second); stable != 6 {
		t.Errorf("%d windows are stable with a failure in one of them", stable)
	}
	first, last := w.quarters(time.Second)
	if len(first) != 4 || len(last) != 4 || slices.Min(last) < 0.5 {
		t.Errorf("quarters %v and %v", first, last)
	}
}
