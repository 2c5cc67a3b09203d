package measure

import (
	"runtime/metrics"
)

// A footprint is a reading of the process's memory, in bytes.
type footprint struct {
	live  float64 // objects on the heap, and stacks
	inUse float64 // that and the gaps between objects
	held  float64 // heap not given back to the operating system
	idle  float64 // of it, what is in no object
}

// readFootprint reads the memory after two collections, as liveBytes does.
func readFootprint() footprint {
	live := liveBytes()
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	var v [4]float64
	for i, s := range samples {
		v[i] = float64(s.Value.Uint64())
	}
	objects, unused, free, stacks := v[0], v[1], v[2], v[3]
	return footprint{
		live:  live,
		inUse: objects + unused + stacks,
		held:  objects + unused + free,
		idle:  unused + free,
	}
}

// efficiency is which share of what came into use since before is live.
func (f footprint) efficiencySince(before footprint) float64 {
	return (f.live - before.live) / (f.inUse - before.inUse)
}

// cleaned is which share of what had grown from before to most is gone.
func (f footprint) cleanupSince(before, most footprint) float64 {
	return (most.live - f.live) / (most.live - before.live)
}

// fragmentation is which share of the heap that is held is not in use.
func (f footprint) fragmentation() float64 { return f.idle / f.held }
