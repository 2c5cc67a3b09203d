package measure

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
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
		return nil, errSpy
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

func TestCompareSequence(t *testing.T) {
	for _, c := range []struct {
		got, due       []int
		lost, disorder int64
	}{
		{nil, nil, 0, 0},
		{[]int{1, 2, 3}, []int{1, 2, 3}, 0, 0},
		{[]int{1, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{1, 2, 2, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{1, 9, 2, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{2, 1, 3}, []int{1, 2, 3}, 0, 1},
		{nil, []int{1, 2, 3}, 3, 0},
	} {
		if lost, disorder := compareSequence(c.got, c.due); lost != c.lost || disorder != c.disorder {
			t.Errorf("%v of %v: %d lost and %d out of order, want %d and %d", c.got, c.due, lost, disorder, c.lost, c.disorder)
		}
	}
}

// Signals are due by priority, and by the order of sending within a priority.
func TestCompareSignals(t *testing.T) {
	signal := func(n int, p mabeam.Priority) mabeam.Signal { return mabeam.Signal{Data: n, Priority: p} }
	sent := []mabeam.Signal{signal(0, mabeam.Low), signal(1, mabeam.Normal), signal(2, mabeam.High), signal(3, mabeam.High)}
	if lost, disorder := compareSignals([]mabeam.Signal{sent[2], sent[3], sent[1], sent[0]}, sent); lost != 0 || disorder != 0 {
		t.Errorf("by priority: %d lost, %d out of order", lost, disorder)
	}
	if lost, disorder := compareSignals(sent, sent); lost != 0 || disorder == 0 {
		t.Errorf("as sent: %d lost, %d out of order", lost, disorder)
	}
}

func TestCompareListing(t *testing.T) {
	a, b, other := mabeam.Record{ID: "a"}.Entry(), mabeam.Record{ID: "b"}.Entry(), mabeam.Record{ID: "c"}.Entry()
	for _, c := range []struct {
		listed           []mabeam.Entry
		missing, strange int64
	}{
		{[]mabeam.Entry{a, b}, 0, 0},
		{[]mabeam.Entry{a}, 1, 0},
		{[]mabeam.Entry{a, b, b}, 0, 1},
		{[]mabeam.Entry{a, other}, 1, 1},
	} {
		if missing, strange := compareListing(c.listed, []string{"a", "b"}); missing != c.missing || strange != c.strange {
			t.Errorf("%d entries: %d missing and %d strange, want %d and %d", len(c.listed), missing, strange, c.missing, c.strange)
		}
	}
}

// A registration without an agent and an agent without a registration are detected.
func TestWrongListingsFail(t *testing.T) {
	cat := withRun("agent-lifecycle", func(_ context.Context, env *stress.Env) error {
		v := newChecker(env, "registration_errors")
		living := liveAgents{"gone": {Type: "t", Capabilities: []string{"c"}}}
		if err := env.System().Registry().Register(mabeam.Record{ID: "stranger", Type: "t", Capabilities: []string{"c"}}); err != nil {
			return err
		}
		living.check(v, env.System())
		v.report()
		env.Operations(1, 0, 0)
		return nil
	})
	// One lookup, one missing and one strange entry by type and by capability, one missing
	// by node (the stranger has none), and one missing and one strange in the list of all.
	wantFailed(t, runStep(t, cat, "", "{measure: agent-lifecycle, baseline: none}"), "registration_errors", 1+2+2+1+2)
}

// A supervised group whose children did not start as often as expected is a violation.
func TestWrongLivesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("sandbox-lifecycle", func(ctx context.Context, env *stress.Env) error {
			broken := newChecker(env, "supervision_rules_broken")
			err := withFixture(ctx, broken, 1, func(ctx context.Context, f *fixture) error {
				g, err := startSupervisedGroup(ctx, f, "group", supervision.Spec{})
				if err != nil {
					return err
				}
				g.kill(1)
				g.expectStarts(ctx, "right", 1, 2, 1)
				g.expectStarts(ctx, "wrong", 1, 2, 2)
				g.expectStarts(ctx, "wrong", 1, 1, 1)
				return nil
			})
			broken.report()
			env.Operations(1, 0, 0)
			return err
		})
		wantFailed(t, runStep(t, cat, "", "{measure: sandbox-lifecycle}"), "supervision_rules_broken", 2)
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

// Groups whose reported times exceed the whole start are detected.
func TestStartTimesFitInto(t *testing.T) {
	parts := []mabeam.ComponentStart{{Component: "a", Group: "1", Took: 3}, {Component: "b", Group: "1", Took: 4}, {Component: "c", Group: "2", Took: 5}}
	if !fitsInto(parts, 9) || fitsInto(parts, 8) {
		t.Error("4 + 5 do not fit into 9, or fit into 8")
	}
}

// A component whose start is not reported, or reported twice, is missing.
func TestUnreportedComponents(t *testing.T) {
	if missing := missingComponents(nil); !slices.Equal(missing, components) {
		t.Errorf("of a system that reports nothing, %v are missing", missing)
	}
	var parts []mabeam.ComponentStart
	for _, name := range components[1:] {
		parts = append(parts, mabeam.ComponentStart{Component: name})
	}
	parts = append(parts, parts[0])
	if missing := missingComponents(parts); !slices.Equal(missing, components[:2]) {
		t.Errorf("missing are %v, want %v", missing, components[:2])
	}
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
	for limit, room := range map[int]bool{1: false, 2: true} {
		system, err := mabeam.Start(context.Background(), mabeam.Options{MaxAgents: limit})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := system.StartAgent(t.Context(), agents.Demo()); err != nil {
			t.Error(err)
		}
		if got := checkComponents(t.Context(), system, newChecker(nil, "")); got != room {
			t.Errorf("with a limit of %d there is room: %v", limit, got)
		}
		if err := system.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A checker counts each violation once and explains it.
func TestChecker(t *testing.T) {
	cat := withRun("agent-creation", func(_ context.Context, env *stress.Env) error {
		v := newChecker(env, "wrong_results")
		v.add(0, "none")
		v.expect(true, "none")
		v.expect(false, "one")
		v.add(2, "two")
		v.report()
		env.Operations(1, 0, 0)
		return nil
	})
	s := runStep(t, cat, "", "{measure: agent-creation, baseline: none, repeat: 2}")
	wantFailed(t, s, "wrong_results", 6)
	if slices.ContainsFunc(s.Errors, func(e report.Error) bool { return e.Message == "wrong_results: none" }) || len(s.Errors) != 2 {
		t.Errorf("%+v", s.Errors)
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
