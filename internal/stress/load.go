package stress

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDropped marks an operation that was thrown away before it was carried
// out, for lack of room; it counts as dropped instead of failed.
var ErrDropped = errors.New("dropped")

// A Load says when operations are started. It is closed or open.
//
// In a closed load (no Stages), each of Workers starts an operation when its
// last one has ended; latency leaves out any waiting to start. In an open load
// operations are due by the clock, whatever the answers, and latency counts
// from when one was due: a stall is seen by all it delays.
type Load struct {
	// Workers is how many operations may be under way at once.
	Workers int
	// Operations bounds a closed load by their number; 0 means no bound.
	Operations int
	// For bounds a closed load by time; 0 means no bound.
	For time.Duration
	// Stages are the rates of an open load, one after the other.
	Stages []Stage

	// Metrics are what this load is for, of the metrics that probes show:
	// thresholds that have to hold in every window are watched on these while
	// it runs. None means all.
	Metrics []string
	// Recorder collects latencies. If it is nil, Drive records each operation
	// from its due time to its end; otherwise the operations record what they
	// find in it themselves.
	Recorder *Recorder
}

// An Op says which operation of a load is to be carried out.
type Op struct {
	// Worker carries it out: 0 to Workers-1.
	Worker int
	// N counts the load's operations from 0.
	N int
	// Due is when it should start: by the schedule of an open load, and as
	// soon as its worker is free in a closed one.
	Due time.Time
}

// An operation carries out one operation of a load. It is called by several
// workers at once.
type operation func(context.Context, Op) error

const (
	// lagShare is the share of the interval between operations by which the
	// generator may be late.
	lagShare = 0.1
	// lagFloor is what no machine keeps to with certainty: below it, being
	// late is in the measured latency, which counts from the due time, but
	// does not make the load another one than was asked for.
	lagFloor = time.Millisecond
	// lateShare is the share of the operations that may be late.
	lateShare = 0.01
	// spinBefore is how long before an operation is due the generator stops
	// to sleep, because sleep ends that much too late, and yields instead.
	spinBefore = 100 * time.Microsecond
	// drainFor is how long, after an open load's end, operations that were
	// due in time may still be started.
	drainFor = time.Second
)

// loadCounters are what a running load tells the probes.
type loadCounters struct {
	offered, succeeded, failed, dropped, inflight atomic.Int64
	// lag is the largest delay, in nanoseconds, by which the generator
	// started an operation too late since the probes looked last.
	lag atomic.Int64
	// late counts the operations that the generator started too late.
	late atomic.Int64
}

// schedule tells when the operations of an open load are due. It is pure:
// there is no clock in it.
type schedule struct {
	stages  []Stage
	starts  []time.Duration // of each stage
	before  []float64       // operations before each stage
	total   float64
	elapsed time.Duration
}

func newSchedule(stages []Stage) *schedule {
	s := &schedule{stages: stages}
	for i, stage := range stages {
		s.starts = append(s.starts, s.elapsed)
		s.before = append(s.before, s.total)
		s.elapsed += stage.For
		s.total += (s.initial(i) + stage.Rate) / 2 * stage.For.Seconds()
	}
	return s
}

// initial is the rate with which a stage begins.
func (s *schedule) initial(i int) float64 {
	switch {
	case !s.stages[i].Ramp:
		return s.stages[i].Rate
	case i == 0:
		return 0
	}
	return s.stages[i-1].Rate
}

// count is how many operations the whole schedule has.
func (s *schedule) count() int { return int(s.total + 1e-9) }

// due is when operation n (counted from 0) is due, and the interval to the
// next at that moment.
func (s *schedule) due(n int) (at, interval time.Duration) {
	i := len(s.stages) - 1
	for i > 0 && float64(n) < s.before[i] {
		i--
	}
	stage, first := s.stages[i], s.initial(i)
	k := float64(n) - s.before[i]
	// The rate grows evenly, so the operations so far are its integral:
	// k = first·t + (rate − first)/(2·for)·t². Solved for t in the form that
	// also holds for an even rate.
	slope := (stage.Rate - first) / stage.For.Seconds()
	root := max(first*first+2*slope*k, 0)
	t := 0.0
	if denominator := first + math.Sqrt(root); denominator > 0 {
		t = 2 * k / denominator
	}
	rate := first + slope*t
	if rate > 0 {
		interval = time.Duration(float64(time.Second) / rate)
	}
	return s.starts[i] + time.Duration(t*float64(time.Second)), interval
}

// drive carries the load out and returns when every operation it started has
// ended: at its end, or soon after ctx ends.
func (l Load) drive(ctx context.Context, op operation, shards []*Shard, counters *loadCounters, fail func(error)) {
	end := func(err error) {
		counters.inflight.Add(-1)
		switch {
		case err == nil:
			counters.succeeded.Add(1)
		case errors.Is(err, ErrDropped):
			counters.dropped.Add(1)
		default:
			counters.failed.Add(1)
			fail(err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	if len(l.Stages) > 0 {
		g := &generator{schedule: newSchedule(l.Stages), start: time.Now(), counters: counters, gate: make(chan struct{}, 1)}
		for worker := range l.Workers {
			wg.Go(func() { g.work(ctx, worker, op, shards[worker], end) })
		}
		return
	}
	var next atomic.Int64
	start := time.Now()
	for worker := range l.Workers {
		shard := shards[worker]
		wg.Go(func() {
			began := time.Now()
			for ctx.Err() == nil && (l.For == 0 || began.Sub(start) < l.For) {
				n := int(next.Add(1)) - 1
				if l.Operations > 0 && n >= l.Operations {
					return
				}
				counters.offered.Add(1)
				counters.inflight.Add(1)
				err := op(ctx, Op{Worker: worker, N: n, Due: began})
				now := time.Now()
				if interrupted(ctx, err) {
					counters.inflight.Add(-1)
					counters.offered.Add(-1) // cut off by us, so it says nothing
					return
				}
				shard.record(now.Sub(began))
				end(err)
				if err != nil {
					now = time.Now() // counting an error takes its time
				}
				// An operation begins when the one before has ended: one look
				// at the clock for both.
				began = now
			}
		})
	}
}

// interrupted says whether an operation failed because its load was stopped.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}

// A generator starts the operations of an open load. Free workers line up at
// its gate; the one inside waits until the next operation is due and then
// carries it out, while the next steps in.
type generator struct {
	schedule *schedule
	start    time.Time
	counters *loadCounters

	gate  chan struct{} // has room for the one who is inside
	ready atomic.Int64  // workers that wait at the gate
	next  int           // of who is inside
}

func (g *generator) work(ctx context.Context, worker int, op operation, shard *Shard, end func(error)) {
	for {
		free := time.Now()
		n, due, ok := g.claim(ctx, free)
		if !ok {
			return
		}
		g.counters.inflight.Add(1)
		err := op(ctx, Op{Worker: worker, N: n, Due: due})
		if interrupted(ctx, err) {
			g.counters.inflight.Add(-1)
			g.counters.offered.Add(-1)
			return
		}
		shard.record(time.Since(due))
		end(err)
	}
}

// claim waits for the next operation to be due, for a worker that has been
// free since then. It says false when there is none left, or ctx has ended.
func (g *generator) claim(ctx context.Context, free time.Time) (n int, due time.Time, ok bool) {
	g.ready.Add(1)
	g.gate <- struct{}{}
	g.ready.Add(-1)
	defer func() { <-g.gate }()
	if g.next >= g.schedule.count() {
		return 0, time.Time{}, false
	}
	n = g.next
	at, interval := g.schedule.due(n)
	due = g.start.Add(at)
	if !waitUntil(ctx, due) {
		return 0, time.Time{}, false
	}
	now := time.Now()
	if now.Sub(g.start) > g.schedule.elapsed+drainFor {
		// The system was so slow that these were never begun.
		left := int64(g.schedule.count() - g.next)
		g.next = g.schedule.count()
		g.counters.offered.Add(left)
		g.counters.dropped.Add(left)
		return 0, time.Time{}, false
	}
	g.next++
	g.counters.offered.Add(1)
	// The generator is late by itself if this worker was free in time, or if
	// others are free too; if not, the system under test kept them all.
	if free.Before(due) || g.ready.Load() > 0 {
		lag := now.Sub(due)
		// Only who is inside raises it; the probes set it back to 0.
		if int64(lag) > g.counters.lag.Load() {
			g.counters.lag.Store(int64(lag))
		}
		if lag > max(time.Duration(lagShare*float64(interval)), lagFloor) {
			g.counters.late.Add(1)
		}
	}
	return n, due, true
}

// waitUntil returns at the given time, or says false when ctx ends before. For
// the last part of the wait it yields instead of sleeping, unless the clock
// stands still meanwhile, as a coarse or synthetic one does.
func waitUntil(ctx context.Context, at time.Time) bool {
	var last time.Time
	for ctx.Err() == nil {
		now := time.Now()
		wait := at.Sub(now)
		switch {
		case wait <= 0:
			return true
		case wait > spinBefore:
			Sleep(ctx, wait-spinBefore)
		case now.Equal(last):
			Sleep(ctx, wait)
		default:
			last = now
			runtime.Gosched()
		}
	}
	return false
}

// Sleep waits, or says false when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
