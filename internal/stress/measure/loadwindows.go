package measure

import (
	"math"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

const (
	minWindow = 100 * time.Millisecond
	// minOperationsPerWindow is the least number of operations due in a window. With fewer,
	// an operation that ends just after the window would decide.
	minOperationsPerWindow = 10
	// partsPerWindow is the number of parts of a window, which are used to compare quarters
	// of a load.
	partsPerWindow = 4
	// windowShards is the number of counters of each part, so that concurrent workers do not
	// wait for each other.
	windowShards = 16
)

// loadWindow is the length of a window at a rate.
func loadWindow(rate float64) time.Duration {
	return max(minWindow, time.Duration(math.Ceil(minOperationsPerWindow/rate*float64(time.Second))))
}

// loadWindows count what ended in each window of an open load, by the time at which it
// ended. A freeze shows even if everything is caught up with afterwards. What ends after
// the load is in no window.
type loadWindows struct {
	length, window time.Duration
	startedAt      time.Time
	// due is the number of results due in each part.
	due    float64
	shards [windowShards][]windowPart
}

// A windowPart counts what ended in a part of a window.
type windowPart struct{ done, failed atomic.Int64 }

// newLoadWindows returns the windows of a stage with a constant rate, in which each
// operation has that number of results. The load begins with start.
func newLoadWindows(s load.Stage, perOperation int) *loadWindows {
	w := &loadWindows{length: s.For, window: loadWindow(s.Rate)}
	w.due = s.Rate * float64(perOperation) * w.partLength().Seconds()
	for i := range w.shards {
		w.shards[i] = make([]windowPart, s.For/w.partLength()+1)
	}
	return w
}

func (w *loadWindows) partLength() time.Duration { return w.window / partsPerWindow }

// start sets the begin of the load.
func (w *loadWindows) start() { w.startedAt = time.Now() }

// count counts operations that ended at a time. Concurrent workers use different shards.
func (w *loadWindows) count(shard int, at time.Time, done, failed int64) {
	since := at.Sub(w.startedAt)
	if since < 0 || since > w.length {
		return
	}
	s := &w.shards[shard%windowShards][since/w.partLength()]
	s.done.Add(done)
	if failed > 0 {
		s.failed.Add(failed)
	}
}

// countsBetween returns what ended between two parts.
func (w *loadWindows) countsBetween(from, to int) (done, failed int64) {
	for i := range w.shards {
		for j := from; j < min(to, len(w.shards[i])); j++ {
			done += w.shards[i][j].done.Load()
			failed += w.shards[i][j].failed.Load()
		}
	}
	return done, failed
}

// total is how much was done by the end of the load.
func (w *loadWindows) total() int64 {
	done, _ := w.countsBetween(0, len(w.shards[0]))
	return done
}

// stable returns in how many windows of a load of that length at least 90 % of what was
// due was done, and less than 1 % failed.
func (w *loadWindows) stable(length time.Duration) (stable, of int64) {
	of = int64(min(length, w.length) / w.window)
	for i := range int(of) {
		from, to := i*partsPerWindow, (i+1)*partsPerWindow
		done, failed := w.countsBetween(from, to)
		wanted := w.due * partsPerWindow
		if float64(done) >= 0.9*wanted && (failed == 0 || float64(failed) < 0.01*max(wanted, float64(done+failed))) {
			stable++
		}
	}
	return stable, of
}

// quarters returns the share of what was due that was done, in each part of the first and
// of the last quarter of a load of that length.
func (w *loadWindows) quarters(length time.Duration) (first, last []float64) {
	const parts = 4
	slices := int(min(length, w.length) / w.partLength())
	quarter := slices / 4
	share := func(from, to int) float64 {
		done, _ := w.countsBetween(from, to)
		// Zero has no logarithm, so it counts as half an operation.
		return max(float64(done), 0.5) / max(w.due*float64(to-from), 1e-9)
	}
	for i := range parts {
		from, to := i*quarter/parts, (i+1)*quarter/parts
		if from == to {
			continue
		}
		first = append(first, share(from, to))
		last = append(last, share(slices-quarter+from, slices-quarter+to))
	}
	return first, last
}

// A stability counts the stable windows of one or more loads.
type stability struct{ stable, windows int64 }

// add adds the windows of a load of that length.
func (s *stability) add(w *loadWindows, length time.Duration) {
	stable, windows := w.stable(length)
	s.stable, s.windows = s.stable+stable, s.windows+windows
}

// report reports stability_score. With fewer than least windows, it reports why this and
// the other metrics are unmeasured, and returns false.
func (s stability) report(env *stress.Env, least int64, why string, others ...string) bool {
	if s.windows < least {
		unmeasured(env, why, append(others, "stability_score")...)
		return false
	}
	env.Share("stability_score", s.stable, s.windows)
	return true
}
