// Package buckets lays durations out in buckets, as an HdrHistogram does.
package buckets

import (
	"math/bits"
	"time"
)

// A Layout says how wide buckets are. Durations below 2^Layout ns have a bucket each; above,
// each power of two is divided into 2^(Layout-1) buckets, so that none is wider than a share of
// 2^(1-Layout) of where it begins.
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
