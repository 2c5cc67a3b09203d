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
)

// crashAgents is how many agents a registry lists that crashes.
const crashAgents = 40

// checkRegistryCrash compares the listings of a registry with its agents after it has
// crashed, and after some of them have ended.
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
		broken.expect(faults.Crash(system, "registry") == nil && system.Telemetry().ComponentsRestarted == 1, "registry: it could not be made to crash, or that is not counted")
		living.check(broken, system)
		for id := range living {
			if len(living) > crashAgents/2 {
				broken.expect(system.StopAgent(ctx, id) == nil, "agents: an agent did not stop")
				delete(living, id)
			}
		}
		living.check(broken, system)
		broken.expect(errors.Is(faults.Crash(system, "limits"), faults.ErrNothingToCrash), "limits: a component that holds nothing did not refuse to crash with ErrNothingToCrash")
		return nil
	})
}

// checkSystemEnd stops a system while an agent works and another does not heed it, and
// then uses it.
func checkSystemEnd(ctx context.Context, env *stress.Env, broken *checker) error {
	system, err := startSystem(ctx, env, nil)
	if err != nil {
		return err
	}
	o := &fixture{system: system}
	busy, b, err := o.add(ctx)
	if err != nil {
		stopSystem(ctx, env, system)
		return err
	}
	release, ok := o.block(ctx, busy)
	defer release()
	broken.expect(ok, "agents: an agent did not begin an action that it was told")
	limited, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	broken.expect(errors.Is(system.Stop(limited), mabeam.ErrTimeout), "agents: a system that stopped before one of its agents did did not tell with ErrTimeout")
	release()
	_, err = system.StartAgent(ctx, agents.Demo())
	broken.expect(errors.Is(err, mabeam.ErrSystemStopped), "agents: a system that has stopped did not refuse an agent with ErrSystemStopped")
	broken.expect(errors.Is(system.Bus().Publish(ctx, mabeam.Event{Type: "end"}), mabeam.ErrSystemStopped), "event_bus: a system that has stopped did not refuse an event with ErrSystemStopped")
	_, err = system.Bus().Subscribe("end", func(context.Context, mabeam.Event) {}, mabeam.SubscribeOptions{})
	broken.expect(errors.Is(err, mabeam.ErrSystemStopped), "event_bus: a system that has stopped did not refuse a subscription with ErrSystemStopped")
	broken.expect(errors.Is(system.Signal(mabeam.Signal{Type: "end"}), mabeam.ErrSystemStopped), "signals: a system that has stopped did not refuse a signal with ErrSystemStopped")
	var left int
	waitWhile(ctx, func() bool { left = system.Goroutines(); return left > 0 })
	broken.expect(left == 0 && system.Registry().Count() == 0 && b.terminates.Load() == 0, "scheduler: a system that has stopped, and killed an agent, left a goroutine or an entry behind, or ran its Terminate")
	return nil
}
