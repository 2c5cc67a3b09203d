package load

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"time"

	"mabeam-top/internal/buckets"
	"mabeam-top/internal/stress/report"
)

// A histogram has buckets for 1 ns to 1 h, each less than 1 % wide, like an
// HdrHistogram with two significant digits.
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

// Record adds one duration. A duration outside of 0 to 1 h goes to the first or
// the last bucket.
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

// span returns the first and the last bucket that can hold anything. It makes Merge
// and Reset of a narrow distribution cheap.
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

// Quantile returns the duration that a share q of all durations does not exceed,
// within 1 %; 0 if nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := max(int64(q*float64(h.count)+0.5), 1)
	first, last := h.span()
	for bucket := first; bucket < last; bucket++ {
		if rank -= h.buckets[bucket]; rank <= 0 {
			return h.upperEnd(bucket)
		}
	}
	return h.max
}

// Sum returns the exact sum of all durations, in nanoseconds.
func (h *Histogram) Sum() float64 { return h.sum }

// Buckets yields the upper end and the count of each bucket that holds anything.
func (h *Histogram) Buckets() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		if h.count == 0 {
			return
		}
		first, last := h.span()
		for i, n := range h.buckets[first : last+1] {
			if n > 0 && !yield(h.upperEnd(first+i), n) {
				return
			}
		}
	}
}

// upperEnd returns the upper end of a bucket, which can lie beyond what was
// recorded, within the range of what was.
func (h *Histogram) upperEnd(bucket int) time.Duration {
	return min(max(histogramLayout.End(bucket), h.min), h.max)
}

// Distribution returns the distribution in milliseconds; nil if nothing was
// recorded.
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

// A histogramRecord is a histogram as JSON. Most buckets are empty.
type histogramRecord struct {
	Count   int64         `json:"count"`
	Sum     float64       `json:"sum"`
	Squares float64       `json:"squares"`
	Min     time.Duration `json:"min"`
	Max     time.Duration `json:"max"`
	Buckets map[int]int64 `json:"buckets"`
}

// MarshalJSON implements json.Marshaler.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	w := histogramRecord{h.count, h.sum, h.squares, h.min, h.max, map[int]int64{}}
	for i, n := range h.buckets {
		if n > 0 {
			w.Buckets[i] = n
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var w histogramRecord
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	read := Histogram{NewHistogram().buckets, w.Count, w.Sum, w.Squares, w.Min, w.Max}
	for i, n := range w.Buckets {
		if i < 0 || i >= len(read.buckets) {
			return fmt.Errorf("read a histogram: it has no bucket %d", i)
		}
		read.buckets[i] = n
	}
	*h = read
	return nil
}

// Milliseconds converts a duration to the unit of the …_ms metrics.
func Milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }
