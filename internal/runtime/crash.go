package mabeam

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNothingToCrash tells that a component holds nothing that a crash could
// cost.
var ErrNothingToCrash = errors.New("nothing to crash")

// ComponentData is the data of component.restarted.
type ComponentData struct {
	// Component is the name of the component, as Startup tells it.
	Component string
	// SupervisorID is the supervisor that crashed, if it was one.
	SupervisorID string
}

// CrashComponent makes a component of the running system crash, as a panic in
// it would, to see what that costs those who use it. The system begins it anew
// at once, however often that happens: without it there would be no system. What
// is lost is what only the component held.
//
// The registry loses its indices and makes them anew from the table of records,
// which outlives it: changes and listings wait meanwhile, lookups do not. The
// event_bus loses the events that subscribers have not taken up yet, which count
// as dropped, and the history; the subscriptions stay. The agents component is
// the supervisors: their children are killed, and all but the temporary ones
// begin new lives; each supervisor that begins anew counts as one restart, and
// none of these counts against how often it may restart its children.
// CrashComponent returns before they all live again.
//
// ErrNothingToCrash tells that the component is another one, or that there is no
// supervisor.
func (s *System) CrashComponent(name string) error {
	if s.stopping.Load() {
		return fmt.Errorf("crash component %q: %w", name, ErrSystemStopped)
	}
	for _, g := range s.groups() {
		i := slices.IndexFunc(g.parts, func(c component) bool { return c.name == name })
		if i < 0 {
			continue
		}
		crash := g.parts[i].crash
		if crash == nil {
			return fmt.Errorf("crash component %q: %w", name, ErrNothingToCrash)
		}
		if err := crash(); err != nil {
			return fmt.Errorf("crash component %q: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("crash component %q: there is no such component", name)
}

// ComponentRestarted counts and tells that a component has crashed and begun anew.
func (s *System) ComponentRestarted(c ComponentData) {
	s.componentsRestarted.add(1)
	s.Announce(EventComponentRestarted, c.SupervisorID, c)
}

// A Crasher is a service that can crash and begin anew.
type Crasher interface{ Crash() error }

// crashServices has all services crash that can.
func (s *System) crashServices() error {
	err := fmt.Errorf("no supervisor: %w", ErrNothingToCrash)
	for _, v := range s.Services() {
		if c, ok := v.(Crasher); ok {
			err = c.Crash()
		}
	}
	return err
}
