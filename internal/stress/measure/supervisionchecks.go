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

// familySize is how many children a family has.
const familySize = 3

// A family is a supervisor with three children, a, b and c, which counts their lives.
type family struct {
	o      *observation
	broken *violations
	v      *supervision.Supervisor
	ids    [familySize]string
	lives  [familySize]atomic.Int64

	mu       sync.Mutex
	stopping []int // the children whose Terminate ran, in that order
}

// A sibling is a child of a family.
type sibling struct {
	observer
	family *family
	place  int
}

func (m *sibling) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	m.family.mu.Lock()
	m.family.stopping = append(m.family.stopping, m.place)
	m.family.mu.Unlock()
	m.observer.Terminate(ctx, self, reason)
}

// HandleAction is that of an observer, and stop, which ends the agent normally.
func (m *sibling) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "stop" {
		self.Stop()
		return nil, nil
	}
	return m.observer.HandleAction(ctx, self, action, params)
}

// startFamily starts a supervisor whose children have the given restart policies.
func startFamily(ctx context.Context, o *observation, broken *violations, name string, spec supervision.Spec, restart ...supervision.RestartPolicy) (*family, error) {
	f := &family{o: o, broken: broken}
	spec.ID = name
	for i := range familySize {
		f.ids[i] = fmt.Sprintf("%s-%c", name, 'a'+i)
		child := supervision.Child{ID: f.ids[i], New: func() mabeam.Spec {
			f.lives[i].Add(1)
			return mabeam.Spec{Type: "member", Behaviour: &sibling{family: f, place: i}, Capabilities: []string{"member"}}
		}}
		if i < len(restart) {
			child.Restart = restart[i]
		}
		spec.Children = append(spec.Children, child)
	}
	var err error
	f.v, err = supervision.Start(ctx, o.system, spec)
	return f, err
}

// expectLives waits until the children have had so many lives and the last of each is
// there, and checks that it stays so.
func (f *family) expectLives(ctx context.Context, rule string, want ...int64) {
	settle(ctx, func() bool { return !f.lived(want) })
	pause(ctx)
	f.broken.expect(f.lived(want), rule)
}

// lived says whether the children had so many lives, and all that their supervisor has
// are registered as they were at first.
func (f *family) lived(want []int64) bool {
	children := f.v.Children()
	for i, id := range f.ids {
		if f.lives[i].Load() != want[i] {
			return false
		}
		at := slices.IndexFunc(children, func(c supervision.ChildInfo) bool { return c.ID == id })
		if at < 0 || !children[at].Alive {
			continue
		}
		e, ok := f.o.system.Registry().Lookup(id)
		if children[at].Restarts != int(want[i]-1) || !ok || e.Type() != "member" || e.ParentID() != f.v.ID() || !slices.Equal(e.Capabilities(), []string{"member"}) {
			return false
		}
	}
	return true
}

// alive is how many children the supervisor has that live.
func (f *family) alive() (n int) {
	for _, c := range f.v.Children() {
		if c.Alive {
			n++
		}
	}
	return n
}

// outOfTime tells that a system of observers took longer than observersWithin.
var outOfTime = fmt.Sprintf("not all rules could be checked within %v", observersWithin)

// checkSupervision holds the documented rules of supervision against supervisors.
func checkSupervision(ctx context.Context, env *stress.Env) error {
	broken := newViolations(env, "supervision_rules_broken")
	err := observed(ctx, env, 1, func(ctx context.Context, o *observation) error {
		before := o.system.Telemetry()
		var restarts, ends int64
		for _, rule := range []func(context.Context, *observation, *violations) (*family, error){
			checkOneForOne, checkOneForAll, checkRestForOne, checkTransient, checkTemporary, checkUnwanted, checkDismissed, checkCrashedSupervisor, checkIntensity,
		} {
			f, err := rule(ctx, o, broken)
			if ctx.Err() != nil {
				broken.add(1, outOfTime)
				return nil
			}
			if err != nil {
				return err
			}
			f.checkStop(ctx)
			for i := range f.lives {
				restarts += f.lives[i].Load() - 1
				ends += f.lives[i].Load()
			}
		}
		settle(ctx, func() bool { return o.system.Telemetry().AgentsRestarted-before.AgentsRestarted != restarts })
		now := o.system.Telemetry()
		broken.expect(now.AgentsRestarted-before.AgentsRestarted == restarts && now.AgentsStarted-before.AgentsStarted == ends &&
			now.AgentsStopped+now.AgentsCrashed-before.AgentsStopped-before.AgentsCrashed == ends, "the telemetry does not count the children's starts, ends and restarts")
		checkStuckChild(ctx, o, broken)
		checkFailingLives(ctx, o, broken)
		return nil
	})
	if err == nil {
		err = observed(ctx, env, 1, func(ctx context.Context, o *observation) error {
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
func (f *family) checkStop(ctx context.Context) {
	f.mu.Lock()
	f.stopping = nil
	f.mu.Unlock()
	living := f.alive()
	limited, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	f.broken.expect(f.v.Stop(limited) == nil, "a supervisor did not stop")
	f.mu.Lock()
	order := slices.Clone(f.stopping)
	f.mu.Unlock()
	f.broken.expect(len(order) == living && slices.IsSortedFunc(order, func(a, b int) int { return b - a }), "a supervisor that stopped did not stop its children, each once and the newest first")
	for _, id := range f.ids {
		_, err := f.o.system.Ref(id)
		f.broken.expect(err != nil, "a child is still there after its supervisor has stopped")
	}
}

func checkOneForOne(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "one-for-one", supervision.Spec{})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectLives(ctx, "one-for-one did not restart just the child that was killed", 1, 2, 1)
	_, _ = o.ask(ctx, f.ids[0], "panic", nil)
	f.expectLives(ctx, "one-for-one did not restart just the child that panicked", 2, 2, 1)
	_, _ = o.ask(ctx, f.ids[2], "stop", nil)
	f.expectLives(ctx, "a permanent child that stopped itself was not restarted", 2, 2, 2)
	return f, nil
}

func checkOneForAll(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "one-for-all", supervision.Spec{Strategy: supervision.OneForAll})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectLives(ctx, "one-for-all did not restart each child once", 2, 2, 2)
	return f, nil
}

func checkRestForOne(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "rest-for-one", supervision.Spec{Strategy: supervision.RestForOne})
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[1])
	f.expectLives(ctx, "rest-for-one did not restart the child and those started after it", 1, 2, 2)
	return f, nil
}

func checkTransient(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "transient", supervision.Spec{}, supervision.Transient, supervision.Transient)
	if err != nil {
		return nil, err
	}
	_, _ = o.ask(ctx, f.ids[0], "stop", nil)
	o.system.KillAgent(f.ids[1])
	o.system.KillAgent(f.ids[2]) // once it lives again, the ends before it were seen to
	f.expectLives(ctx, "of transient children not just the one that was killed was restarted", 1, 2, 2)
	return f, nil
}

func checkTemporary(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "temporary", supervision.Spec{}, supervision.Temporary)
	if err != nil {
		return nil, err
	}
	o.system.KillAgent(f.ids[0])
	o.system.KillAgent(f.ids[2])
	f.expectLives(ctx, "a temporary child was restarted", 1, 1, 2)
	broken.expect(len(f.v.Children()) == familySize-1, "a supervisor has not forgotten a temporary child that has ended")
	return f, nil
}

// checkUnwanted stops a child by its id, which is not restarted.
func checkUnwanted(ctx context.Context, o *observation, broken *violations) (*family, error) {
	f, err := startFamily(ctx, o, broken, "unwanted", supervision.Spec{})
	if err != nil {
		return nil, err
	}
	broken.expect(o.stop(ctx, f.ids[0]) == nil, "a child did not stop")
	o.system.KillAgent(f.ids[2])
	f.expectLives(ctx, "a child that StopAgent has ended was restarted", 1, 1, 2)
	broken.expect(len(f.v.Children()) == familySize-1, "a supervisor has not forgotten a child that StopAgent has ended")
	return f, nil
}

// checkIntensity kills a child as often as its supervisor restarts it, and once more.
func checkIntensity(ctx context.Context, o *observation, broken *violations) (*family, error) {
	const limit = 3
	f, err := startFamily(ctx, o, broken, "intensity", supervision.Spec{Intensity: &supervision.Intensity{Restarts: limit, Within: time.Minute}})
	if err != nil {
		return nil, err
	}
	for i := int64(1); i <= limit; i++ {
		o.system.KillAgent(f.ids[1])
		f.expectLives(ctx, "a supervisor did not restart a child as often as it may", 1, 1+i, 1)
	}
	o.system.KillAgent(f.ids[1])
	settle(ctx, func() bool { return !f.hasGivenUp() })
	broken.expect(errors.Is(f.v.Err(), supervision.ErrGaveUp) && f.lives[1].Load() == 1+limit, "a supervisor did not give up when it had to restart once more than it may")
	for _, id := range f.ids {
		_, err := o.system.Ref(id)
		broken.expect(err != nil, "a child is still there after its supervisor has given up")
	}
	return f, nil
}

// checkWindow kills a child after the restarts before have ceased to count, and then once
// more than allowed late in the time in which they do.
func checkWindow(ctx context.Context, env *stress.Env, o *observation, broken *violations) {
	const limit = 2
	// Where the machine stalls for as long as that time, the check says nothing.
	for within := 50 * time.Millisecond; within < time.Second; within *= 4 {
		f, err := startFamily(ctx, o, broken, fmt.Sprint("window-", within), supervision.Spec{Intensity: &supervision.Intensity{Restarts: limit, Within: within}})
		if err != nil {
			broken.add(1, err.Error())
			return
		}
		kill := func() {
			lives := f.lives[1].Load()
			o.system.KillAgent(f.ids[1])
			settle(ctx, func() bool { return (f.lives[1].Load() == lives || f.alive() < familySize) && !f.hasGivenUp() })
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
			broken.add(1, outOfTime)
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
func (f *family) hasGivenUp() bool {
	select {
	case <-f.v.Done():
		return true
	default:
		return false
	}
}
