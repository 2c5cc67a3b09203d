package fault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// The report has the time and the target of each fault, with its name in the system, and no
// target for a fault that hits the process.
func TestFaultsReportTheirTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids, views []string
		step, events := runFaults(t, "    repeat: 2\n    faults: [{slow_actions: 1/s, for: 10ms}, {stall_subscribers: 2, from: 500ms, for: 100ms}, {garbage: 3, from: 1s}]", func(env *stress.Env) {
			ids, views = append(ids, startIdle(t, env, 1)...), nil
			for i := range 2 {
				handle := env.Subscriber(i, func(context.Context, mabeam.Event) {})
				if _, err := env.System().Bus().Subscribe("e", handle, mabeam.SubscribeOptions{Name: stress.SubscriberName(i)}); err != nil {
					t.Fatal(err)
				}
			}
			pass(t, env, 2500*time.Millisecond, nothing)
			look := env.System().Inspect()
			defer look.Close()
			subscriptions, _ := look.Subscriptions(10)
			for _, s := range subscriptions {
				views = append(views, s.Subscriber)
			}
		})
		at := func(s float64) *float64 { return &s }
		first := events[slices.IndexFunc(events, func(e stream.Event) bool { return e.Fault.Fault == "stall_subscribers" })].Fault.Target
		second := map[string]string{"subscriber-1": "subscriber-2", "subscriber-2": "subscriber-1"}[first]
		want := []report.Fault{
			{Fault: "slow_actions", Injected: 6, FirstAtSeconds: at(0), LastAtSeconds: at(4.5), Targets: []report.Target{
				{Name: ids[0], Count: 3}, {Name: ids[1], Count: 3, FirstAtSeconds: 2.5},
			}},
			{Fault: "stall_subscribers", Injected: 4, FirstAtSeconds: at(0.5), LastAtSeconds: at(3), Targets: []report.Target{
				{Name: first, Count: 2, FirstAtSeconds: 0.5}, {Name: second, Count: 2, FirstAtSeconds: 0.5},
			}},
			{Fault: "garbage", Injected: 6, FirstAtSeconds: at(1), LastAtSeconds: at(3.5)},
		}
		// The second repetition may begin some milliseconds late: it waits until the
		// goroutines of the first are gone.
		for i := range step.Faults {
			f := &step.Faults[i]
			f.FirstAtSeconds, f.LastAtSeconds = at(hundredths(*f.FirstAtSeconds)), at(hundredths(*f.LastAtSeconds))
			for j := range f.Targets {
				f.Targets[j].FirstAtSeconds = hundredths(f.Targets[j].FirstAtSeconds)
			}
		}
		if !reflect.DeepEqual(step.Faults, want) {
			t.Errorf("told %v, want %v", asJSON(t, step.Faults), asJSON(t, want))
		}
		slices.Sort(views)
		if !slices.Equal(views, []string{"subscriber-1", "subscriber-2"}) {
			t.Errorf("on the bus they are called %v", views)
		}
	})
}

// Half of the agents are killed or panic, and exactly those are gone.
func TestFaultsEndAgents(t *testing.T) {
	for kind, crashed := range map[string]int64{"kill_agents": 0, "panic_agents": 5} {
		synctest.Test(t, func(t *testing.T) {
			var ids, left []string
			var tel mabeam.Telemetry
			step, faults := runFaults(t, "    warmup: 20ms\n    faults: [{"+kind+": 5, from: 100ms}]", func(env *stress.Env) {
				ids, left = startIdle(t, env, 10), nil
				pass(t, env, time.Second, nothing)
				for _, r := range env.System().Registry().All() {
					left = append(left, r.ID())
				}
				tel = env.System().Telemetry()
			})
			if len(left) != 5 || tel.AgentsCrashed != crashed {
				t.Errorf("%s: %d agents are left, %d have crashed", kind, len(left), tel.AgentsCrashed)
			}
			hit := map[string]bool{}
			for _, e := range faults {
				hit[e.Fault.Target] = true
				if e.Fault.Step != "hit" || e.Fault.Fault != kind || math.Abs(e.T-0.1) > 1e-9 || e.Fault.ByHand ||
					!slices.Contains(ids, e.Fault.Target) || slices.Contains(left, e.Fault.Target) {
					t.Errorf("%s: at %v %+v", kind, e.T, e.Fault)
				}
			}
			if len(hit) != 5 || !maps.Equal(injected(step), map[string]int64{kind: 5}) {
				t.Errorf("%s: %d different targets, told %v", kind, len(hit), step.Faults)
			}
		})
	}
}

// Faults follow the clock of the load, which does not run between loads.
func TestFaultsHaveARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, faults := runFaults(t, "    faults: [{kill_agents: 10/s, from: 200ms, until: 600ms}]", func(env *stress.Env) {
			startIdle(t, env, 10)
			pass(t, env, 350*time.Millisecond, nothing)
			time.Sleep(time.Second)
			pass(t, env, 350*time.Millisecond, nothing)
		})
		var at []string
		for _, e := range faults {
			at = append(at, fmt.Sprintf("%.3f", e.T))
		}
		if !slices.Equal(at, []string{"0.200", "0.300", "1.400", "1.500"}) {
			t.Errorf("injected at %v", at)
		}
	})
}

func TestFaultsAreDrawnFromTheSeed(t *testing.T) {
	hit := func(name string) (which []int) {
		synctest.Test(t, func(t *testing.T) {
			var ids []string
			_, faults := runFaults(t, "    name: "+name+"\n    faults: [{kill_agents: 100/s, until: 100ms}]", func(env *stress.Env) {
				ids = startIdle(t, env, 100)
				pass(t, env, 200*time.Millisecond, nothing)
			})
			for _, e := range faults {
				which = append(which, slices.Index(ids, e.Fault.Target))
			}
		})
		return which
	}
	first, again, other := hit("a"), hit("a"), hit("b") // each step has a seed of its own
	if len(first) != 10 || !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("one seed: %v and %v; another: %v", first, again, other)
	}
}

// Three of ten subscribers stall for 200 ms, and the others do not.
func TestStalledSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var longest [10]time.Duration
		step, _ := runFaults(t, "    faults: [{stall_subscribers: 3, from: 100ms, for: 200ms}]", func(env *stress.Env) {
			for i := range longest {
				if _, err := env.System().Bus().Subscribe("e", env.Subscriber(i, func(_ context.Context, e mabeam.Event) {
					mu.Lock()
					defer mu.Unlock()
					longest[i] = max(longest[i], time.Since(e.Timestamp))
				}), mabeam.SubscribeOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			pass(t, env, time.Second, func(ctx context.Context) error {
				return env.System().Bus().Publish(ctx, mabeam.Event{Type: "e"})
			})
		})
		stalled := 0
		for i, d := range longest {
			// The first event that waits comes up to 10 ms after the stall begins.
			if d >= 190*time.Millisecond && d <= 200*time.Millisecond {
				stalled++
			} else if d != 0 {
				t.Errorf("subscriber %d waited %v", i+1, d)
			}
		}
		if stalled != 3 || !maps.Equal(injected(step), map[string]int64{"stall_subscribers": 3}) {
			t.Errorf("%d subscribers stood still, told %v", stalled, step.Faults)
		}
	})
}

// Two of four agents take 5 ms longer for half a second.
func TestSlowActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := map[string]int{}
		var slowest, last time.Duration
		_, faults := runFaults(t, "    faults: [{slow_actions: 2, by: 5ms, for: 500ms}]", func(env *stress.Env) {
			ids := startIdle(t, env, 4)
			pass(t, env, time.Second, func(ctx context.Context) (err error) {
				for _, id := range ids {
					asked := time.Now()
					_, failed := env.System().Execute(ctx, id, "any", nil)
					err = errors.Join(err, failed)
					if last = time.Since(asked); last > 0 {
						slow[id]++
						slowest = max(slowest, last)
					}
				}
				return err
			})
		})
		// Each turn takes 20 ms while two are slow.
		if len(slow) != 2 || slowest != 5*time.Millisecond || last != 0 {
			t.Errorf("slow %v, at most %v, at last %v", slow, slowest, last)
		}
		for _, e := range faults {
			if n := slow[e.Fault.Target]; n < 24 || n > 25 {
				t.Errorf("%s was slow %d times", e.Fault.Target, n)
			}
		}
	})
}

// A fault that would last an hour ends with the load.
func TestFaultsAreUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runFaults(t, "    faults: [{slow_actions: 1, by: 30s, for: 1h}, {stall_subscribers: 1, for: 1h}]", func(env *stress.Env) {
			id := startIdle(t, env, 1)[0]
			done := make(chan struct{})
			if _, err := env.System().Bus().Subscribe("e", env.Subscriber(0, func(context.Context, mabeam.Event) { close(done) }), mabeam.SubscribeOptions{}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			published := false
			pass(t, env, 100*time.Millisecond, func(ctx context.Context) error {
				if published {
					return nil
				}
				published = true
				return errors.Join(env.System().Tell(ctx, id, "any", nil), env.System().Bus().Publish(ctx, mabeam.Event{Type: "e"}))
			})
			_, err := env.System().Execute(t.Context(), id, "any", nil)
			<-done
			if took := time.Since(began); took != 100*time.Millisecond || err != nil {
				t.Errorf("took %v: %v", took, err)
			}
		})
	})
}

// Faults that cannot be injected are reported.
func TestFaultsThatMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step, faults := runFaults(t, "    repeat: 2\n    faults: [{kill_agents: 5}, {garbage: 10/s, from: 950ms, until: 1150ms}, {hog_cpu: 3, from: 2s}]", func(env *stress.Env) {
			startIdle(t, env, 3)
			pass(t, env, time.Second, nothing)
		})
		want := map[string]int64{"kill_agents": 6, "garbage": 2, "hog_cpu": 0}
		if !maps.Equal(injected(step), want) || len(faults) != 8 {
			t.Errorf("told %v and %d events", step.Faults, len(faults))
		}
		told := map[string]int64{}
		for _, e := range step.Errors {
			told[e.Message] = e.Count
		}
		if told["kill_agents was not injected: nothing was left to hit"] != 4 ||
			told["garbage was not injected: the load ended first"] != 2 ||
			told["hog_cpu was not injected: the load ended first"] != 6 ||
			told["the planned fault hog_cpu was never injected, so its effect is not known"] != 1 || len(told) != 4 {
			t.Errorf("errors %v", told)
		}
		if step.Verdict != report.Inconclusive {
			t.Errorf("a fault was never injected, and the verdict is %s", step.Verdict)
		}
	})
}

// A supervised agent that was killed is restarted, and can be killed again.
func TestFaultsHitTheRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step, faults := runFaults(t, "    faults: [{kill_agents: 10/s, until: 300ms}]", func(env *stress.Env) {
			v, err := supervision.Start(t.Context(), env.System(), supervision.Spec{Intensity: &supervision.Intensity{Restarts: 10}, Children: []supervision.Child{
				{ID: "cat", New: func() mabeam.Spec { return env.Agent(mabeam.Spec{Type: "idle", Behaviour: idle{}}) }},
			}})
			if err != nil {
				t.Fatal(err)
			}
			pass(t, env, time.Second, nothing)
			if n := len(v.Children()); n != 1 || env.System().Registry().Count() != 1 {
				t.Errorf("%d children", n)
			}
		})
		if len(faults) != 3 || len(step.Errors) != 0 {
			t.Errorf("%d faults, errors %v", len(faults), step.Errors)
		}
	})
}

// The process allocates the garbage, and goroutines are busy as long as the load.
func TestFaultsOfTheProcess(t *testing.T) {
	allocated := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	const each = 8 << 20
	step, _ := runFaults(t, "    faults: [{garbage: 4, size: 8MiB}, {hog_cpu: 2, for: 1h}]", func(env *stress.Env) {
		before, stacks := allocated(), make([]byte, 1<<20)
		busy := func() int { return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "fault.hogCPU.func1()") }
		_, err := env.RunLoad(t.Context(), load.Load{Workers: 1, Operations: 1}, func(ctx context.Context, _ load.Op) error {
			for allocated()-before < 4*each || busy() < 2 {
				if !load.Sleep(ctx, time.Millisecond) {
					return ctx.Err()
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if want := map[string]int64{"garbage": 4, "hog_cpu": 2}; !maps.Equal(injected(step), want) {
		t.Errorf("told %v, errors %v", step.Faults, step.Errors)
	}
}

// A rehearsal runs, returns its first error, and leaves no trace in the report.
func TestRehearsal(t *testing.T) {
	var done atomic.Int64
	errOdd := errors.New("odd")
	step, faults := runFaults(t, "    faults: [{garbage: 1}]", func(*stress.Env) {
		l := load.Load{Workers: 3, Operations: 10}
		if err := load.Rehearse(t.Context(), l, func(context.Context, load.Op) error { done.Add(1); return nil }); err != nil {
			t.Error(err)
		}
		if err := load.Rehearse(t.Context(), l, func(context.Context, load.Op) error { return errOdd }); !errors.Is(err, errOdd) {
			t.Errorf("error %v", err)
		}
		// A run that is interrupted may come to it with a context that has ended.
		ended, end := context.WithCancel(t.Context())
		end()
		if err := load.Rehearse(ended, l, func(context.Context, load.Op) error { done.Add(1); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	})
	if done.Load() != 10 || step.Operations.Attempted != 0 || len(faults) != 0 {
		t.Errorf("%d done, told %+v and %d faults", done.Load(), step.Operations, len(faults))
	}
}
