package measure

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
)

// wantFailed checks that a metric has a value and failed its condition.
func wantFailed(t *testing.T, s report.Step, metric string, want float64) {
	t.Helper()
	m := s.Metrics[metric]
	if v, ok := m.Value.(float64); !ok || v != want || m.Status != report.StatusFail || s.Verdict != report.Fail {
		t.Errorf("%s is %v (%s), want %v to fail; the step's verdict is %s, errors %+v", metric, m.Value, m.Status, want, s.Verdict, s.Errors)
	}
}

// unreliable is a demo agent whose every tenth answer is wrong or, if it is forgetful,
// whose every tenth increment is lost.
type unreliable struct {
	mabeam.Behaviour
	asked     int
	forgetful bool
}

func (l *unreliable) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if l.asked++; l.asked%10 != 0 {
		return l.Behaviour.HandleAction(ctx, self, action, params)
	}
	if l.forgetful {
		return l.asked, nil
	}
	return "pang", nil
}

// withUnreliableAgents returns the catalogue with agent-action measuring unreliable
// agents.
func withUnreliableAgents(forgetful bool) stress.Catalogue {
	return withRun("agent-action", func(ctx context.Context, env *stress.Env) error {
		return measureActions(ctx, env, func(_ int, spec mabeam.Spec) mabeam.Spec {
			spec.Behaviour = &unreliable{Behaviour: spec.Behaviour, forgetful: forgetful}
			return spec
		})
	})
}

func TestWrongResultsFail(t *testing.T) {
	for action, forgetful := range map[string]bool{"ping": false, "increment": true} {
		s := runStep(t, withUnreliableAgents(forgetful), "", "{measure: agent-action, baseline: none, with: {scenarios: [{action: "+action+", action_count: 1000, agents: 2}], error_probes: 0, timeout_probes: 0, signal_probes: 0, tell_probes: 0, reply_probes: 0, life_probes: 0}}")
		wantFailed(t, s, "wrong_results", 100)
	}
}

// meddler is a demo agent whose fifth action fails and changes the system.
type meddler struct {
	mabeam.Behaviour
	asked  int
	meddle func()
}

func (m *meddler) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if m.asked++; m.asked == 5 {
		m.meddle()
		return nil, errInit
	}
	return m.Behaviour.HandleAction(ctx, self, action, params)
}

// The telemetry is checked even if an action failed.
func TestTelemetryOfFailedActions(t *testing.T) {
	for mismatches, meddle := range map[float64]func(*mabeam.System){
		0: func(*mabeam.System) {},
		1: func(s *mabeam.System) { _, _ = s.StartAgent(context.Background(), agents.Demo()) },
		2: func(s *mabeam.System) { // more failed actions than requested, and an agent
			id, _ := s.StartAgent(context.Background(), agents.Demo())
			_, _ = s.Execute(context.Background(), id, "simulate_error", nil)
		},
	} {
		cat := withRun("agent-action", func(ctx context.Context, env *stress.Env) error {
			return measureActions(ctx, env, func(_ int, spec mabeam.Spec) mabeam.Spec {
				spec.Behaviour = &meddler{Behaviour: spec.Behaviour, meddle: func() { meddle(env.System()) }}
				return spec
			})
		})
		s := runStep(t, cat, "", "{measure: agent-action, baseline: none, with: {scenarios: [{action_count: 1000}], error_probes: 0, timeout_probes: 0, signal_probes: 0, tell_probes: 0, reply_probes: 0, life_probes: 0}}")
		if v := value(t, s, "telemetry_mismatches"); v != mismatches || s.Operations.Failed != 1 {
			t.Errorf("%v mismatches, want %v; %+v", v, mismatches, s.Errors)
		}
	}
}

// An agent that does not start without reason is a wrong result.
func TestWrongStartsFail(t *testing.T) {
	cat := withRun("agent-creation", func(ctx context.Context, env *stress.Env) error {
		n := 0
		return measureCreation(ctx, env, func(int) mabeam.Spec {
			spec := agents.Demo()
			if n++; n == 500 {
				spec.Behaviour = failing{spec.Behaviour}
			}
			return spec
		})
	})
	s := runStep(t, cat, "", "{measure: agent-creation, baseline: none, with: {agents: 1000, fail_every: 2000, compare_parallel: false}}")
	if v := value(t, s, "wrong_results"); v != 0 { // the error is that of a failingInit, but the agent is none
		wantFailed(t, s, "wrong_results", v)
	} else {
		t.Error("a start that failed without reason is not a wrong result")
	}
}

// slowToStop is a demo agent that takes long to stop.
type slowToStop struct{ mabeam.Behaviour }

func (slowToStop) Terminate(context.Context, *mabeam.Agent, error) {
	time.Sleep(200 * time.Millisecond)
}

// Agents that get slow to stop, so that several callers are cut off, are all stopped in
// the end.
func TestAllAgentsStopAfterSlowStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, withRun("agent-creation", func(ctx context.Context, env *stress.Env) error {
			return measureCreation(ctx, env, func(n int) mabeam.Spec {
				spec := agents.Demo()
				if n >= 1000 {
					spec.Behaviour = slowToStop{spec.Behaviour}
				}
				return spec
			})
		}), "", "{measure: agent-creation, baseline: none, with: {agents: 2000, concurrency: 4, compare_parallel: false}}")
		for _, metric := range []string{"leaked_registrations", "registration_errors", "telemetry_mismatches", "wrong_results"} {
			if v := value(t, s, metric); v != 0 {
				t.Errorf("%s is %v; %+v", metric, v, s.Errors)
			}
		}
	})
}

// slowAgain is an agent whose second start takes long.
type slowAgain struct {
	mabeam.Behaviour
	lives map[life]int
}

// A life identifies an agent by system and id.
type life struct {
	system *mabeam.System
	id     string
}

func (s slowAgain) Init(ctx context.Context, self *mabeam.Agent) error {
	of := life{self.System(), self.ID()}
	if s.lives[of]++; s.lives[of] > 1 {
		time.Sleep(500 * time.Millisecond)
	}
	return s.Behaviour.Init(ctx, self)
}

// Restarts that are half a second late fail their condition instead of a timeout.
func TestLateRestartsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := map[life]int{}
		cat := sandboxesOf(func(b mabeam.Behaviour) mabeam.Behaviour { return slowAgain{b, lives} }, nil)
		s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 12, agents: 3, concurrency: 1}}")
		wantWithin(t, "restart_time_ms", value(t, s, "restart_time_ms"), 500, 0.02)
		if s.Verdict != report.Fail || s.Metrics["restart_time_ms"].Status != report.StatusFail {
			t.Errorf("%s, %+v", s.Verdict, s.Metrics["restart_time_ms"])
		}
	})
}

// If the start of a component is not reported, the sum of all is not measured.
func TestUnreportedComponents(t *testing.T) {
	cat := withRun("system-startup", func(_ context.Context, env *stress.Env) error {
		reportComponentTimes(env, nil)
		env.Operations(1, 0, 0)
		return nil
	})
	s := runStep(t, cat, "", "{measure: system-startup, baseline: none}")
	if m := s.Metrics["component_initialization_ms"]; m.Value != nil || errorCount(s, "component_initialization_ms was not measured") != 1 {
		t.Errorf("component_initialization_ms is %v; %+v", m.Value, s.Errors)
	}
}

// withGuardedCalls returns the catalogue with process-limit checking only the guards.
func withGuardedCalls(wrap conformance.CallWrap) stress.Catalogue {
	return withRun("process-limit", func(ctx context.Context, env *stress.Env) error {
		env.Operations(1, 0, 0)
		return conformance.CheckGuards(ctx, env, env.Options(), wrap)
	})
}

// The limits and rates of a scenario do not affect the checks of guards.
func TestGuardsOfALimitedSystem(t *testing.T) {
	s := runStep(t, withGuardedCalls(nil), "system: {max_agents: 1}", "{measure: process-limit, baseline: none}")
	if v := value(t, s, "guard_rules_broken"); v != 0 {
		t.Errorf("%v rules are broken: %+v", v, s.Errors)
	}
}

// If the limits leave no room for an agent, the components are checked on another system.
func TestComponentsOfAFullSystem(t *testing.T) {
	s := runStep(t, Catalogue(), "system: {max_agents: 5}", "{measure: system-startup, baseline: none, with: {agents: 5}}")
	if v := value(t, s, "components_not_working"); v != 0 {
		t.Errorf("%v components do not work: %+v", v, s.Errors)
	}
}

// A violation of a rule fails the step, and the errors explain it.
func TestBrokenRulesFail(t *testing.T) {
	for measurement, metrics := range map[string][]string{
		"agent-creation":    {"wrong_results", "registration_errors"},
		"agent-action":      {"signals_lost", "signals_out_of_order", "tells_lost", "tells_out_of_order", "overlaps", "replies_wrong", "agent_rules_broken"},
		"agent-lifecycle":   {"registration_errors"},
		"system-startup":    {"components_not_working", "component_times_wrong"},
		"sandbox-lifecycle": {"supervision_rules_broken"},
		"coordination":      {"wrong_results"},
		"event-propagation": {"bus_rules_broken", "pattern_mismatches"},
		"process-limit":     {"guard_rules_broken", "deadlines_missed"},
	} {
		for _, metric := range metrics {
			cat := withRun(measurement, func(_ context.Context, env *stress.Env) error {
				c := conformance.NewChecker(env, metric)
				c.Add(0, "none")
				c.Expect(true, "none")
				c.Expect(false, "one")
				c.Add(2, "two")
				c.Report()
				env.Operations(1, 0, 0)
				return nil
			})
			s := runStep(t, cat, "", "{measure: "+measurement+", baseline: none, repeat: 2}")
			wantFailed(t, s, metric, 6)
			if errorCount(s, metric+": none") != 0 || errorCount(s, metric+": one") != 2 || errorCount(s, metric+": two") != 4 {
				t.Errorf("%+v", s.Errors)
			}
		}
	}
}

// Impossible results are detected, and unknown actions accept all results.
func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		agent, action string
		params        map[string]any
		result        any
		right         bool
	}{
		{"demo", "ping", nil, "pong", true},
		{"demo", "ping", nil, nil, false},
		{"demo", "increment", map[string]any{"amount": 3}, 6, true},
		{"demo", "increment", map[string]any{"amount": 3}, 7, false},
		{"demo", "increment", nil, 0, false},
		{"complex", "work", nil, 1, true},
		{"complex", "sleep", nil, "?", false},
		{"demo", "get_state", nil, agents.DemoState{}, true},
		{"demo", "anything", nil, "?", true},
	} {
		e := resultCheckOf(c.agent, c.action, c.params)
		var a actionCounts
		if err := a.record(e, c.result, nil); errors.Is(err, errWrongResult) == c.right {
			t.Errorf("%s of %s is %v: %v", c.action, c.agent, c.result, err)
		}
	}
}
