package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/resources"
)

// crashAgents is how many agents a registry lists when it crashes.
const crashAgents = 40

// checkRegistryCrash compares the listings of a registry with its agents after a crash of
// the registry, and after some of the agents have ended.
func checkRegistryCrash(ctx context.Context, env *stress.Env, broken *checker) error {
	return withSystem(ctx, env, nil, func(system *mabeam.System) error {
		living := liveAgents{}
		for i := range crashAgents {
			spec := mabeam.Spec{Type: fmt.Sprintf("type %d", i%3), Behaviour: &spy{}, Capabilities: []string{fmt.Sprintf("capability %d", i%4)}}
			id, err := system.StartAgent(ctx, spec)
			if err != nil {
				return err
			}
			living[id] = spec
		}
		broken.expect(faults.Crash(system, "registry") == nil && system.Telemetry().ComponentsRestarted == 1, "registry: it could not be crashed, or the telemetry does not count its restart")
		living.check(broken, system)
		for id := range living {
			if len(living) > crashAgents/2 {
				broken.expect(system.StopAgent(ctx, id) == nil, "agents: an agent did not stop")
				delete(living, id)
			}
		}
		living.check(broken, system)
		broken.expect(errors.Is(faults.Crash(system, "limits"), faults.ErrNothingToCrash), "limits: crashing a component without state did not return ErrNothingToCrash")
		return nil
	})
}

// checkSystemEnd stops a system during an agent's action that ignores it, and then uses
// the stopped system.
func checkSystemEnd(ctx context.Context, env *stress.Env, broken *checker) error {
	system, err := startSystem(ctx, env, nil)
	if err != nil {
		return err
	}
	f := &fixture{checker: broken, system: system}
	busy, s, err := f.addSpy(ctx)
	if err != nil {
		stopSystem(ctx, env, system)
		return err
	}
	release, _ := f.block(ctx, busy)
	defer release()
	limited, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	f.expect(errors.Is(system.Stop(limited), mabeam.ErrTimeout), "agents: Stop did not return ErrTimeout although an agent did not stop")
	release()
	stopped := func(component, call string, err error) {
		f.expect(errors.Is(err, mabeam.ErrSystemStopped), component+": "+call+" of a stopped system did not return ErrSystemStopped")
	}
	_, err = system.StartAgent(ctx, agents.Demo())
	stopped("agents", "StartAgent", err)
	stopped("event_bus", "Publish", system.Bus().Publish(ctx, mabeam.Event{Type: "end"}))
	_, err = system.Bus().Subscribe("end", func(context.Context, mabeam.Event) {}, mabeam.SubscribeOptions{})
	stopped("event_bus", "Subscribe", err)
	stopped("signals", "Signal", system.Signal(mabeam.Signal{Type: "end"}))
	var left int
	resources.WaitWhile(ctx, func() bool { left = system.Goroutines(); return left > 0 })
	f.expect(left == 0 && system.Registry().Count() == 0 && s.terminates.Load() == 0, "scheduler: a stopped system left a goroutine or an entry behind, or ran Terminate of an agent that it had killed")
	return nil
}
