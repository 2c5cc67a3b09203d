// Package measure is the catalogue of measurements: what can be measured of the runtime,
// and how. Each measurement has a file that bears its name.
package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
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

// agentTypes are the types of agents that a measurement can start.
var agentTypes = []string{"demo", "complex"}

// specOf returns the spec of an agent of one of agentTypes.
func specOf(agentType string) mabeam.Spec {
	if agentType == "complex" {
		return agents.Complex(agents.ComplexOptions{})
	}
	return agents.Demo()
}

// agentTypeParam is the parameter of measurements with one type of agents.
func agentTypeParam() scenario.Param {
	return scenario.Param{Name: "agent_type", Kind: scenario.Text, Default: "demo", Choices: agentTypes, Doc: "Type of the agents."}
}

const (
	// recoveryTimeout is how long a system may take to recover.
	recoveryTimeout = 5 * time.Second
	// recoveryInterval is the time between two looks at whether it has.
	recoveryInterval = 100 * time.Microsecond
)

// ratio returns part/whole, or 0 if whole is 0.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// startAgents starts n agents for a measurement that does not measure starts.
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
