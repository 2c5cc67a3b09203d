package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// childCount is how many children a family has.
const childCount = 3

// A family is a supervisor with three children, a, b and c, which counts their lives.
type supervisedGroup struct {
	o          *fixture
	broken     *checker
	supervisor *supervision.Supervisor
	ids        [childCount]string
	starts     [childCount]atomic.Int64

	mu       sync.Mutex
	stopping []int // the children whose Terminate ran, in that order
}

// A sibling is a child of a family.
type supervisedSpy struct {
	spy
	family *supervisedGroup
	place  int
}

func (m *supervisedSpy) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	m.family.mu.Lock()
	m.family.stopping = append(m.family.stopping, m.place)
	m.family.mu.Unlock()
	m.spy.Terminate(ctx, self, reason)
}

// HandleAction is that of an observer, and stop, which ends the agent normally.
func (m *supervisedSpy) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "stop" {
		self.Stop()
		return nil, nil
	}
	return m.spy.HandleAction(ctx, self, action, params)
}

// startSupervisedGroup starts a supervisor whose children have the given restart policies.
func startSupervisedGroup(ctx context.Context, o *fixture, broken *checker, name string, spec supervision.Spec, restart ...supervision.RestartPolicy) (*supervisedGroup, error) {
	f := &supervisedGroup{o: o, broken: broken}
	spec.ID = name
	for i := range childCount {
		f.ids[i] = fmt.Sprintf("%s-%c", name, 'a'+i)
		child := supervision.Child{ID: f.ids[i], New: func() mabeam.Spec {
			f.starts[i].Add(1)
			return mabeam.Spec{Type: "member", Behaviour: &supervisedSpy{family: f, place: i}, Capabilities: []string{"member"}}
		}}
		if i < len(restart) {
			child.Restart = restart[i]
		}
		spec.Children = append(spec.Children, child)
	}
	var err error
	f.supervisor, err = supervision.Start(ctx, o.system, spec)
	return f, err
}

// expectLives waits until the children have had so many lives and the last of each is
// there, and checks that it stays so.
func (f *supervisedGroup) expectStarts(ctx context.Context, rule string, want ...int64) {
	waitWhile(ctx, func() bool { return !f.hasStarted(want) })
	pause(ctx)
	f.broken.expect(f.hasStarted(want), rule)
}

// lived says whether the children had so many lives, and all that their supervisor has
// are registered as they were at first.
func (f *supervisedGroup) hasStarted(want []int64) bool {
	children := f.supervisor.Children()
	for i, id := range f.ids {
		if f.starts[i].Load() != want[i] {
			return false
		}
		at := slices.IndexFunc(children, func(c supervision.ChildInfo) bool { return c.ID == id })
		if at < 0 || !children[at].Alive {
			continue
		}
		e, ok := f.o.system.Registry().Lookup(id)
		if children[at].Restarts != int(want[i]-1) || !ok || e.Type() != "member" || e.ParentID() != f.supervisor.ID() || !slices.Equal(e.Capabilities(), []string{"member"}) {
			return false
		}
	}
	return true
}

// alive is how many children the supervisor has that live.
func (f *supervisedGroup) alive() (n int) {
	for _, c := range f.supervisor.Children() {
		if c.Alive {
			n++
		}
	}
	return n
}

// errFixtureTimeout tells that a system of observers took longer than fixtureTimeout.
var errFixtureTimeout = fmt.Sprintf("not all rules could be checked within %v", fixtureTimeout)

// checkSupervision holds the documented rules of supervision against supervisors.
func checkSupervision(ctx context.Context, env *stress.Env) error {
	broken := newChecker(env, "supervision_rules_broken")
	err := withFixture(ctx, env, 1, func(ctx context.Context, o *fixture) error {
		before := o.system.Telemetry()
		var restarts, ends int64
		for _, rule := range []func(context.Context, *fixture, *checker) (*supervisedGroup, error){
			checkOneForOne, checkOneForAll, checkRestForOne, checkTransient, checkTemporary, checkStopAgentOfChild, checkStopChild, checkCrashedSupervisor, checkIntensity,
		} {
			f, err := rule(ctx, o, broken)
			if ctx.Err() != nil {
				broken.add(1, errFixtureTimeout)
				return nil
			}
			if err != nil {
				return err
			}
			f.checkStop(ctx)
			for i := range f.starts {
				restarts += f.starts[i].Load() - 1
				ends += f.starts[i].Load()
			}
		}
		waitWhile(ctx, func() bool { return o.system.Telemetry().AgentsRestarted-before.AgentsRestarted != restarts })
		now := o.system.Telemetry()
		broken.expect(now.AgentsRestarted-before.AgentsRestarted == restarts && now.AgentsStarted-before.AgentsStarted == ends &&
			now.AgentsStopped+now.AgentsCrashed-before.AgentsStopped-before.AgentsCrashed == ends, "the telemetry does not count the children's starts, ends and restarts")
		checkStuckChild(ctx, o, broken)
		checkFailingRestarts(ctx, o, broken)
		return nil
	})
	if err == nil {
		err = withFixture(ctx, env, 1, func(ctx context.Context, o *fixture) error {
			checkWindow(ctx, env, o, broken)
			return nil
		})
	}
	if err == nil {
		err = checkRestartAtLimit(ctx, env, broken)
	}
	broken.report()
	return err
}

// checkStop stops the supervisor: the children that live end, the newest first.
func (f *supervisedGroup) checkStop(ctx context.Context) {
	f.mu.Lock()
	f.stopping = nil
	f.mu.Unlock()
	living := f.alive()
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	f.broken.expect(f.supervisor.Stop(limited) == nil, "a supervisor did not stop")
	f.mu.Lock()
	order := slices.Clone(f.stopping)
	f.mu.Unlock()
	f.broken.expect(len(order) == living && slices.IsSortedFunc(order, func(a, b int) int { return b - a }), "a supervisor that stopped did not stop its children, each once and the newest first")
	for _, id := range f.ids {
		_, err := f.o.system.Ref(id)
		f.broken.expect(err != nil, "a child is still there after its supervisor has stopped")
	}
}

func checkOneForOne(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "one-for-one", supervision.Spec{})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectStarts(ctx, "one-for-one did not restart just the child that was killed", 1, 2, 1)
	_, _ = o.ask(ctx, f.ids[0], "panic", nil)
	f.expectStarts(ctx, "one-for-one did not restart just the child that panicked", 2, 2, 1)
	_, _ = o.ask(ctx, f.ids[2], "stop", nil)
	f.expectStarts(ctx, "a permanent child that stopped itself was not restarted", 2, 2, 2)
	return f, nil
}

func checkOneForAll(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "one-for-all", supervision.Spec{Strategy: supervision.OneForAll})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectStarts(ctx, "one-for-all did not restart each child once", 2, 2, 2)
	return f, nil
}

func checkRestForOne(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "rest-for-one", supervision.Spec{Strategy: supervision.RestForOne})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectStarts(ctx, "rest-for-one did not restart the child and those started after it", 1, 2, 2)
	return f, nil
}

func checkTransient(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "transient", supervision.Spec{}, supervision.Transient, supervision.Transient)
	if err != nil {
		return nil, err
	}
	_, _ = o.ask(ctx, f.ids[0], "stop", nil)
	o.system.KillAgent(f.ids[1])
	o.system.KillAgent(f.ids[2]) // once it lives again, the ends before it were seen to
	f.expectStarts(ctx, "of transient children not just the one that was killed was restarted", 1, 2, 2)
	return f, nil
}

func checkTemporary(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "temporary", supervision.Spec{}, supervision.Temporary)
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[0])
	o.system.KillAgent(f.ids[2])
	f.expectStarts(ctx, "a temporary child was restarted", 1, 1, 2)
	broken.expect(len(f.supervisor.Children()) == childCount-1, "a supervisor has not forgotten a temporary child that has ended")
	return f, nil
}

// checkStopAgentOfChild stops a child by its id, which is not restarted.
func checkStopAgentOfChild(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	f, err := startSupervisedGroup(ctx, o, broken, "unwanted", supervision.Spec{})
	if err != nil {
		return nil, err
	}
	broken.expect(o.stop(ctx, f.ids[0]) == nil, "a child did not stop")
	o.system.KillAgent(f.ids[2])
	f.expectStarts(ctx, "a child that StopAgent has ended was restarted", 1, 1, 2)
	broken.expect(len(f.supervisor.Children()) == childCount-1, "a supervisor has not forgotten a child that StopAgent has ended")
	return f, nil
}

// checkIntensity kills a child as often as its supervisor restarts it, and once more.
func checkIntensity(ctx context.Context, o *fixture, broken *checker) (*supervisedGroup, error) {
	const limit = 3
	f, err := startSupervisedGroup(ctx, o, broken, "intensity", supervision.Spec{Intensity: &supervision.Intensity{Restarts: limit, Within: time.Minute}})
	if err != nil {
		return nil, err
	}
	for i := int64(1); i <= limit; i++ {
		o.system.KillAgent(f.ids[1])
		f.expectStarts(ctx, "a supervisor did not restart a child as often as it may", 1, 1+i, 1)
	}
	o.system.KillAgent(f.ids[1])
	waitWhile(ctx, func() bool { return !f.hasGivenUp() })
	broken.expect(errors.Is(f.supervisor.Err(), supervision.ErrGaveUp) && f.starts[1].Load() == 1+limit, "a supervisor did not give up when it had to restart once more than it may")
	for _, id := range f.ids {
		_, err := o.system.Ref(id)
		broken.expect(err != nil, "a child is still there after its supervisor has given up")
	}
	return f, nil
}

// checkWindow kills a child after the restarts before have ceased to count, and then once
// more than allowed late in the time in which they do.
func checkWindow(ctx context.Context, env *stress.Env, o *fixture, broken *checker) {
	const limit = 2
	// Where the machine stalls for as long as that time, the check says nothing.
	for within := 50 * time.Millisecond; within < time.Second; within *= 4 {
		f, err := startSupervisedGroup(ctx, o, broken, fmt.Sprint("window-", within), supervision.Spec{Intensity: &supervision.Intensity{Restarts: limit, Within: within}})
		if err != nil {
			broken.add(1, err.Error())
			return
		}
		kill := func() {
			lives := f.starts[1].Load()
			o.system.KillAgent(f.ids[1])
			waitWhile(ctx, func() bool { return (f.starts[1].Load() == lives || f.alive() < childCount) && !f.hasGivenUp() })
		}
		for range limit {
			kill()
		}
		load.Sleep(ctx, within+time.Millisecond)
		began := time.Now()
		for range limit {
			kill()
		}
		early := f.hasGivenUp()
		load.Sleep(ctx, within*7/10-time.Since(began))
		kill()
		decided := f.hasGivenUp() || time.Since(began) < within
		if ctx.Err() != nil { // then nothing was waited for
			broken.add(1, errFixtureTimeout)
			return
		}
		broken.expect(!early, "a supervisor gave up because of restarts that were older than its time")
		broken.expect(f.hasGivenUp() || !decided, "a supervisor did not count restarts as long as it should")
		f.checkStop(ctx)
		if decided {
			return
		}
	}
	env.Inconclusive("the machine stalls for so long that it cannot be checked how long restarts count")
}

// hasGivenUp says whether the supervisor has ended.
func (f *supervisedGroup) hasGivenUp() bool {
	select {
	case <-f.supervisor.Done():
		return true
	default:
		return false
	}
}
