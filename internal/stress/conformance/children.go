package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// startSupervisor starts a supervisor with one child. It returns false, and counts a
// violation, if that fails.
func (f *fixture) startSupervisor(ctx context.Context, spec supervision.Spec, child supervision.Child) (*supervision.Supervisor, bool) {
	spec.Children = []supervision.Child{child}
	s, err := supervision.Start(ctx, f.system, spec)
	return s, f.Expect(err == nil, "a supervisor did not start")
}

// checkStuckChild stops a child that ignores it. The supervisor must kill it after the
// time that it may take.
func (f *fixture) checkStuckChild(ctx context.Context) {
	const within = 5 * time.Millisecond
	stuck := &spy{} // it starts once
	supervisor, ok := f.startSupervisor(ctx, supervision.Spec{ID: "stuck-supervisor"}, supervision.Child{ID: "stuck", StopWithin: within, New: func() mabeam.Spec {
		return mabeam.Spec{Type: "stuck", Behaviour: stuck}
	}})
	if !ok {
		return
	}
	release, _ := f.block(ctx, "stuck")
	defer release()
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	began := time.Now()
	err := supervisor.StopChild(limited, "stuck")
	f.Expect(errors.Is(err, mabeam.ErrKilled) && time.Since(began) >= within, "a child that ignored its stop was not killed after StopWithin")
	_, err = f.system.Ref("stuck")
	f.Expect(err != nil && stuck.terminates.Load() == 0 && len(supervisor.Children()) == 0, "a killed child is still found, or its Terminate ran")
	f.Expect(supervisor.Stop(limited) == nil, "a supervisor did not stop")
}

// checkFailingRestarts kills a child whose next starts fail. The supervisor must retry up
// to its restart intensity.
func (f *fixture) checkFailingRestarts(ctx context.Context) {
	const succeeds = 4 // the start that succeeds again
	var starts atomic.Int64
	supervisor, ok := f.startSupervisor(ctx, supervision.Spec{ID: "retrying", Intensity: &supervision.Intensity{Restarts: succeeds}}, supervision.Child{ID: "late", New: func() mabeam.Spec {
		if n := starts.Add(1); n != 1 && n < succeeds {
			return mabeam.Spec{Type: "late", Behaviour: &failingInit{}}
		}
		return mabeam.Spec{Type: "late", Behaviour: &spy{}}
	}})
	if !ok {
		return
	}
	f.system.KillAgent("late")
	isAlive := func() bool {
		alive := slices.ContainsFunc(supervisor.Children(), func(c supervision.ChildInfo) bool { return c.ID == "late" && c.Alive })
		return alive && starts.Load() == succeeds && len(f.system.Registry().ByType("late")) == 1
	}
	resources.WaitWhile(ctx, func() bool { return !isAlive() })
	Pause(ctx)
	f.Expect(isAlive(), "a supervisor did not retry the failing start of a child until it succeeded")
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	f.Expect(supervisor.Stop(limited) == nil && len(f.system.Registry().ByType("late")) == 0, "a supervisor did not stop its child")
}

// checkWindow kills a child after earlier restarts have expired, and then once more than
// allowed shortly before the next ones expire.
func (f *fixture) checkWindow(ctx context.Context) {
	const limit = 2
	// If the machine stalls for as long as the window, the check is undecided.
	for within := 50 * time.Millisecond; within < time.Second; within *= 4 {
		g, err := startSupervisedGroup(ctx, f, fmt.Sprint("window-", within), supervision.Spec{Intensity: &supervision.Intensity{Restarts: limit, Within: within}})
		if err != nil {
			f.Add(1, err.Error())
			return
		}
		kill := func() {
			starts := g.starts[1].Load()
			g.kill(1)
			resources.WaitWhile(ctx, func() bool { return (g.starts[1].Load() == starts || g.alive() < childCount) && !g.hasGivenUp() })
		}
		for range limit {
			kill()
		}
		load.Sleep(ctx, within+time.Millisecond)
		began := time.Now()
		for range limit {
			kill()
		}
		early := g.hasGivenUp()
		load.Sleep(ctx, within*7/10-time.Since(began))
		kill()
		decided := g.hasGivenUp() || time.Since(began) < within
		if ctx.Err() != nil { // the waits ended early
			f.Add(1, timeoutDetail)
			return
		}
		f.Expect(!early, "a supervisor gave up because of restarts outside its time window")
		f.Expect(g.hasGivenUp() || !decided, "a supervisor did not count all restarts within its time window")
		g.checkStop(ctx)
		if decided {
			return
		}
	}
	f.recorder.Inconclusive("the machine stalls for so long that the time window of supervisors cannot be checked")
}

// checkRestartAtLimit kills a child of a system at its agent limit, which must keep the
// place of a child for its restart.
func checkRestartAtLimit(ctx context.Context, options mabeam.Options, violations *Checker) error {
	atLimit := func(o *mabeam.Options) { o.MaxAgents = childCount }
	return WithSystem(ctx, violations.recorder, options, atLimit, func(s *mabeam.System) error {
		f := &fixture{Checker: violations, system: s}
		g, err := startSupervisedGroup(ctx, f, "at-limit", supervision.Spec{})
		if err != nil {
			return f.CountError(ctx, err)
		}
		_, _, err = f.addSpy(ctx)
		f.Expect(errors.Is(err, mabeam.ErrLimitReached), "an agent above the limit was not refused while children filled it")
		g.kill(1)
		resources.WaitWhile(ctx, func() bool { return g.starts[1].Load() == 1 || g.alive() < childCount })
		g.expectStarts(ctx, "a killed child was not restarted once at the agent limit", 1, 2, 1)
		g.Expect(g.alive() == childCount, "a restarted child is not alive at the agent limit")
		g.checkStop(ctx)
		return ctx.Err()
	})
}
