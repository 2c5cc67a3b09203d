package stress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"mabeam-top/internal/buckets"
	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/report"
)

// A histogram has buckets for 1 ns to 1 h, each less than 1 % wide: an HdrHistogram with two
// significant digits.
const (
	histogramHighest                = int64(time.Hour)
	histogramLayout  buckets.Layout = 8
)

// histogramBuckets is the number of buckets of a histogram.
var histogramBuckets = histogramLayout.Of(histogramHighest) + 1

// A Histogram is a distribution of durations. Count, mean, standard deviation,
// minimum and maximum are exact; quantiles are within 1 %. It is not safe for
// concurrent use.
type Histogram struct {
	buckets  []int64
	count    int64
	sum      float64 // ns
	squares  float64 // ns²
	min, max time.Duration
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return &Histogram{buckets: make([]int64, histogramBuckets)}
}

// Record adds one duration. One outside of 0 to 1 h goes to the first or last
// bucket.
func (h *Histogram) Record(d time.Duration) { h.recordTimes(d, 1) }

// recordTimes adds a duration n times; n must be positive.
func (h *Histogram) recordTimes(d time.Duration, n int64) {
	if h.count == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.count += n
	h.sum += float64(n) * float64(d)
	h.squares += float64(n) * float64(d) * float64(d)
	h.buckets[histogramLayout.Of(min(max(int64(d), 0), histogramHighest))] += n
}

// Merge adds all durations of another histogram.
func (h *Histogram) Merge(other *Histogram) {
	if other.count == 0 {
		return
	}
	first, last := other.span()
	for i, n := range other.buckets[first : last+1] {
		h.buckets[first+i] += n
	}
	if h.count == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.count += other.count
	h.sum += other.sum
	h.squares += other.squares
}

// span returns the first and the last bucket that can hold anything, which keeps
// Merge and Reset of a narrow distribution cheap.
func (h *Histogram) span() (first, last int) {
	within := func(d time.Duration) int { return histogramLayout.Of(min(max(int64(d), 0), histogramHighest)) }
	return within(h.min), within(h.max)
}

// Reset empties the histogram.
func (h *Histogram) Reset() {
	if h.count == 0 {
		return
	}
	first, last := h.span()
	clear(h.buckets[first : last+1])
	*h = Histogram{buckets: h.buckets}
}

// Count returns the number of recorded durations.
func (h *Histogram) Count() int64 { return h.count }

// Mean returns the exact mean; 0 if nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.count))
}

// Quantile returns the duration that a share q of all did not exceed, within 1 %;
// 0 if nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := max(int64(q*float64(h.count)+0.5), 1)
	first, last := h.span()
	for bucket := first; bucket < last; bucket++ {
		if rank -= h.buckets[bucket]; rank <= 0 {
			return min(max(histogramLayout.End(bucket), h.min), h.max) // the bucket may end beyond what was recorded
		}
	}
	return h.max
}

// Distribution is the histogram in milliseconds; nil if nothing was recorded.
func (h *Histogram) Distribution() *report.Distribution {
	if h.count == 0 {
		return nil
	}
	n := float64(h.count)
	mean := h.sum / n
	variance := max(h.squares/n-mean*mean, 0)
	return &report.Distribution{
		Count: h.count, Min: Milliseconds(h.min), Mean: min(max(mean/1e6, Milliseconds(h.min)), Milliseconds(h.max)),
		Stddev: math.Sqrt(variance) / 1e6,
		P50:    Milliseconds(h.Quantile(0.5)), P90: Milliseconds(h.Quantile(0.9)), P95: Milliseconds(h.Quantile(0.95)),
		P99: Milliseconds(h.Quantile(0.99)), P999: Milliseconds(h.Quantile(0.999)), Max: Milliseconds(h.max),
	}
}

// written is a histogram as JSON: most of its buckets are empty.
type written struct {
	Count   int64         `json:"count"`
	Sum     float64       `json:"sum"`
	Squares float64       `json:"squares"`
	Min     time.Duration `json:"min"`
	Max     time.Duration `json:"max"`
	Buckets map[int]int64 `json:"buckets"`
}

// MarshalJSON implements json.Marshaler.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	w := written{h.count, h.sum, h.squares, h.min, h.max, map[int]int64{}}
	for i, n := range h.buckets {
		if n > 0 {
			w.Buckets[i] = n
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var w written
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	read := Histogram{NewHistogram().buckets, w.Count, w.Sum, w.Squares, w.Min, w.Max}
	for i, n := range w.Buckets {
		if i < 0 || i >= len(read.buckets) {
			return fmt.Errorf("a histogram has no bucket %d", i)
		}
		read.buckets[i] = n
	}
	*h = read
	return nil
}

// Milliseconds converts a duration to the unit of the …_ms metrics.
func Milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// maxShards is how many shards a recorder has at most: more than run at once.
const maxShards = 64

// A Recorder collects durations from many workers. Each of the first maxShards
// workers records into a shard of its own, so that none waits for another;
// further ones share. The shards are merged ten times a second, when the probes
// are sampled.
type Recorder struct {
	mu     sync.Mutex
	shards []*Shard
	given  int // how often a shard was asked for
	total  *Histogram
	recent *Histogram // since the last call of Recent
	spare  *Histogram // empty
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder {
	return &Recorder{total: NewHistogram(), recent: NewHistogram(), spare: NewHistogram()}
}

// A Shard is one worker's part of a recorder.
type Shard struct {
	// mu is seldom contended: who collects only exchanges the histogram.
	mu   sync.Mutex
	hist *Histogram

	_ [128 - 2*8]byte // keeps shards from sharing cache lines
}

// Shard returns the shard for one more worker.
func (r *Recorder) Shard() *Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given++
	if len(r.shards) == maxShards {
		return r.shards[r.given%maxShards]
	}
	s := &Shard{hist: NewHistogram()}
	r.shards = append(r.shards, s)
	return s
}

// Record adds one duration.
func (s *Shard) Record(d time.Duration) {
	s.mu.Lock()
	s.hist.Record(d)
	s.mu.Unlock()
}

// recordAll adds several durations.
func (s *Shard) recordAll(ds []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		s.hist.Record(d)
	}
}

// recordTimes adds one duration n times.
func (s *Shard) recordTimes(d time.Duration, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hist.recordTimes(d, n)
}

// take exchanges what the shard holds for an empty histogram. It returns nil, and
// does not take the empty one, if the shard holds nothing.
func (s *Shard) take(empty *Histogram) (full *Histogram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hist.count == 0 {
		return nil
	}
	full, s.hist = s.hist, empty
	return full
}

// collect moves what the shards hold into the recorder's histograms; the
// caller holds the lock.
func (r *Recorder) collect() {
	for _, s := range r.shards {
		if full := s.take(r.spare); full != nil {
			r.total.Merge(full)
			r.recent.Merge(full)
			full.Reset()
			r.spare = full
		}
	}
}

// Total returns all that was recorded. Nothing may be recorded afterwards.
func (r *Recorder) Total() *Histogram {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	return r.total
}

// Recent calls f with what was recorded since the last call of Recent. F must not
// keep the histogram.
func (r *Recorder) Recent(f func(*Histogram)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	f(r.recent)
	r.recent.Reset()
}

// RecordingCost measures what recording adds to an operation: the time that a
// worker of a closed load needs for an operation that does nothing, which is one
// reading of the clock, the counters and the histogram. It returns the worse of
// one worker and of one per processor.
func RecordingCost() time.Duration {
	return max(recordingCost(1), recordingCost(runtime.GOMAXPROCS(0)))
}

// recordingCost measures it with that many workers. It takes the best of several
// rounds, and CPU time where the system counts that finely enough, because
// something else may take the processors meanwhile.
func recordingCost(workers int) time.Duration {
	const (
		rounds     = 5
		operations = 10_000 // of each worker
	)
	best := time.Duration(math.MaxInt64)
	for range rounds {
		took, seconds, err := driveNothing(Load{Workers: workers, Operations: workers * operations}, NewRecorder(), new(loadCounters))
		best = min(best, took/operations)
		if err == nil && seconds > 0 {
			best = min(best, time.Duration(seconds/float64(workers*operations)*1e9))
		}
	}
	return best
}

// driveNothing carries out a load whose operations do nothing. It returns how long that
// took, and how many seconds of CPU time, or why that cannot be read.
func driveNothing(l Load, recorder *Recorder, counters *loadCounters) (took time.Duration, seconds float64, err error) {
	gate, workers := newGate(newHelm()), newWorkers(l, recorder)
	ctx, cancel := context.WithCancel(context.Background()) // as the loads of a run have
	defer cancel()
	gate.begin(ctx, l)
	start := time.Now()
	before, errBefore := probes.OwnProcessorSeconds()
	l.drive(ctx, func(context.Context, Op) error { return nil }, workers, counters, gate, func(error) {})
	after, errAfter := probes.OwnProcessorSeconds()
	return time.Since(start), after - before, errors.Join(errBefore, errAfter)
}
