package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// These tests give each measurement a system whose answer is known. If time is measured,
// the clock is synthetic, so that 2 ms are exactly 2 ms.

// withRun returns the catalogue with the Run of one measurement replaced.
func withRun(name string, run func(context.Context, *stress.Env) error) stress.Catalogue {
	cat := Catalogue()
	cat.Find(name).Run = run
	return cat
}

func runStep(t *testing.T, cat stress.Catalogue, header, step string, heard ...func(stream.Event)) report.Step {
	t.Helper()
	r := runDocument(t, cat, "name: s\ntitle: S\n"+header+"\nsteps:\n  - "+step+"\n", heard...)
	return r.Scenarios[0].Steps[0]
}

func value(t *testing.T, s report.Step, metric string) float64 {
	t.Helper()
	v, ok := s.Metrics[metric].Value.(float64)
	if !ok {
		t.Fatalf("%s is %v; errors: %+v", metric, s.Metrics[metric].Value, s.Errors)
	}
	return v
}

func wantWithin(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %v, want %v ± %.0f %%", what, got, want, 100*share)
	}
}

func TestActionOfTwoMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "", `{measure: agent-action, with: {scenarios: [{agent_type: complex, action: sleep, params: {for: 2ms}, action_count: 500}]}}`)
		wantWithin(t, "execution_time_ms", value(t, s, "execution_time_ms"), 2, 0.05)
		wantWithin(t, "p99", s.Metrics["execution_time_ms"].Distribution.P99, 2, 0.05)
		wantWithin(t, "actions_per_second", value(t, s, "actions_per_second"), 500, 0.05)
		if v := value(t, s, "timeout_accuracy_ms"); v != 0 {
			t.Errorf("deadlines are missed by %v ms on a clock that is exact", v)
		}
		if v := value(t, s, "timeouts"); v != 0 {
			t.Errorf("%v actions without a deadline timed out", v)
		}
	})
}

func TestActionsThatMissTheirDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "", `{measure: agent-action, with: {timeout: 1ms, scenarios: [{agent_type: complex, action: sleep, params: {for: 2ms}, action_count: 50}]}}`)
		if v := value(t, s, "timeouts"); v != 50 {
			t.Errorf("%v timeouts of 50", v)
		}
		if v := value(t, s, "success_rate"); v != 0 || s.Operations.Failed != 50 || s.Verdict != report.Fail {
			t.Errorf("success rate %v, %+v, %s", v, s.Operations, s.Verdict)
		}
	})
}

// holder is an agent that holds memory.
type holder struct {
	mabeam.Defaults
	held []byte
}

func (*holder) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

func TestAgentsOfOneMebibyte(t *testing.T) {
	cat := withRun("agent-creation", func(ctx context.Context, env *stress.Env) error {
		return measureCreation(ctx, env, func(int) mabeam.Spec {
			return mabeam.Spec{Type: "holder", Behaviour: &holder{held: make([]byte, 1<<20)}}
		})
	})
	s := runStep(t, cat, "", "{measure: agent-creation, with: {agents: 100, compare_parallel: false}}")
	wantWithin(t, "memory_per_agent", value(t, s, "memory_per_agent"), 1<<20, 0.03)
}

func TestAgentsThatDoNotStart(t *testing.T) {
	s := runStep(t, Catalogue(), "", "{measure: agent-creation, with: {agents: 1000, fail_every: 10, compare_parallel: false}}")
	if total, started := value(t, s, "total_count"), value(t, s, "success_count"); total != 1000 || started != 900 {
		t.Errorf("%v of %v started, want 900 of 1,000", started, total)
	}
	wantWithin(t, "success_rate", value(t, s, "success_rate"), 0.9, 0)
	// 1,000 starts and 1,000 stops; a hundred stops had no agent.
	if s.Operations != (report.Operations{Attempted: 2000, Succeeded: 1900, Failed: 100}) {
		t.Errorf("%+v", s.Operations)
	}
	if len(s.Errors) != 1 || s.Errors[0].Count != 100 {
		t.Errorf("%+v", s.Errors)
	}
}

// A leak of one resource with each cycle is detected and named.
func TestLeaksAreCaughtByName(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for kind, leak := range map[string]func(s *mabeam.System) error{
		"subscriptions": func(s *mabeam.System) error {
			_, err := s.Bus().Subscribe("leak", func(context.Context, mabeam.Event) {}, mabeam.SubscribeOptions{})
			return err
		},
		"registrations": func(s *mabeam.System) error {
			return s.Registry().Register(mabeam.Record{ID: fmt.Sprint("leak-", s.Registry().Count())})
		},
		"goroutines": func(*mabeam.System) error {
			go func() { <-release }()
			return nil
		},
	} {
		t.Run(kind, func(t *testing.T) {
			cat := withRun("agent-lifecycle", func(ctx context.Context, env *stress.Env) error {
				return measureLifecycle(ctx, env, func() mabeam.Spec {
					spec := agents.Demo()
					if err := leak(env.System()); err != nil {
						t.Error(err)
					}
					return spec
				})
			})
			s := runStep(t, cat, "", "{measure: agent-lifecycle, with: {cycles: 120, settle_cycles: 0}}")
			for _, k := range []string{"subscriptions", "registrations", "goroutines"} {
				want := 0.0
				if k == kind {
					want = 120
				}
				if v := value(t, s, "leaked_"+k); math.Abs(v-want) > 2 && k == "goroutines" || v != want && k != "goroutines" {
					t.Errorf("leaked_%s = %v, want %v", k, v, want)
				}
			}
			if s.Metrics["memory_stable"].Value != false {
				t.Error("reported as stable")
			}
		})
	}
}

// A cycle that gets slower shows by how much.
func TestDegradation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("agent-lifecycle", func(ctx context.Context, env *stress.Env) error {
			n := 0
			return measureLifecycle(ctx, env, func() mabeam.Spec {
				n++
				time.Sleep(50 * time.Microsecond)
				if n > 9000 { // the last quarter takes 10/7 of the time
					time.Sleep(150 * time.Microsecond / 7)
				}
				return agents.Demo()
			})
		})
		s := runStep(t, cat, "", "{measure: agent-lifecycle, with: {cycles: 12000, settle_cycles: 0}}")
		wantWithin(t, "performance_degradation", value(t, s, "performance_degradation"), 0.3, 0.1)
		wantWithin(t, "cycle_time_ms p50", s.Metrics["cycle_time_ms"].Distribution.P50, 0.05, 0.02)
	})
}

// Every component of a system can be made to fail.
func TestEveryComponentCanFail(t *testing.T) {
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{noComponent}
	for _, c := range system.Startup() {
		want = append(want, c.Component)
	}
	if err := system.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range systemStartup().Params {
		if p.Name == "fail_component" && !slices.Equal(p.Choices, want) {
			t.Errorf("fail_component is one of %v, want %v", p.Choices, want)
		}
	}
}

// A failed start of a component is recovered from, and a slow component is named.
func TestStartup(t *testing.T) {
	s := runStep(t, Catalogue(), "", "{measure: system-startup, with: {fail_component: event_bus}}")
	if s.Metrics["startup_failure_recovered"].Value != true {
		t.Errorf("recovered: %v, %+v", s.Metrics["startup_failure_recovered"].Value, s.Errors)
	}
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, withRun("system-startup", func(ctx context.Context, env *stress.Env) error {
			slow := func(component string) error {
				if component == "event_bus" {
					time.Sleep(30 * time.Millisecond)
				}
				return nil
			}
			return measureStartup(ctx, env, slow)
		}), "", "{measure: system-startup}")
		wantWithin(t, "startup_time_ms", value(t, s, "startup_time_ms"), 30, 0.01)
		wantWithin(t, "component_initialization_ms", value(t, s, "component_initialization_ms"), 30, 0.01)
		wantWithin(t, "component_initialization_ms.event_bus", value(t, s, "component_initialization_ms.event_bus"), 30, 0.01)
		wantWithin(t, "ready_time_ms", value(t, s, "ready_time_ms"), 30, 0.01)
		if v := value(t, s, "component_initialization_ms.registry"); v != 0 {
			t.Errorf("component_initialization_ms.registry = %v", v)
		}
	})
}

// Every operation on the registry is counted and must succeed.
func TestRegistryOperationsCount(t *testing.T) {
	s := runStep(t, Catalogue(), "", "{measure: registry-operations, with: {lookup: 1000, register: 200, unregister: 100, agents: 50}}")
	if s.Operations != (report.Operations{Attempted: 2300, Succeeded: 2300}) {
		t.Errorf("%+v", s.Operations)
	}
	for metric, n := range map[string]int64{"lookup_time_ms": 1000, "register_time_ms": 200, "unregister_time_ms": 100} {
		if d := s.Metrics[metric].Distribution; d.Count != n {
			t.Errorf("%s of %d operations, want %d", metric, d.Count, n)
		}
	}
}

// Half of the agents of a load are killed as it begins: about half of the actions fail. A
// stalled subscriber delays its events.
func TestFaultsHitTheLoad(t *testing.T) {
	s := runStep(t, Catalogue(), "", "measure: agent-action\n    baseline: none\n    faults: [{kill_agents: 5}]\n"+
		"    with: {scenarios: [{agents: 10}], duration: 500ms, error_probes: 0, timeout_probes: 0}")
	wantWithin(t, "success rate", value(t, s, "success_rate"), 0.5, 0.2)
	if len(s.Faults) != 1 || s.Faults[0].Injected != 5 {
		t.Errorf("faults %v", s.Faults)
	}
	s = runStep(t, Catalogue(), "", "measure: event-stress\n    baseline: none\n    faults: [{stall_subscribers: 1, from: 100ms, for: 200ms}]\n"+
		"    with: {rate: 200/s, duration: 500ms, burst: 200/s, burst_duration: 100ms, subscribers: 4}")
	if d := s.Metrics["latency_ms"].Distribution; d == nil || d.Max < 180 || d.P50 > 100 {
		t.Errorf("latency %+v", d)
	}
	if value(t, s, "processed_ratio") != 1 || len(s.Faults) != 1 || s.Faults[0].Injected != 1 {
		t.Errorf("processed %v, faults %v", s.Metrics["processed_ratio"].Value, s.Faults)
	}
}

// If a few agents hold less than the noise of live memory, more agents are measured.
// Agents that do not start do not count.
func TestMemoryOfFewAgents(t *testing.T) {
	cat := withRun("agent-creation", func(ctx context.Context, env *stress.Env) error {
		return measureCreation(ctx, env, func(n int) mabeam.Spec {
			if n%2 == 1 {
				return mabeam.Spec{Type: "failing", Behaviour: failingInit{}}
			}
			return mabeam.Spec{Type: "holder", Behaviour: &holder{held: make([]byte, 16<<10)}}
		})
	})
	s := runStep(t, cat, "", "{measure: agent-creation, with: {agents: 6, compare_parallel: false}}")
	wantWithin(t, "memory_per_agent", value(t, s, "memory_per_agent"), 16<<10+800, 0.1)
	if s.Operations.Attempted != 12 {
		t.Errorf("%+v: the additional agents must not count as operations", s.Operations)
	}
}

// An agent without state takes a few hundred bytes, however few agents there are.
func TestMemoryOfOneAgent(t *testing.T) {
	s := runStep(t, Catalogue(), "", "{measure: agent-memory, with: {configs: [{count: 1}], monitor_duration: 300ms, actions_per_second: 0}}")
	for _, metric := range []string{"memory_per_agent", "memory_per_agent.demo"} {
		if v := value(t, s, metric); v < 300 || v > 2000 {
			t.Errorf("%s is %v", metric, v)
		}
	}
}

// A threshold that ends the first of several loads leaves a failed step with everything
// measured until then.
func TestAbortedBetweenLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "", `{measure: agent-action, with: {scenarios: [{agent_type: complex, action: sleep, params: {for: 2ms}, action_count: 5000}, {agent_type: complex, action: sleep, params: {for: 2ms}, action_count: 5000}]}, thresholds: {actions_per_second: {is: "> 1000", window: 500ms, abort: true}}}`)
		if s.Verdict != report.Fail {
			t.Errorf("verdict %s, errors %+v", s.Verdict, s.Errors)
		}
		wantWithin(t, "execution_time_ms", value(t, s, "execution_time_ms"), 2, 0.05)
		if n := s.Operations.Attempted; n < 200 || n > 600 {
			t.Errorf("%d operations; a second at 500/s was enough to know", n)
		}
	})
}
