// Package measure is the catalogue of measurements: what can be asked of the
// runtime, and how each answer is measured. A file holds what belongs to one
// part of the runtime.
package measure

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// Catalogue returns all measurements.
func Catalogue() stress.Catalogue {
	return stress.Catalogue{
		agentCreation(), agentAction(), agentMemory(), agentLifecycle(), systemStartup(), sandboxLifecycle(),
		coordination(), systemLoad(), memoryEfficiency(),
		eventThroughput(), eventPropagation(), eventStress(), registryOperations(), registryScalability(),
		processLimit(), memoryPressure(), exhaustionRecovery(), capacity(),
	}
}

// agentTypes are the agents that a load can be made of.
var agentTypes = []string{"demo", "complex"}

// agentSpec describes an agent of a type in agentTypes.
func agentSpec(agentType string) mabeam.Spec {
	if agentType == "complex" {
		return mabeam.ComplexSpec(mabeam.ComplexOptions{})
	}
	return mabeam.DemoSpec()
}

// liveBytes is the memory in live heap objects and goroutine stacks, after two
// collections: the first may leave behind what finalizers and pools still
// held.
func liveBytes() float64 {
	runtime.GC()
	runtime.GC()
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64()) + float64(samples[1].Value.Uint64())
}

// memoryNoise is by how many bytes live memory differs between two readings
// of a process that does nothing else, at most.
const memoryNoise = 128 << 10

// settleWithin is how long goroutines that were told to end may take to be
// gone before they count as leaked.
const settleWithin = time.Second

// settle waits until there is nothing left to wait for, or settleWithin is over.
func settle(ctx context.Context, left func() bool) {
	for deadline := time.Now().Add(settleWithin); left() && time.Now().Before(deadline); {
		if !stress.Sleep(ctx, time.Millisecond) {
			return
		}
	}
}

// ratio is part/whole; 0 of nothing.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// startAgents starts n agents of a type, for a measurement that is not about
// starting them.
func startAgents(ctx context.Context, system *mabeam.System, agentType string, n int) ([]string, error) {
	return startEach(ctx, system, n, func() mabeam.Spec { return agentSpec(agentType) })
}

func startEach(ctx context.Context, system *mabeam.System, n int, spec func() mabeam.Spec) ([]string, error) {
	ids := make([]string, n)
	for i := range ids {
		id, err := system.StartAgent(ctx, spec())
		if err != nil {
			return nil, fmt.Errorf("start agent %d of %d: %w", i+1, n, err)
		}
		ids[i] = id
	}
	return ids, nil
}

// stableGrowth is the growth rate below which memory counts as stable.
const stableGrowth = 0.1
