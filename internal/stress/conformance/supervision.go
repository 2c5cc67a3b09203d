package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress/resources"
)

// childCount is how many children a supervised group has.
const childCount = 3

// A supervisedGroup is a supervisor with three spies as children, which counts how often
// each of them starts.
type supervisedGroup struct {
	*fixture
	supervisor *supervision.Supervisor
	ids        [childCount]string
	starts     [childCount]atomic.Int64

	mu       sync.Mutex
	stopping []int // the children whose Terminate ran, in that order
}

// A supervisedSpy is a child of a supervisedGroup.
type supervisedSpy struct {
	spy
	group *supervisedGroup
	place int
}

func (s *supervisedSpy) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	s.group.mu.Lock()
	s.group.stopping = append(s.group.stopping, s.place)
	s.group.mu.Unlock()
	s.spy.Terminate(ctx, self, reason)
}

// HandleAction adds the action stop, which ends the agent normally, to those of a spy.
func (s *supervisedSpy) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "stop" {
		self.Stop()
		return nil, nil
	}
	return s.spy.HandleAction(ctx, self, action, params)
}

// startSupervisedGroup starts a supervisor whose children have the given restart policies.
func startSupervisedGroup(ctx context.Context, f *fixture, name string, spec supervision.Spec, restart ...supervision.RestartPolicy) (*supervisedGroup, error) {
	g := &supervisedGroup{fixture: f}
	spec.ID = name
	for i := range childCount {
		g.ids[i] = fmt.Sprintf("%s-%c", name, 'a'+i)
		child := supervision.Child{ID: g.ids[i], New: func() mabeam.Spec {
			g.starts[i].Add(1)
			return mabeam.Spec{Type: "member", Behaviour: &supervisedSpy{group: g, place: i}, Capabilities: []string{"member"}}
		}}
		if i < len(restart) {
			child.Restart = restart[i]
		}
		spec.Children = append(spec.Children, child)
	}
	var err error
	g.supervisor, err = supervision.Start(ctx, f.system, spec)
	return g, err
}

// kill kills the child at a place.
func (g *supervisedGroup) kill(place int) { g.system.KillAgent(g.ids[place]) }

// expectStarts waits until the children have started as often as wanted and are alive,
// and checks that it stays so.
func (g *supervisedGroup) expectStarts(ctx context.Context, violation string, want ...int64) {
	resources.WaitWhile(ctx, func() bool { return !g.hasStarted(want) })
	Pause(ctx)
	g.Expect(g.hasStarted(want), violation)
}

// hasStarted reports whether the children have started as often as wanted, and the live
// ones are registered as they were first.
func (g *supervisedGroup) hasStarted(want []int64) bool {
	children := g.supervisor.Children()
	for i, id := range g.ids {
		if g.starts[i].Load() != want[i] {
			return false
		}
		at := slices.IndexFunc(children, func(c supervision.ChildInfo) bool { return c.ID == id })
		if at < 0 || !children[at].Alive {
			continue
		}
		e, ok := g.system.Registry().Lookup(id)
		if children[at].Restarts != int(want[i]-1) || !ok || e.Type() != "member" || e.ParentID() != g.supervisor.ID() || !slices.Equal(e.Capabilities(), []string{"member"}) {
			return false
		}
	}
	return true
}

// alive is how many children are alive.
func (g *supervisedGroup) alive() (n int) {
	for _, c := range g.supervisor.Children() {
		if c.Alive {
			n++
		}
	}
	return n
}

// expectForgotten checks that the supervisor has forgotten one child.
func (g *supervisedGroup) expectForgotten(violation string) {
	g.Expect(len(g.supervisor.Children()) == childCount-1, violation)
}

// hasGivenUp reports whether the supervisor has ended.
func (g *supervisedGroup) hasGivenUp() bool {
	select {
	case <-g.supervisor.Done():
		return true
	default:
		return false
	}
}

// checkStop stops the supervisor, which must stop its live children, the newest first.
func (g *supervisedGroup) checkStop(ctx context.Context) {
	g.mu.Lock()
	g.stopping = nil
	g.mu.Unlock()
	living := g.alive()
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	g.Expect(g.supervisor.Stop(limited) == nil, "a supervisor did not stop")
	g.mu.Lock()
	order := slices.Clone(g.stopping)
	g.mu.Unlock()
	g.Expect(len(order) == living && slices.IsSortedFunc(order, func(a, b int) int { return b - a }), "a stopping supervisor did not stop each child once, the newest first")
	g.expectNoChild("a child outlived its supervisor")
}

// expectNoChild checks that no child is left.
func (g *supervisedGroup) expectNoChild(violation string) {
	for _, id := range g.ids {
		_, err := g.system.Ref(id)
		g.Expect(err != nil, violation)
	}
}

// timeoutDetail is the violation of a system that is too slow for all checks.
var timeoutDetail = fmt.Sprintf("the checks did not finish within %v", fixtureTimeout)

// CheckSupervision checks the documented rules of supervision, and reports
// supervision_rules_broken.
func CheckSupervision(ctx context.Context, r Recorder, options mabeam.Options) error {
	violations := NewChecker(r, "supervision_rules_broken")
	err := withFixture(ctx, violations, 1, func(ctx context.Context, f *fixture) error {
		before := f.system.Telemetry()
		var restarts, starts int64
		for _, c := range supervisionChecks {
			g, err := startSupervisedGroup(ctx, f, c.name, c.spec, c.restart...)
			if err == nil {
				c.check(ctx, g)
			}
			if ctx.Err() != nil {
				f.Add(1, timeoutDetail)
				return nil
			}
			if err != nil {
				return err
			}
			g.checkStop(ctx)
			for i := range g.starts {
				restarts += g.starts[i].Load() - 1
				starts += g.starts[i].Load()
			}
		}
		resources.WaitWhile(ctx, func() bool { return f.system.Telemetry().AgentsRestarted-before.AgentsRestarted != restarts })
		now := f.system.Telemetry()
		f.Expect(now.AgentsRestarted-before.AgentsRestarted == restarts && now.AgentsStarted-before.AgentsStarted == starts &&
			now.AgentsStopped+now.AgentsCrashed-before.AgentsStopped-before.AgentsCrashed == starts, "the telemetry does not match the starts, ends and restarts of children")
		f.checkStuckChild(ctx)
		f.checkFailingRestarts(ctx)
		return nil
	})
	if err == nil {
		err = withFixture(ctx, violations, 1, func(ctx context.Context, f *fixture) error {
			f.checkWindow(ctx)
			return nil
		})
	}
	if err == nil {
		err = checkRestartAtLimit(ctx, options, violations)
	}
	violations.Report()
	return err
}

// maxRestarts is how many restarts the supervisor of the check intensity allows.
const maxRestarts = 3

// supervisionChecks are the checks that need one supervised group each.
var supervisionChecks = []struct {
	name    string
	spec    supervision.Spec
	restart []supervision.RestartPolicy
	check   func(context.Context, *supervisedGroup)
}{
	{name: "one-for-one", check: func(ctx context.Context, g *supervisedGroup) {
		g.kill(1)
		g.expectStarts(ctx, "one-for-one did not restart exactly the killed child", 1, 2, 1)
		_, _ = g.execute(ctx, g.ids[0], "panic", nil)
		g.expectStarts(ctx, "one-for-one did not restart exactly the child that panicked", 2, 2, 1)
		_, _ = g.execute(ctx, g.ids[2], "stop", nil)
		g.expectStarts(ctx, "a permanent child that stopped itself was not restarted", 2, 2, 2)
	}},
	{name: "one-for-all", spec: supervision.Spec{Strategy: supervision.OneForAll}, check: func(ctx context.Context, g *supervisedGroup) {
		g.kill(1)
		g.expectStarts(ctx, "one-for-all did not restart each child once", 2, 2, 2)
	}},
	{name: "rest-for-one", spec: supervision.Spec{Strategy: supervision.RestForOne}, check: func(ctx context.Context, g *supervisedGroup) {
		g.kill(1)
		g.expectStarts(ctx, "rest-for-one did not restart exactly the killed child and those started after it", 1, 2, 2)
	}},
	{name: "transient", restart: []supervision.RestartPolicy{supervision.Transient, supervision.Transient}, check: func(ctx context.Context, g *supervisedGroup) {
		_, _ = g.execute(ctx, g.ids[0], "stop", nil)
		g.kill(1)
		g.kill(2) // when it is alive again, the supervisor has handled the earlier ends
		g.expectStarts(ctx, "of two transient children not exactly the killed one was restarted", 1, 2, 2)
	}},
	{name: "temporary", restart: []supervision.RestartPolicy{supervision.Temporary}, check: func(ctx context.Context, g *supervisedGroup) {
		g.kill(0)
		g.kill(2)
		g.expectStarts(ctx, "a temporary child was restarted", 1, 1, 2)
		g.expectForgotten("a supervisor has not forgotten a temporary child that ended")
	}},
	{name: "stop-agent", check: func(ctx context.Context, g *supervisedGroup) {
		g.Expect(g.stop(ctx, g.ids[0]) == nil, "a child did not stop")
		g.kill(2)
		g.expectStarts(ctx, "a child that StopAgent had stopped was restarted", 1, 1, 2)
		g.expectForgotten("a supervisor has not forgotten a child that StopAgent had stopped")
	}},
	{name: "stop-child", spec: supervision.Spec{Strategy: supervision.OneForAll}, check: checkStopChild},
	{
		name: "crashed", spec: supervision.Spec{Intensity: &supervision.Intensity{Restarts: 1}},
		restart: []supervision.RestartPolicy{supervision.Permanent, supervision.Temporary}, check: checkCrashedSupervisor,
	},
	{name: "intensity", spec: supervision.Spec{Intensity: &supervision.Intensity{Restarts: maxRestarts, Within: time.Minute}}, check: checkIntensity},
}

// checkStopChild stops a child with its supervisor, which must not restart it.
func checkStopChild(ctx context.Context, g *supervisedGroup) {
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	_, err := g.supervisor.StartChild(limited, supervision.Child{ID: g.ids[0], New: func() mabeam.Spec { return mabeam.Spec{Type: "member", Behaviour: &spy{}} }})
	g.Expect(errors.Is(err, mabeam.ErrAlreadyRegistered), "a second child with the same id was not refused with ErrAlreadyRegistered")
	g.Expect(g.supervisor.StopChild(limited, g.ids[1]) == nil, "a supervisor did not stop a child")
	_, err = g.system.Ref(g.ids[1])
	g.Expect(err != nil, "a child is still found after StopChild")
	g.Expect(g.supervisor.StopChild(limited, g.ids[1]) == nil, "StopChild of an unknown child returned an error")
	g.kill(0)
	g.expectStarts(ctx, "one-for-all restarted a child that StopChild had stopped, or did not restart the others", 2, 1, 2)
	g.expectForgotten("a supervisor has not forgotten a child that StopChild had stopped")
}

// checkCrashedSupervisor crashes the supervisors. The children must start anew and be
// supervised as before.
func checkCrashedSupervisor(ctx context.Context, g *supervisedGroup) {
	before := g.system.Telemetry().ComponentsRestarted
	g.Expect(faults.Crash(g.system, "agents") == nil, "the supervisors could not be crashed")
	g.expectStarts(ctx, "a restarted supervisor did not start all its children anew except the temporary one", 2, 1, 2)
	g.Expect(g.system.Telemetry().ComponentsRestarted-before == 1, "the telemetry does not count the restart of the supervisors once")
	g.kill(2)
	g.expectStarts(ctx, "a restarted supervisor did not restart a killed child", 2, 1, 3)
}

// checkIntensity kills a child as often as its supervisor restarts it, and once more.
func checkIntensity(ctx context.Context, g *supervisedGroup) {
	for i := int64(1); i <= maxRestarts; i++ {
		g.kill(1)
		g.expectStarts(ctx, "a supervisor did not restart a child within its restart intensity", 1, 1+i, 1)
	}
	g.kill(1)
	resources.WaitWhile(ctx, func() bool { return !g.hasGivenUp() })
	g.Expect(errors.Is(g.supervisor.Err(), supervision.ErrGaveUp) && g.starts[1].Load() == 1+maxRestarts, "a supervisor did not give up beyond its restart intensity")
	g.expectNoChild("a child outlived a supervisor that gave up")
}
