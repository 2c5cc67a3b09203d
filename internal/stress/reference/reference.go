// Package reference measures how fast this machine is right now.
//
// An absolute baseline cannot tell whether a build is slow: the same build runs
// two or three times slower when other programs use the machine, on an older
// CPU, or on a throttled virtual machine. Therefore a run measures reference
// workloads in the same process, before each repetition, and compares metrics of
// speed and memory with them: "an action costs at most four hand-overs".
//
// The reference workloads are the operations that an agent runtime is built
// from: it allocates small objects, hands values from one goroutine to one or
// more others, starts goroutines, finds and replaces entries in locked tables,
// copies memory, waits for timers and computes. They use only the standard
// library and share no code with the runtime under test, so a defect in the
// runtime cannot slow them down.
//
// A round takes about 12 ms, and its figures describe only that time. A program
// that starts later slows down the repetition and not the round before it, and
// the ratio of one repetition to the round before it varies about as much as the
// repetition alone. Therefore compare medians: Median of many rounds with the
// median of the repetitions between them.
//
// The workloads do not notice other programs that use a CPU for longer than a
// batch: if ten threads compete for each CPU, a repetition is interrupted most of
// the time, but a batch of a quarter of a millisecond is not. They also do not
// measure garbage collection (the fastest batch of Allocation has none), how work
// scales with CPUs, the network, or disks.
package reference

import (
	"slices"
	"sync"
	"time"
)

// A Workload is the name of a reference workload.
type Workload string

// The reference workloads.
const (
	Allocation     Workload = "allocation"
	HandOver       Workload = "hand_over"
	GoroutineStart Workload = "goroutine_start"
	FanOut         Workload = "fan_out"
	MapLock        Workload = "map_lock"
	Bandwidth      Workload = "bandwidth"
	Timer          Workload = "timer"
	Computation    Workload = "computation"
	EntryMemory    Workload = "entry_bytes"
	MapLookup      Workload = "map_lookup"
	GroupStart     Workload = "group_start"
)

// A Description says what a workload does and in what unit its figure is.
type Description struct {
	Workload Workload
	Unit     string
	Doc      string
}

// Workloads returns the descriptions of all workloads in a fixed order.
func Workloads() []Description {
	described := make([]Description, 0, len(workloads)+3)
	for _, w := range workloads {
		described = append(described, w.Description)
	}
	return append(described, entryDescription, lookupDescription, groupDescription)
}

// Figures holds a figure for each measured workload, in the unit of its Description.
// Lower is better for all of them.
type Figures map[Workload]float64

// batches is the number of batches of each workload in a round. They are spread over
// the round, so a short disturbance affects only some of them.
const batches = 5

// measuring serializes rounds: concurrent rounds would measure each other.
var measuring sync.Mutex

// Measure measures every workload once and returns the figures, except EntryMemory, and
// MapLookup and GroupStart, which the measurements that use them carry out themselves.
// It takes about 12 ms on an idle machine. Call it after a garbage collection: then the
// allocator reuses memory, and no collection runs at the same time.
//
// It allocates about 0.5 MB of garbage. The first call also allocates a table of
// about 1 MB that stays for the life of the process. Concurrent calls take turns.
func Measure() Figures {
	measuring.Lock()
	defer measuring.Unlock()
	samples := measure(batches)
	figures := make(Figures, len(workloads))
	for _, w := range workloads {
		figures[w.Workload] = w.fold(samples[w.Workload])
	}
	return figures
}

// measure runs n batches of each workload and returns the figure of each batch.
func measure(n int) map[Workload][]float64 {
	prepare()
	samples := make(map[Workload][]float64, len(workloads))
	for range n {
		for _, w := range workloads {
			samples[w.Workload] = append(samples[w.Workload], w.figure(w.size))
		}
	}
	return samples
}

// Median returns the median of each workload over the rounds that measured it.
func Median(rounds []Figures) Figures {
	samples := make(map[Workload][]float64)
	for _, figures := range rounds {
		for workload, figure := range figures {
			samples[workload] = append(samples[workload], figure)
		}
	}
	medians := make(Figures, len(samples))
	for workload, sample := range samples {
		medians[workload] = median(sample)
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

// trimmedMean returns the mean of a sample of at least two values without the largest.
// Of the statistics that were tried on a machine with shared CPUs (minimum, quartile,
// median, means), it followed the speed of the runtime best: the slowest batch was often
// preempted, and the minimum does not notice that the machine is busy.
func trimmedMean(sample []float64) float64 {
	var sum float64
	for _, v := range sample {
		sum += v
	}
	return (sum - slices.Max(sample)) / float64(len(sample)-1)
}

// A timedWorkload is a workload that a round measures.
type timedWorkload struct {
	Description
	// size is the number of units in a batch.
	size int
	// run runs n units and returns how long they took.
	run func(n int) time.Duration
	// fold combines the figures of the batches of a round.
	fold func(sample []float64) float64
}

// figure returns the nanoseconds per unit of a batch of n units.
func (w timedWorkload) figure(n int) float64 {
	return float64(w.run(n)) / float64(n)
}
