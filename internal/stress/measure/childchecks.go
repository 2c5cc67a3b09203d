package measure

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
)

// checkStopChild stops a child by way of its supervisor, which does not restart it.
func checkStopChild(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "dismissed", supervision.Spec{Strategy: supervision.OneForAll})
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	_, err = f.supervisor.StartChild(limited, supervision.Child{ID: f.ids[0], New: func() mabeam.Spec { return mabeam.Spec{Type: "member", Behaviour: &spy{}} }})
	broken.expect(errors.Is(err, mabeam.ErrAlreadyRegistered), "a second child with the same id was not refused with ErrAlreadyRegistered")
	broken.expect(f.supervisor.StopChild(limited, f.ids[1]) == nil, "a supervisor did not stop a child")
	_, err = o.system.Ref(f.ids[1])
	broken.expect(err != nil, "a child is still there after its supervisor has stopped it")
	broken.expect(f.supervisor.StopChild(limited, f.ids[1]) == nil, "to stop a child that is not there returned an error")
	o.system.KillAgent(f.ids[0])
	f.expectStarts(ctx, "a child that its supervisor has stopped was restarted, or another one was not", 2, 1, 2)
	broken.expect(len(f.supervisor.Children()) == childCount-1, "a supervisor has not forgotten a child that it has stopped")
	return f, nil
}

// checkCrashedSupervisor has the supervisors crash: the children begin new lives, and are
// supervised as before.
func checkCrashedSupervisor(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "crashed", supervision.Spec{Intensity: &supervision.Intensity{Restarts: 1}}, supervision.Permanent, supervision.Temporary)
	if err != nil {
		return nil, err
	}
	before := o.system.Telemetry().ComponentsRestarted
	broken.expect(faults.Crash(o.system, "agents") == nil, "the supervisors could not be made to crash")
	f.expectStarts(ctx, "of the children of a supervisor that crashed not all but the temporary one began new lives", 2, 1, 2)
	broken.expect(o.system.Telemetry().ComponentsRestarted-before == 1, "the telemetry does not count a supervisor that crashed and began anew, once")
	o.system.KillAgent(f.ids[2])
	f.expectStarts(ctx, "a supervisor that had crashed did not restart the child that was killed", 2, 1, 3)
	return f, nil
}

// checkStuckChild stops a child that does not heed it, after as long as it may take.
func checkStuckChild(ctx context.Context, o *fixture, broken *checker) {
	const within = 5 * time.Millisecond
	stuck := &spy{} // it has one life
	v, err := supervision.Start(ctx, o.system, supervision.Spec{ID: "patient", Children: []supervision.Child{{ID: "stuck", StopWithin: within, New: func() mabeam.Spec {
		return mabeam.Spec{Type: "stuck", Behaviour: stuck}
	}}}})
	if !broken.expect(err == nil, "a supervisor did not start") {
		return
	}
	release, ok := o.block(ctx, "stuck")
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	began := time.Now()
	err = v.StopChild(limited, "stuck")
	broken.expect(errors.Is(err, mabeam.ErrKilled) && time.Since(began) >= within, "a child that did not stop in its time was not killed, or killed before")
	_, err = o.system.Ref("stuck")
	broken.expect(err != nil && stuck.terminates.Load() == 0 && len(v.Children()) == 0, "a child that was killed is still there, or its Terminate ran")
	broken.expect(v.Stop(limited) == nil, "a supervisor did not stop")
}

// checkFailingRestarts kills a child whose next lives do not start: its supervisor tries
// again, as often as it may.
func checkFailingRestarts(ctx context.Context, o *fixture, broken *checker) {
	const succeeds = 4 // the life that does
	var lives atomic.Int64
	v, err := supervision.Start(ctx, o.system, supervision.Spec{ID: "persistent", Intensity: &supervision.Intensity{Restarts: succeeds}, Children: []supervision.Child{{ID: "late", New: func() mabeam.Spec {
		if n := lives.Add(1); n != 1 && n < succeeds {
			return mabeam.Spec{Type: "late", Behaviour: failingInit{}}
		}
		return mabeam.Spec{Type: "late", Behaviour: &spy{}}
	}}}})
	if !broken.expect(err == nil, "a supervisor did not start") {
		return
	}
	o.system.KillAgent("late")
	isThere := func() bool {
		alive := slices.ContainsFunc(v.Children(), func(c supervision.ChildInfo) bool { return c.ID == "late" && c.Alive })
		return alive && lives.Load() == succeeds && len(o.system.Registry().ByType("late")) == 1
	}
	waitWhile(ctx, func() bool { return !isThere() })
	pause(ctx)
	broken.expect(isThere(), "a supervisor did not try a child again whose start had failed, until it started")
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	broken.expect(v.Stop(limited) == nil && len(o.system.Registry().ByType("late")) == 0, "a supervisor did not stop its child")
}

// checkRestartAtLimit kills a child of a system that has no room for one more agent: that of
// a child is kept for its next life.
func checkRestartAtLimit(ctx context.Context, env *stress.Env, broken *checker) error {
	atLimit := func(o *mabeam.Options) { o.MaxAgents = childCount }
	return withSystem(ctx, env, atLimit, func(s *mabeam.System) error {
		o := &fixture{system: s}
		f, err := startSupervisedGroup(ctx, o, broken, "at-limit", supervision.Spec{})
		if err != nil {
			return broken.countError(ctx, err)
		}
		_, _, err = o.add(ctx)
		broken.expect(errors.Is(err, mabeam.ErrLimitReached), "an agent more than the limit on agents allows was not refused where children have all the room")
		s.KillAgent(f.ids[1])
		waitWhile(ctx, func() bool { return f.starts[1].Load() == 1 || f.alive() < childCount })
		f.expectStarts(ctx, "a child was not restarted once where the limit on agents leaves no room for another", 1, 2, 1)
		broken.expect(f.alive() == childCount, "a child does not live again where the limit on agents leaves no room for another")
		f.checkStop(ctx)
		return ctx.Err()
	})
}
