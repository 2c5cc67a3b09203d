package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// errorCount is how often an error that contains the text was reported.
func errorCount(s report.Step, text string) (n int64) {
	for _, e := range s.Errors {
		if strings.Contains(e.Message, text) {
			n += e.Count
		}
	}
	return n
}

// A tenth of the agents is killed halfway: a tenth of the later operations fails, and the
// report counts the ended agents.
func TestKilledAgentsOfALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "", "measure: system-load\n    baseline: none\n    faults: [{kill_agents: 10, from: 1s}, {stall_subscribers: 1, from: 1s, for: 100ms}]\n"+
			"    with: {agents: 100, rate: 1000/s, duration: 2s, mix: {ping: 1}, subscribers: 2}")
		if s.Operations != (report.Operations{Attempted: 2000, Succeeded: 1900, Failed: 100}) {
			t.Errorf("%+v", s.Operations)
		}
		if n := errorCount(s, "of 100 agents, those that faults ended"); n != 10 {
			t.Errorf("%d agents are reported as ended, errors %+v", n, s.Errors)
		}
		// Half of the windows had 10 % errors.
		wantWithin(t, "stability_score", value(t, s, "stability_score"), 0.5, 0.11)
	})
}

// If one of five agents is killed during coordinations, the report names it. The best of
// the others wins an election.
func TestKilledAgentOfATeam(t *testing.T) {
	for _, kind := range []string{"fan-out", "election", "auction"} {
		t.Run(kind, func(t *testing.T) {
			s := runStep(t, Catalogue(), "", "measure: coordination\n    baseline: none\n    faults: [{kill_agents: 8}]\n"+
				"    with: {agents: 5, operations: 2000, type: "+kind+"}")
			if s.Faults[0].Injected != 8 {
				t.Fatalf("faults %v, errors %+v", s.Faults, s.Errors)
			}
			if errorCount(s, "did not answer: unknown agent") == 0 {
				t.Errorf("no agent is reported as missing: %+v", s.Errors)
			}
			if n := errorCount(s, errWrongWinner.Error()); n > 0 {
				t.Errorf("the best of the remaining agents is reported as a wrong winner %d times", n)
			}
		})
	}
}

// One of two subscribers is killed. It loses its queue, is restarted, and receives
// everything published later. What it missed is reported, and nothing else.
func TestKilledSubscriber(t *testing.T) {
	for kind, crashed := range map[string]int64{"kill_agents": 0, "panic_agents": 1} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tel mabeam.Telemetry
				cat := withRun("event-stress", func(ctx context.Context, env *stress.Env) error {
					slow := func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
						return env.Subscriber(i, func(ctx context.Context, e mabeam.Event) {
							time.Sleep(500 * time.Microsecond) // it is busy half of the time
							handler(ctx, e)
						})
					}
					err := measureStress(ctx, env, slow)
					tel = env.System().Telemetry()
					return err
				})
				s := runStep(t, cat, "", "measure: event-stress\n    baseline: none\n    faults: [{"+kind+": 1, from: 1s}, {stall_subscribers: 1, from: 500ms, for: 100ms}]\n"+
					"    with: {rate: 1000/s, duration: 2s, burst: 1000/s, burst_duration: 100ms, subscribers: 2}")
				if s.Faults[0].Injected != 1 || s.Faults[1].Injected != 1 || tel.AgentsRestarted != 1 {
					t.Fatalf("faults %v, %d restarts, errors %+v", s.Faults, tel.AgentsRestarted, s.Errors)
				}
				if tel.AgentsCrashed != crashed {
					t.Errorf("%d agents crashed", tel.AgentsCrashed)
				}
				missed := errorCount(s, "dropped by the bus") + errorCount(s, "was restarting")
				due, made := 2100*2.0, 2*value(t, s, "events_processed")
				if made+float64(missed) != due || missed > 20 || errorCount(s, "lost") > 0 {
					t.Errorf("%v deliveries made and %d reported as missed, of %v; errors %+v", made, missed, due, s.Errors)
				}
				if value(t, s, "recovery_time_ms") > 100 || value(t, s, "backlog_max") < 50 {
					t.Errorf("recovery %v ms, backlog %v", value(t, s, "recovery_time_ms"), value(t, s, "backlog_max"))
				}
			})
		})
	}
}

// If faults end a third of the agents, only the data of the others is compared with their
// acknowledgements.
func TestDataOfSurvivors(t *testing.T) {
	for _, c := range []struct {
		faults             string
		consistent         any
		restarts, survived int
	}{
		{"{kill_agents: 10}", true, 10, 20},
		{"{panic_agents: 10}", true, 10, 20},
		{"{crash_component: event_bus}, {crash_component: registry}", true, 2, 30},
		{"{crash_component: agents}", nil, 31, 0},
	} {
		for _, wrong := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wrong %v", c.faults, wrong), func(t *testing.T) {
				var s report.Step
				hit, again := map[string]int{}, 0
				synctest.Test(t, func(t *testing.T) {
					cat := withRun("exhaustion-recovery", func(ctx context.Context, env *stress.Env) error {
						return measureExhaustion(ctx, env, func() mabeam.Behaviour {
							return brokenLedger{adds: new(int), do: func(add int, self *mabeam.Agent) {
								time.Sleep(time.Millisecond)
								if wrong && add == 50 {
									self.SetState(self.State().(int64) - 1)
								}
							}}
						}, nil)
					})
					s = runStep(t, cat, "", "measure: exhaustion-recovery\n    baseline: none\n    faults: ["+c.faults+"]\n"+
						"    with: {scenarios: [agents], agents: 30, operations: 900}", func(e stream.Event) {
						if e.Fault != nil {
							again += min(hit[e.Fault.Target], 1)
							hit[e.Fault.Target]++
						}
					})
				})
				want, inconsistent := c.consistent, int64(0)
				if wrong && c.survived > 0 {
					// An agent that was hit is restarted at once, and may be hit again.
					want, inconsistent = false, int64(c.survived+again)
				}
				if got := s.Metrics["data_consistent"].Value; got != want || errorCount(s, "does not match what they acknowledged") != inconsistent {
					t.Errorf("consistent %v, want %v; errors %+v", got, want, s.Errors)
				}
				if got := value(t, s, "component_restarts"); got != float64(c.restarts) {
					t.Errorf("%v restarts, want %d", got, c.restarts)
				}
			})
		}
	}
}

// The components of each measurement can be crashed if its load runs on a system that
// faults can find. The others have no load, or separate systems.
func TestWhoseComponentsCanCrash(t *testing.T) {
	var not []string
	for _, m := range Catalogue() {
		if !slices.Contains(m.Targets, scenario.TargetComponents) {
			not = append(not, m.Name)
		}
	}
	if want := []string{"system-startup", "sandbox-lifecycle"}; !slices.Equal(not, want) {
		t.Errorf("without components to crash: %v, want %v", not, want)
	}
}
