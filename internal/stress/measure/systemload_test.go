package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// slowingAgent answers 1,000 requests a second at first, and a share less from some time
// on.
type slowingAgent struct {
	mabeam.Defaults
	since  time.Time
	after  time.Duration
	slower float64
}

func (a *slowingAgent) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	took := time.Millisecond
	if time.Since(a.since) >= a.after {
		took = time.Duration(float64(took) / (1 - a.slower))
	}
	time.Sleep(took)
	return nil, nil
}

// A system that slows down by 30 % after half of the load shows that. One that does not,
// or that still keeps up, shows no degradation.
func TestLoadThatSlowsDown(t *testing.T) {
	for _, c := range []struct{ slower, rate, want float64 }{
		{0.3, 1000, 0.3}, {0.5, 1000, 0.5}, {0, 1000, 0}, {0.3, 500, 0},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
					start := time.Now()
					return measureLoad(ctx, env, func() mabeam.Spec {
						return mabeam.Spec{Type: "aging", Behaviour: &slowingAgent{since: start, after: 5 * time.Second, slower: c.slower}}
					})
				})
				s := runStep(t, cat, "", fmt.Sprintf("{measure: system-load, with: {agents: 1, rate: %v/s, duration: 10s, mix: {ping: 1}}}", c.rate))
				if got := value(t, s, "performance_degradation"); math.Abs(got-c.want) > 0.03 {
					t.Errorf("performance_degradation %v, want %v ± 0.03", got, c.want)
				}
				stable := 1.0
				if c.want > 0 {
					stable = 0.5 // in the second half, less than 90 % is done
				}
				if got := value(t, s, "stability_score"); math.Abs(got-stable) > 0.03 {
					t.Errorf("stability_score %v, want %v", got, stable)
				}
				wantWithin(t, "offered_rate", value(t, s, "offered_rate"), c.rate, 0.001)
			})
		})
	}
}

// The load is exactly the requested one, and its mix follows the weights.
func TestLoadIsAsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var actions atomic.Int64
		cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
			err := measureLoad(ctx, env, agents.Demo)
			actions.Store(env.System().Telemetry().ActionsDone)
			return err
		})
		s := runStep(t, cat, "", "{measure: system-load, with: {agents: 100, rate: 5000/s, duration: 2s, mix: {ping: 30, increment: 30, publish: 40}}}")
		if s.Operations != (report.Operations{Attempted: 10000, Succeeded: 10000}) {
			t.Errorf("%+v", s.Operations)
		}
		wantWithin(t, "actions in the mix", float64(actions.Load()), 6000, 0.05)
		wantWithin(t, "offered_rate", value(t, s, "offered_rate"), 5000, 0.001)
		wantWithin(t, "load_capacity_operations_per_sec", value(t, s, "load_capacity_operations_per_sec"), 5000, 0.001)
		for metric, want := range map[string]float64{
			"load_balance": 1, "stability_score": 1, "performance_degradation": 0, "max_concurrent_agents": 100, "latency_ms": 0,
		} {
			if v := value(t, s, metric); math.Abs(v-want) > 1e-9 {
				t.Errorf("%s = %v, want %v", metric, v, want)
			}
		}
		if len(s.Errors) > 0 {
			t.Errorf("%+v", s.Errors)
		}
	})
}

// broken fails every action.
type broken struct{ mabeam.Defaults }

func (broken) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, errOnPurpose
}

var errOnPurpose = errors.New("fails on purpose")

// Every fourth agent fails all actions: the others do three quarters of the work, and
// every window has errors.
func TestUnevenLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
			n := 0
			return measureLoad(ctx, env, func() mabeam.Spec {
				if n++; n%4 == 0 {
					return mabeam.Spec{Type: "broken", Behaviour: broken{}}
				}
				return agents.Demo()
			})
		})
		s := runStep(t, cat, "", "{measure: system-load, with: {agents: 8, rate: 1000/s, duration: 1s, mix: {ping: 1}}}")
		wantWithin(t, "load_balance", value(t, s, "load_balance"), 0.75, 1e-9)
		wantWithin(t, "load_capacity_operations_per_sec", value(t, s, "load_capacity_operations_per_sec"), 750, 0.001)
		if v := value(t, s, "stability_score"); v != 0 || s.Operations.Failed != 250 {
			t.Errorf("stability score %v, %+v", v, s.Operations)
		}
	})
}

// A limit on agents results in fewer agents, and an error that says so.
func TestLoadOnFewerAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "system: {max_agents: 50}", "{measure: system-load, with: {agents: 100, rate: 1000/s, duration: 1s}}")
		if v := value(t, s, "max_concurrent_agents"); v != 50 || s.Verdict != report.Fail {
			t.Errorf("%v agents, %s", v, s.Verdict)
		}
		if reported := fmt.Sprint(s.Errors); !strings.Contains(reported, "only 50 of 100 agents were started") {
			t.Errorf("errors %s", reported)
		}
	})
}

// While this process uses every processor, the load is late because of the system itself,
// and the step does not pass. On a machine that is also busy otherwise, the step is
// inconclusive.
func TestLoadOfAStarvedGenerator(t *testing.T) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for turns := 0; !stop.Load(); {
				turns++
			}
		})
	}
	// Without floors the engine measures no reference workloads, which would take most of
	// the time.
	baselines, err := verdict.ParseBaselines([]byte(`system_load: {
		max_concurrent_agents: {value: 1000, better: higher}, load_capacity_operations_per_sec: {value: 5000, better: higher},
		performance_degradation: {value: 0.1, better: lower}, stability_score: {value: 0.95, better: higher}}`))
	if err != nil {
		t.Fatal(err)
	}
	r := runEngine(t, stress.Engine{Catalogue: Catalogue(), Baselines: baselines}, "name: s\ntitle: S\nsteps:\n  - {measure: system-load, with: {agents: 10, rate: 1000/s, duration: 400ms}}\n")
	s := r.Scenarios[0].Steps[0]
	stop.Store(true)
	wg.Wait()
	reported := fmt.Sprint(s.Errors)
	own := s.Verdict == report.Fail && strings.Contains(reported, "late because of the system under test")
	others := s.Verdict == report.Inconclusive && strings.Contains(reported, "the load was not delivered")
	if own == others {
		t.Errorf("%s, %+v, %+v", s.Verdict, s.Errors, s.Operations)
	}
}

func TestFairness(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		want   float64
	}{
		{nil, 0}, {[]float64{0, 0}, 0}, {[]float64{5, 5, 5}, 1}, {[]float64{9, 0, 0}, 1.0 / 3}, {[]float64{2, 1}, 0.9},
	} {
		if got := fairness(c.shares); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v, want %v", c.shares, got, c.want)
		}
	}
}

// alteringAgent is a demo agent that changes its answers or its state.
type alteringAgent struct {
	mabeam.Behaviour
	lie func(action string, self *mabeam.Agent, answer any) any
}

func (l alteringAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	answer, err := l.Behaviour.HandleAction(ctx, self, action, params)
	return l.lie(action, self, answer), err
}

// An agent with wrong answers, or that forgets or repeats increments, is detected.
func TestWrongResultsOfALoad(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(action string, self *mabeam.Agent, answer any) any
		most float64
	}{
		"true": {func(_ string, _ *mabeam.Agent, answer any) any { return answer }, 0},
		"ping": {func(action string, _ *mabeam.Agent, answer any) any {
			if action == "ping" {
				return "ping"
			}
			return answer
		}, 1000},
		"forgets": {func(_ string, self *mabeam.Agent, answer any) any {
			if n, ok := answer.(int); ok && n%3 == 0 {
				self.SetState(agents.DemoState{Counter: n - 1})
			}
			return answer
		}, 20},
		"wrong answer": {func(_ string, _ *mabeam.Agent, answer any) any {
			if n, ok := answer.(int); ok && n == 2 {
				return 1
			}
			return answer
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
					return measureLoad(ctx, env, func() mabeam.Spec {
						spec := agents.Demo()
						spec.Behaviour = alteringAgent{spec.Behaviour, test.lie}
						return spec
					})
				})
				s := runStep(t, cat, "", "{measure: system-load, baseline: none, with: {agents: 10, rate: 1000/s, duration: 1s, mix: {ping: 1, increment: 1}}}")
				v := value(t, s, "wrong_results")
				if (v > 0) != (test.most > 0) || v > test.most || (s.Verdict == report.Fail) != (test.most > 0) {
					t.Errorf("%v wrong results, %s, %+v", v, s.Verdict, s.Errors)
				}
			})
		})
	}
}

// An agent that ends by itself during the load is a failure.
func TestAgentsThatEndDuringALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls := 0
		cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
			return measureLoad(ctx, env, func() mabeam.Spec {
				spec := agents.Demo()
				spec.Behaviour = alteringAgent{spec.Behaviour, func(_ string, _ *mabeam.Agent, answer any) any {
					mu.Lock()
					defer mu.Unlock()
					if calls++; calls == 200 {
						panic("ends")
					}
					return answer
				}}
				return spec
			})
		})
		s := runStep(t, cat, "", "{measure: system-load, baseline: none, with: {agents: 10, rate: 1000/s, duration: 1s, mix: {ping: 1}}}")
		if value(t, s, "max_concurrent_agents") != 9 || s.Metrics["all_agents_alive"].Value != false || errorCount(s, "that had ended by the end of the load") != 1 {
			t.Errorf("%v alive, %+v", value(t, s, "max_concurrent_agents"), s.Errors)
		}
	})
}
