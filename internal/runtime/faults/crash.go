// Package faults makes components of a running system fail, so that tests and stress
// scenarios see what that costs those who use it.
package faults

import (
	"errors"
	"fmt"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/internal/crash"
)

// ErrNothingToCrash says that a component holds nothing that a crash would lose.
var ErrNothingToCrash = errors.New("nothing to crash")

// EventComponentRestarted is the type of the event that is published when a component has
// crashed and begun anew. Its data is a ComponentData.
const EventComponentRestarted = "component.restarted"

// ComponentData is the data of an EventComponentRestarted.
type ComponentData struct {
	// Component is the component's name, as in System.Startup.
	Component string
	// SupervisorID is the id of the supervisor that crashed; empty for other components.
	SupervisorID string
}

// Crash makes a component crash, as a panic in it would. The system begins the component
// anew at once, however often it crashes, counts that in Telemetry.ComponentsRestarted, and
// publishes EventComponentRestarted. What is lost is what only the component held:
//
//   - registry: its indices, which are rebuilt from the table of records. Changes and
//     listings wait meanwhile; lookups do not.
//   - event_bus: the history, and the events that subscribers have not taken up yet, which
//     count as dropped. The subscriptions stay.
//   - agents: the supervisors. Their children are killed, and all but the temporary ones
//     begin new lives, perhaps after Crash has returned. Each supervisor that has none
//     above it counts as one restart; none of these counts against how often it may
//     restart its children.
//
// The error wraps ErrNothingToCrash if the component is another one, or if there is no
// supervisor, and mabeam.ErrSystemStopped if the system stops or has stopped. A component
// that does not exist is an error too.
func Crash(system *mabeam.System, component string) error {
	if err := crashNamed(system, component); err != nil {
		return fmt.Errorf("crash component %q: %w", component, err)
	}
	return nil
}

func crashNamed(system *mabeam.System, component string) error {
	if system.Running().Err() != nil {
		return mabeam.ErrSystemStopped
	}
	all := crash.Components(system)
	i := slices.IndexFunc(all, func(c crash.Component) bool { return c.Name == component })
	if i < 0 {
		return errors.New("no such component")
	}
	restarted := func(supervisorID string) {
		system.Announce(EventComponentRestarted, supervisorID, ComponentData{Component: component, SupervisorID: supervisorID})
	}
	if all[i].Crash == nil || !all[i].Crash(restarted) {
		return ErrNothingToCrash
	}
	return nil
}
