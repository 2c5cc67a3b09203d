package mabeam

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"mabeam-top/internal/buckets"
)

// A Histogram is a distribution of durations. Count, sum, minimum and maximum are exact;
// quantiles are within 3.2 %. All have the same limits of buckets, so that those of several
// types, systems or nodes can be merged. The zero value is empty.
type Histogram struct {
	Count    int64
	Sum      time.Duration
	Min, Max time.Duration // 0 if it is empty
	// Buckets are those that have anything in them, in the order of their limits.
	Buckets []Bucket
}

// A Bucket counts the durations up to UpTo that are above the limit of the bucket before.
type Bucket struct {
	UpTo  time.Duration
	Count int64
}

// Mean returns the mean; 0 if the histogram is empty.
func (h Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Quantile returns the duration that a share q, from 0 to 1, of all did not exceed; 0 if the
// histogram is empty.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := max(int64(math.Ceil(q*float64(h.Count))), 1)
	for _, b := range h.Buckets {
		if rank -= b.Count; rank <= 0 {
			return min(max(b.UpTo, h.Min), h.Max) // the bucket may end beyond what was recorded
		}
	}
	return h.Max
}

// Merge returns the distribution of what is in either histogram.
func (h Histogram) Merge(other Histogram) Histogram {
	switch {
	case h.Count == 0:
		return other
	case other.Count == 0:
		return h
	}
	all := slices.Concat(h.Buckets, other.Buckets)
	slices.SortFunc(all, func(x, y Bucket) int { return cmp.Compare(x.UpTo, y.UpTo) })
	merged := all[:1]
	for _, b := range all[1:] {
		if last := &merged[len(merged)-1]; last.UpTo == b.UpTo {
			last.Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	return Histogram{
		Count: h.Count + other.Count, Sum: h.Sum + other.Sum,
		Min: min(h.Min, other.Min), Max: max(h.Max, other.Max), Buckets: merged,
	}
}

const (
	// recorded is the layout of all distributions.
	recorded buckets.Layout = 6
	// longestRecorded is the last bucket's: what is longer is in that too.
	longestRecorded = int64(time.Hour)
	// recordedBuckets is the number of buckets up to that: 10 KB of them.
	recordedBuckets = 1205
)

// A distribution is a histogram that many goroutines add to.
type distribution struct {
	buckets  [recordedBuckets]atomic.Int64
	sum      atomic.Int64
	min, max atomic.Int64 // min is one more than it is, so that 0 is none
}

// record adds a duration; one below 0 counts as 0.
func (d *distribution) record(took time.Duration) {
	ns := max(int64(took), 0)
	d.buckets[recorded.Of(min(ns, longestRecorded))].Add(1)
	d.sum.Add(ns)
	for seen := d.max.Load(); ns > seen && !d.max.CompareAndSwap(seen, ns); {
		seen = d.max.Load()
	}
	for seen := d.min.Load(); (seen == 0 || ns+1 < seen) && !d.min.CompareAndSwap(seen, ns+1); {
		seen = d.min.Load()
	}
}

// read returns the histogram. What is recorded meanwhile may be in a part of it.
func (d *distribution) read() (h Histogram) {
	for i := range d.buckets {
		if n := d.buckets[i].Load(); n > 0 {
			h.Count += n
			h.Buckets = append(h.Buckets, Bucket{UpTo: recorded.End(i), Count: n})
		}
	}
	h.Sum, h.Max = time.Duration(d.sum.Load()), time.Duration(d.max.Load())
	h.Min = time.Duration(max(d.min.Load()-1, 0))
	return h
}
