// Package reference measures how fast this machine is right now.
//
// An absolute baseline cannot say whether a build is slow: the same build runs
// two or three times slower when other processes use the machine, on an older
// processor, or on a virtual machine that is throttled. So a run measures
// reference works in the same process, before each repetition, and a metric of
// speed or memory can be compared with them: "one Execute costs at most so many
// hand-overs".
//
// The works are the operations that an agent runtime is built from: it
// allocates small objects, hands values from one goroutine to one or several
// others, starts goroutines, finds and replaces entries in tables that are
// locked, copies memory, waits for timers and computes. They use the standard
// library only and share no code with the runtime under test, so a defect in the
// runtime cannot slow down what the runtime is compared with.
//
// A round takes about 12 ms, and its figures describe that time only. A process
// that starts to use a processor later slows down the repetition and not the
// round before it, and a single ratio of a repetition and the round before it
// varies about as much as the repetition alone. Compare medians: Median of
// many rounds with the median of the repetitions in between.
//
// The works do not see how much of the processors other processes take for
// longer than a batch: where ten threads compete for each processor, a
// repetition is interrupted for most of the time, and a batch of a quarter of a
// millisecond is not. They also do not see the cost of collecting the heap (the
// fastest batch of Allocation contains no collection), how work scales with
// processors, the network, or disks.
package reference

import (
	"slices"
	"sync"
	"time"
)

// A Work is the name of a reference work.
type Work string

// The reference works.
const (
	Allocation     Work = "allocation"
	HandOver       Work = "hand_over"
	GoroutineStart Work = "goroutine_start"
	FanOut         Work = "fan_out"
	MapLock        Work = "map_lock"
	Bandwidth      Work = "bandwidth"
	Timer          Work = "timer"
	Computation    Work = "computation"
	EntryMemory    Work = "entry_bytes"
	MapLookup      Work = "map_lookup"
	GroupStart     Work = "group_start"
)

// A Description says what a work does and in what unit its figure is.
type Description struct {
	Work Work
	Unit string
	Doc  string
}

// Works returns the description of each work in a fixed order.
func Works() []Description {
	described := make([]Description, 0, len(workloads)+3)
	for _, w := range workloads {
		described = append(described, w.Description)
	}
	return append(described, entryDescription, lookupDescription, groupDescription)
}

// Figures holds a figure for each work that was measured, in the unit of its
// Description. Lower is better for all of them.
type Figures map[Work]float64

// batches is how often a round carries out each work. The batches of a work are
// spread over the round, so a short disturbance hits only some of them.
const batches = 5

// measuring serializes rounds: concurrent rounds would measure each other.
var measuring sync.Mutex

// Measure measures every work once and returns the figures, except EntryMemory, and
// MapLookup and GroupStart: whoever compares something with these two measures them. It
// takes about 12 ms on an idle machine. Call it after a collection: then the allocator
// reuses memory, and no collection runs at the same time.
//
// It allocates about 0.5 MB of garbage. The first call also allocates a table of
// about 1 MB that stays for the life of the process. Concurrent calls take turns.
func Measure() Figures {
	measuring.Lock()
	defer measuring.Unlock()
	samples := measure(batches)
	figures := make(Figures, len(workloads))
	for _, w := range workloads {
		figures[w.Work] = w.fold(samples[w.Work])
	}
	return figures
}

// measure carries out n batches of each work and returns the figure of each
// batch.
func measure(n int) map[Work][]float64 {
	prepare()
	samples := make(map[Work][]float64, len(workloads))
	for range n {
		for _, w := range workloads {
			samples[w.Work] = append(samples[w.Work], w.figure(w.size))
		}
	}
	return samples
}

// Median returns the median of each work over the rounds that measured it.
func Median(rounds []Figures) Figures {
	samples := make(map[Work][]float64)
	for _, figures := range rounds {
		for work, figure := range figures {
			samples[work] = append(samples[work], figure)
		}
	}
	medians := make(Figures, len(samples))
	for work, sample := range samples {
		medians[work] = median(sample)
	}
	return medians
}

// median returns the median of a sample that is not empty, and sorts it.
func median(sample []float64) float64 {
	slices.Sort(sample)
	middle := len(sample) / 2
	if len(sample)%2 == 1 {
		return sample[middle]
	}
	return (sample[middle-1] + sample[middle]) / 2
}

// trimmedMean returns the mean of a sample of at least two without its largest
// value. Of the statistics that were tried on a machine whose processors are
// shared with others (minimum, quartile, median, means), it followed the speed
// of the runtime best: the slowest batch is often one that was preempted, while
// the minimum does not notice that the machine is busy.
func trimmedMean(sample []float64) float64 {
	var sum float64
	for _, v := range sample {
		sum += v
	}
	return (sum - slices.Max(sample)) / float64(len(sample)-1)
}

// A workload carries out a work.
type workload struct {
	Description
	// size is the number of units in a batch.
	size int
	// run carries out n units and returns how long they took.
	run func(n int) time.Duration
	// fold makes one figure of those of a round's batches.
	fold func(sample []float64) float64
}

// figure returns the nanoseconds per unit of a batch of n units.
func (w workload) figure(n int) float64 {
	return float64(w.run(n)) / float64(n)
}
