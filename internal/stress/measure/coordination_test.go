package measure

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// slowMember takes 2 ms for each action.
type slowMember struct{ member }

func (m *slowMember) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	time.Sleep(2 * time.Millisecond)
	return m.member.HandleAction(ctx, self, action, params)
}

// With agents that take 2 ms for everything, what an operation takes is known,
// and four teams that do not disturb each other do four times as much.
func TestCoordinationOfSlowAgents(t *testing.T) {
	for kind, want := range map[string]float64{
		"simple": 2, "complex": 4, "fan-out": 2, "pipeline": 10, "barrier": 4, "vote": 2, "election": 2, "auction": 2,
		"mixed": (2 + 4 + 2 + 10 + 4 + 2 + 2 + 2) / 8.0,
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := with("coordination", func(ctx context.Context, env *stress.Env) error {
					return measureCoordination(ctx, env, func(rank int) mabeam.Behaviour { return &slowMember{member{rank: rank}} })
				})
				s := onlyStep(t, cat, "", "{measure: coordination, with: {agents: 5, operations: 64, type: "+kind+"}}")
				within(t, "coordination_latency_ms", value(t, s, "coordination_latency_ms"), want, 0.01)
				within(t, "throughput_operations_per_sec", value(t, s, "throughput_operations_per_sec"), 1000/want, 0.01)
				within(t, "scalability_factor", value(t, s, "scalability_factor"), 4, 0.01)
				within(t, "success_rate", value(t, s, "success_rate"), 1, 0)
				if len(s.Errors) > 0 {
					t.Errorf("%+v", s.Errors)
				}
				// 64 operations of one team, and 4 × 64 of four.
				if s.Operations.Succeeded != 320 {
					t.Errorf("%+v", s.Operations)
				}
			})
		})
	}
}

// Of five agents the third is dead: what does without it goes on, all else
// fails, and the report says who did not answer and what it cost.
func TestDeadAgentIsNamed(t *testing.T) {
	for _, failure := range []string{killedAgents, silentAgents} {
		for kind, success := range map[string]float64{
			"simple": 0.8, "complex": 0, "fan-out": 0, "pipeline": 0, "barrier": 0, "vote": 1, "election": 1, "auction": 1, "mixed": 3 / 8.0,
		} {
			t.Run(failure+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := onlyStep(t, Catalogue(), "", fmt.Sprintf(
						"{measure: coordination, with: {agents: 5, operations: 160, fail_agents: 1, timeout: 100ms, failure: %s, type: %s}}", failure, kind))
					if kind == "mixed" { // a request in eight, and every fifth of these is for the third
						success += 0.8 / 8
					}
					within(t, "success_rate", value(t, s, "success_rate"), success, 1e-9)
					within(t, "failure_impact", value(t, s, "failure_impact"), 1-success, 1e-9)
					told := fmt.Sprint(s.Errors)
					cost := failure + " on purpose by fail_agents: agent 3. What it cost: success rate "
					if !strings.Contains(told, "agent 3 did not answer: ") || !strings.Contains(told, cost) {
						t.Errorf("told %s", told)
					}
					for _, other := range []string{"agent 2", "agent 4", "agent 5"} {
						if strings.Contains(told, other) {
							t.Errorf("blames %s: %s", other, told)
						}
					}
					if failure == silentAgents && kind != "simple" && kind != "mixed" {
						within(t, "coordination_latency_ms", value(t, s, "coordination_latency_ms"), 100, 0.01)
					}
				})
			})
		}
	}
}

// An agent that gives wrong answers makes operations fail, and is named too.
func TestWrongAnswersAreNoSuccess(t *testing.T) {
	cat := with("coordination", func(ctx context.Context, env *stress.Env) error {
		return measureCoordination(ctx, env, func(rank int) mabeam.Behaviour {
			if rank == 2 {
				return liar{}
			}
			return &member{rank: rank}
		})
	})
	for kind, told := range map[string]string{
		"complex":  "agent 2 (",
		"pipeline": errWrongAnswer.Error(),
		"election": errWrongWinner.Error(),
		"auction":  errWrongWinner.Error(),
	} {
		s := onlyStep(t, cat, "", "{measure: coordination, with: {agents: 3, operations: 20, type: "+kind+"}}")
		if v := value(t, s, "success_rate"); v != 0 || !strings.Contains(fmt.Sprint(s.Errors), told) {
			t.Errorf("%s: success rate %v, told %+v", kind, v, s.Errors)
		}
	}
}

// liar says 42 to everything.
type liar struct{ mabeam.Defaults }

func (liar) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) { return 42, nil }

// Somebody has to be left.
func TestNotAllAgentsCanFail(t *testing.T) {
	err := coordination().Check(stress.Params{"agents": 3, "fail_agents": 3})
	if err == nil || coordination().Check(stress.Params{"agents": 3, "fail_agents": 2}) != nil {
		t.Errorf("%v", err)
	}
}
