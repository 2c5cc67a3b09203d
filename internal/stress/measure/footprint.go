package measure

import (
	"runtime/metrics"
)

// A footprint is a reading of the memory of the process, in bytes.
type footprint struct {
	live  float64 // live heap and stacks
	inUse float64 // live, and the gaps between objects
	held  float64 // heap not returned to the operating system
	idle  float64 // of held, what is not in objects
}

// readFootprint reads the memory as liveBytes does.
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

// efficiencySince is the live share of the memory that came into use since before.
func (f footprint) efficiencySince(before footprint) float64 {
	return (f.live - before.live) / (f.inUse - before.inUse)
}

// cleanupSince is the share of the growth from before to most that is gone.
func (f footprint) cleanupSince(before, most footprint) float64 {
	return (most.live - f.live) / (most.live - before.live)
}

// fragmentation is the share of the held heap that is not in use.
func (f footprint) fragmentation() float64 { return f.idle / f.held }
