// Package buckets divides durations into the buckets of a histogram, as
// HdrHistogram does.
package buckets

import (
	"math/bits"
	"time"
)

// A Layout defines the widths of buckets. Each duration below 2^Layout ns has a bucket
// of its own. Each power of two above is divided into 2^(Layout-1) buckets, so that a
// bucket is never wider than 2^(1-Layout) times its start.
type Layout int

// Of returns the bucket of a duration in nanoseconds.
func (l Layout) Of(ns int64) int {
	if ns < 1<<l {
		return int(ns)
	}
	shift := bits.Len64(uint64(ns)) - int(l)
	return shift<<(l-1) + int(ns>>shift)
}

// End returns the longest duration of a bucket.
func (l Layout) End(bucket int) time.Duration {
	if bucket < 1<<l {
		return time.Duration(bucket)
	}
	shift := bucket>>(l-1) - 1
	first := int64(bucket-shift<<(l-1)) << shift
	return time.Duration(first + 1<<shift - 1)
}
