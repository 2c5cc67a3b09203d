package load

import (
	"sync"
	"time"
)

// maxShards is how many shards a recorder has at most: more than run at once.
const maxShards = 64

// A Recorder collects durations from many workers. Each of the first maxShards
// workers records into its own shard, so that no worker waits for another; further
// workers share shards. The shards are merged ten times a second, when the probes
// are sampled.
type Recorder struct {
	mu     sync.Mutex
	shards []*Shard
	given  int // shards handed out
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
	// mu is seldom contended: collect only exchanges the histogram.
	mu   sync.Mutex
	hist *Histogram

	_ [128 - 2*8]byte // keeps shards from sharing cache lines
}

// Shard returns the shard for another worker.
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

// take replaces the shard's histogram by an empty one and returns it. If it is
// empty, take returns nil and leaves it where it is.
func (s *Shard) take(empty *Histogram) (full *Histogram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hist.count == 0 {
		return nil
	}
	full, s.hist = s.hist, empty
	return full
}

// collect moves the contents of the shards into the recorder's histograms; the
// lock is held.
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

// Total returns everything that was recorded. Nothing may be recorded afterwards.
func (r *Recorder) Total() *Histogram {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	return r.total
}

// Recent calls f with what was recorded since the previous call of Recent. F must
// not keep the histogram.
func (r *Recorder) Recent(f func(*Histogram)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collect()
	f(r.recent)
	r.recent.Reset()
}
