package mabeam

import "mabeam-top/internal/runtime/internal/metric"

// A Histogram is a distribution of durations.
type Histogram = metric.Histogram

// A Bucket is a bucket of a Histogram.
type Bucket = metric.Bucket
