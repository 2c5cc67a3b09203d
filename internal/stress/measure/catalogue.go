// Package measure is the catalogue of measurements: what can be asked of the
// runtime, and how each answer is measured. A file holds what belongs to one
// part of the runtime.
package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
)

// Catalogue returns all measurements.
func Catalogue() stress.Catalogue {
	return stress.Catalogue{
		agentCreation(), agentAction(), agentMemory(), agentLifecycle(), systemStartup(), sandboxLifecycle(),
		agentCoordination(), systemLoad(), memoryEfficiency(),
		eventThroughput(), eventPropagation(), eventStress(), registryOperations(), registryScalability(),
		processLimit(), memoryPressure(), exhaustionRecovery(), capacity(),
	}
}

// agentTypes are the agents that a load can be made of.
var agentTypes = []string{"demo", "complex"}

// specOf describes an agent of a type in agentTypes.
func specOf(agentType string) mabeam.Spec {
	if agentType == "complex" {
		return agents.Complex(agents.ComplexOptions{})
	}
	return agents.Demo()
}

// settleTimeout is how long goroutines that were told to end may take to be
// gone before they count as leaked.
const settleTimeout = time.Second

// settle waits until there is nothing left to wait for, or settleTimeout is over.
func waitWhile(ctx context.Context, left func() bool) { stress.Settle(ctx, settleTimeout, left) }

// ratio is part/whole; 0 of nothing.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// startAgentsOfType starts n agents of a type, for a measurement that is not about
// starting them.
func startAgentsOfType(ctx context.Context, system *mabeam.System, agentType string, n int) ([]string, error) {
	return startAgents(ctx, system, n, func() mabeam.Spec { return specOf(agentType) })
}

func startAgents(ctx context.Context, system *mabeam.System, n int, spec func() mabeam.Spec) ([]string, error) {
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
