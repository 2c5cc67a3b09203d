package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"mabeam-top/internal/stress/report"
)

// The range and precision of a histogram: from a nanosecond to an hour, in
// buckets of which each is at most 1 % wide. Mean, standard deviation, minimum
// and maximum are kept apart and exact.
const (
	histogramLowest  = int64(time.Nanosecond)
	histogramHighest = int64(time.Hour)
	histogramDigits  = 2
)

// A Histogram is a distribution of durations. It is not safe for several
// goroutines.
type Histogram struct {
	buckets  *hdrhistogram.Histogram
	count    int64
	sum      float64 // ns
	squares  float64 // ns²
	min, max time.Duration
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return &Histogram{buckets: hdrhistogram.New(histogramLowest, histogramHighest, histogramDigits)}
}

// Record adds one duration. One that is out of the histogram's range counts as
// the end of the range that it is beyond, but for minimum, maximum and mean.
func (h *Histogram) Record(d time.Duration) {
	if h.count == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.count++
	h.sum += float64(d)
	h.squares += float64(d) * float64(d)
	// The value is within the range, so this cannot fail.
	_ = h.buckets.RecordValue(min(max(int64(d), histogramLowest), histogramHighest))
}

// Merge adds all that another histogram holds.
func (h *Histogram) Merge(other *Histogram) {
	if other.count == 0 {
		return
	}
	if h.count == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.count += other.count
	h.sum += other.sum
	h.squares += other.squares
	h.buckets.Merge(other.buckets) // of the same range, so nothing is dropped
}

// Reset empties the histogram.
func (h *Histogram) Reset() {
	if h.count == 0 {
		return
	}
	buckets := h.buckets
	buckets.Reset()
	*h = Histogram{buckets: buckets}
}

// Count is how many durations were recorded.
func (h *Histogram) Count() int64 { return h.count }

// Mean is the exact mean; 0 if nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.count))
}

// Quantile is the duration that a share q of all did not exceed, within 1 %.
func (h *Histogram) Quantile(q float64) time.Duration {
	d := time.Duration(h.buckets.ValueAtQuantile(q * 100))
	return min(max(d, h.min), h.max) // a bucket may reach beyond what was seen
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
	for i, n := range h.buckets.Export().Counts {
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
	snapshot := NewHistogram().buckets.Export()
	for i, n := range w.Buckets {
		if i < 0 || i >= len(snapshot.Counts) {
			return fmt.Errorf("a histogram has no bucket %d", i)
		}
		snapshot.Counts[i] = n
	}
	*h = Histogram{hdrhistogram.Import(snapshot), w.Count, w.Sum, w.Squares, w.Min, w.Max}
	return nil
}

// Milliseconds converts a duration to the unit of the …_ms metrics.
func Milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// maxShards is how many shards a recorder has at most: more than run at once.
const maxShards = 64

// A Recorder collects durations from many workers. Each of the first maxShards
// records into a shard of its own, so that no two wait for each other; further
// ones share. The shards are merged ten times a second, when the probes are
// sampled.
type Recorder struct {
	mu     sync.Mutex
	shards []*Shard
	given  int // how often a shard was asked for
	total  *Histogram
	recent *Histogram // since the last call of Recent
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder {
	return &Recorder{total: NewHistogram(), recent: NewHistogram()}
}

// A Shard is one worker's part of a recorder.
type Shard struct {
	// mu is seldom contended: taking it costs an operation a few nanoseconds.
	mu   sync.Mutex
	hist *Histogram
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

// record is Record for a load whose operations may record for themselves; then
// there is no shard.
func (s *Shard) record(d time.Duration) {
	if s != nil {
		s.Record(d)
	}
}

// collect moves what the shards hold into the recorder's histograms; the
// caller holds the lock.
func (r *Recorder) collect() {
	for _, s := range r.shards {
		s.mu.Lock()
		r.total.Merge(s.hist)
		r.recent.Merge(s.hist)
		s.hist.Reset()
		s.mu.Unlock()
	}
}

// Total returns all that was recorded. Nothing may be recorded afterwards.
func (r *Recorder) Total() *Histogram {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	return r.total
}

// Recent calls f with what was recorded since it was called last. F must not
// keep the histogram.
func (r *Recorder) Recent(f func(*Histogram)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	f(r.recent)
	r.recent.Reset()
}

// RecordingCost measures what recording an operation costs: the time of one
// that does nothing, in a load of one worker.
func RecordingCost() time.Duration {
	const n = 20_000
	var counters loadCounters
	shards := []*Shard{NewRecorder().Shard()}
	load, gate := Load{Workers: 1, Operations: n}, newGate(newHelm())
	start := time.Now()
	gate.begin(context.Background(), load)
	load.drive(context.Background(), func(context.Context, Op) error { return nil }, shards, &counters, gate, func(error) {})
	return time.Since(start) / n
}
