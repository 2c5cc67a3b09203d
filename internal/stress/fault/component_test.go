package fault_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	runtimefaults "mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// A component that crashes is restarted: an event that waits for a busy subscriber is lost, the
// child of a supervisor is restarted, and the registry is as correct as before. Any picks all
// three, and skips components that have nothing to lose.
func TestCrashedComponents(t *testing.T) {
	for component, lost := range map[string][3]int64{ // restarts of components, of agents, and events
		"event_bus": {1, 0, 1}, "registry": {1, 0, 0}, "agents": {1, 1, 0}, "any": {12, 0, 1},
	} {
		t.Run(component, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fault := "{crash_component: " + component + ", from: 100ms}"
				if component == "any" {
					fault = "{crash_component: 12, from: 100ms}"
				}
				var tel mabeam.Telemetry
				step, events := runFaults(t, "    faults: ["+fault+"]", func(env *stress.Env) {
					system := env.System()
					if component == "any" { // what does the work is another system
						var err error
						if system, err = mabeam.Start(context.Background(), mabeam.Options{}); err != nil {
							t.Fatal(err)
						}
						env.Watch(system)
						defer system.Stop(context.Background())
					}
					if component != "any" {
						if _, err := supervision.Start(t.Context(), system, supervision.Spec{Children: []supervision.Child{
							{ID: "cat", New: func() mabeam.Spec { return env.Agent(mabeam.Spec{Type: "idle", Behaviour: idle{}}) }},
						}}); err != nil {
							t.Fatal(err)
						}
					}
					busy := make(chan struct{})
					if _, err := system.Bus().Subscribe("e", func(context.Context, mabeam.Event) { <-busy }, mabeam.SubscribeOptions{}); err != nil {
						t.Fatal(err)
					}
					for range 2 {
						if err := system.Bus().Publish(t.Context(), mabeam.Event{Type: "e"}); err != nil {
							t.Fatal(err)
						}
						synctest.Wait() // it has taken up the first one only
					}
					pass(t, env, time.Second, nothing)
					close(busy)
					synctest.Wait()
					tel = system.Telemetry()
					if system.Registry().Count() != len(system.Registry().All()) {
						t.Error("the registry is not what it was")
					}
				})
				if got := [3]int64{tel.ComponentsRestarted, tel.AgentsRestarted, tel.EventsDropped}; got != lost {
					t.Errorf("components and agents restarted, events lost: %v, want %v", got, lost)
				}
				hit := map[string]int{}
				for _, e := range events {
					hit[e.Fault.Target]++
				}
				if len(events) != int(lost[0]) || injected(step)["crash_component"] != lost[0] || len(step.Errors) > 0 {
					t.Errorf("%v hit, told %v, errors %v", hit, step.Faults, step.Errors)
				}
				if component == "any" && (len(hit) != 2 || hit["agents"] > 0) || component != "any" && hit[component] != 1 {
					t.Errorf("hit %v", hit)
				}
			})
		})
	}
}

// A crash that would hit nothing is reported as not injected.
func TestCrashOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step, _ := runFaults(t, "    faults: [{crash_component: agents}]", func(env *stress.Env) { pass(t, env, time.Second, nothing) })
		if step.Faults[0].Injected != 0 || len(step.Errors) != 2 || step.Errors[0].Message != "crash_component was not injected: nothing was left to hit" || step.Verdict != report.Inconclusive {
			t.Errorf("told %v, errors %v", step.Faults, step.Errors)
		}
	})
}

// Every component that loses something in a crash can be chosen.
func TestEveryComponentCanCrash(t *testing.T) {
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer system.Stop(t.Context())
	if _, err := supervision.Start(t.Context(), system, supervision.Spec{}); err != nil {
		t.Fatal(err)
	}
	var can []string
	for _, c := range system.Startup() {
		if runtimefaults.Crash(system, c.Component) == nil {
			can = append(can, c.Component)
		}
	}
	if !slices.Equal(can, scenario.CrashableComponents) {
		t.Errorf("%v can be asked for, %v can crash", scenario.CrashableComponents, can)
	}
}
