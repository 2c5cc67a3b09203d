package conformance

import (
	"context"
	"errors"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress/resources"
)

// checkSystemEnd stops a system during an agent's action that ignores it, and then uses
// the stopped system.
func checkSystemEnd(ctx context.Context, options mabeam.Options, broken *Checker) error {
	system, err := startSystem(ctx, options, nil)
	if err != nil {
		return err
	}
	f := &fixture{Checker: broken, system: system}
	busy, s, err := f.addSpy(ctx)
	if err != nil {
		StopSystem(ctx, broken.recorder, system)
		return err
	}
	release, _ := f.block(ctx, busy)
	defer release()
	limited, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	f.Expect(errors.Is(system.Stop(limited), mabeam.ErrTimeout), "agents: Stop did not return ErrTimeout although an agent did not stop")
	release()
	stopped := func(component, call string, err error) {
		f.Expect(errors.Is(err, mabeam.ErrSystemStopped), component+": "+call+" of a stopped system did not return ErrSystemStopped")
	}
	_, err = system.StartAgent(ctx, agents.Demo())
	stopped("agents", "StartAgent", err)
	stopped("event_bus", "Publish", system.Bus().Publish(ctx, mabeam.Event{Type: "end"}))
	_, err = system.Bus().Subscribe("end", func(context.Context, mabeam.Event) {}, mabeam.SubscribeOptions{})
	stopped("event_bus", "Subscribe", err)
	stopped("signals", "Signal", system.Signal(mabeam.Signal{Type: "end"}))
	var left int
	resources.WaitWhile(ctx, func() bool { left = system.Goroutines(); return left > 0 })
	f.Expect(left == 0 && system.Registry().Count() == 0 && s.terminates.Load() == 0, "scheduler: a stopped system left a goroutine or an entry behind, or ran Terminate of an agent that it had killed")
	return nil
}
