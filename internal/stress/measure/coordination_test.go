package measure

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// slowMember takes 2 ms for each action.
type slowMember struct{ member }

func (m *slowMember) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	time.Sleep(2 * time.Millisecond)
	return m.member.HandleAction(ctx, self, action, params)
}

// If agents take 2 ms for each action, the time of each operation is known, and four
// independent groups do four times as much.
func TestCoordinationOfSlowAgents(t *testing.T) {
	for kind, want := range map[string]float64{
		"simple": 2, "complex": 4, "fan-out": 2, "pipeline": 10, "barrier": 4, "vote": 2, "election": 2, "auction": 2,
		"mixed": (2 + 4 + 2 + 10 + 4 + 2 + 2 + 2) / 8.0,
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRun("coordination", func(ctx context.Context, env *stress.Env) error {
					return measureCoordination(ctx, env, runtimeCoordinator{env.System()}, func(rank int) mabeam.Behaviour { return &slowMember{member{rank: rank}} })
				})
				s := runStep(t, cat, "", "{measure: coordination, with: {agents: 5, operations: 64, type: "+kind+"}}")
				wantWithin(t, "coordination_latency_ms", value(t, s, "coordination_latency_ms"), want, 0.01)
				wantWithin(t, "throughput_operations_per_sec", value(t, s, "throughput_operations_per_sec"), 1000/want, 0.01)
				wantWithin(t, "scalability_factor", value(t, s, "scalability_factor"), 4, 0.01)
				wantWithin(t, "success_rate", value(t, s, "success_rate"), 1, 0)
				for _, metric := range []string{"wrong_results", "answers_missing", "telemetry_mismatches"} {
					wantWithin(t, metric, value(t, s, metric), 0, 0)
				}
				if len(s.Errors) > 0 {
					t.Errorf("%+v", s.Errors)
				}
				// 64 operations of one group, and 4 × 64 of four.
				if s.Operations.Succeeded != 320 {
					t.Errorf("%+v", s.Operations)
				}
			})
		})
	}
}

// The third of five agents is dead. Operations that can do without it succeed, others
// fail, and the report names the agent and the cost.
func TestDeadAgentIsNamed(t *testing.T) {
	for _, failure := range []string{killedAgents, silentAgents} {
		for kind, success := range map[string]float64{
			"simple": 0.8, "complex": 0, "fan-out": 0, "pipeline": 0, "barrier": 0, "vote": 1, "election": 1, "auction": 1, "mixed": 3 / 8.0,
		} {
			t.Run(failure+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := runStep(t, Catalogue(), "", fmt.Sprintf(
						"{measure: coordination, with: {agents: 5, operations: 160, fail_agents: 1, timeout: 100ms, failure: %s, type: %s}}", failure, kind))
					if kind == "mixed" { // one operation in eight is a request, and every fifth of these goes to the third agent
						success += 0.8 / 8
					}
					wantWithin(t, "success_rate", value(t, s, "success_rate"), success, 1e-9)
					wantWithin(t, "failure_impact", value(t, s, "failure_impact"), 1-success, 1e-9)
					reported := fmt.Sprint(s.Errors)
					cost := failure + " on purpose by fail_agents: agent 3. Effect: success rate "
					if !strings.Contains(reported, "agent 3 did not answer: ") || !strings.Contains(reported, cost) {
						t.Errorf("errors %s", reported)
					}
					for _, other := range []string{"agent 2", "agent 4", "agent 5"} {
						if strings.Contains(reported, other) {
							t.Errorf("blames %s: %s", other, reported)
						}
					}
					if failure == silentAgents && kind != "simple" && kind != "mixed" {
						wantWithin(t, "coordination_latency_ms", value(t, s, "coordination_latency_ms"), 100, 0.01)
					}
				})
			})
		}
	}
}

// An agent with wrong answers makes operations fail.
func TestWrongAnswersAreNoSuccess(t *testing.T) {
	cat := withRun("coordination", func(ctx context.Context, env *stress.Env) error {
		return measureCoordination(ctx, env, runtimeCoordinator{env.System()}, func(rank int) mabeam.Behaviour {
			if rank == 2 {
				return liar{}
			}
			return &member{rank: rank}
		})
	})
	for _, kind := range coordinationTypes {
		// Each part of the load has as many operations as agents, so that one of them reaches
		// the liar however many the group runs in parallel.
		s := runStep(t, cat, "", fmt.Sprintf("{measure: coordination, with: {agents: 3, operations: %d, type: %s}}", 3*coordinationParts, kind))
		want, reported := 0.0, string(errWrongAnswer)
		switch kind {
		case "barrier": // the liar does not record its arrival
			reported = string(errEarly)
		case "simple": // every third request goes to the liar
			want = 2.0 / 3
		}
		if v := value(t, s, "success_rate"); math.Abs(v-want) > 1e-9 || !strings.Contains(fmt.Sprint(s.Errors), reported) {
			t.Errorf("%s: success rate %v, errors %+v", kind, v, s.Errors)
		}
		if m := s.Metrics["wrong_results"]; m.Status != report.StatusFail {
			t.Errorf("%s: %v wrong results, %s; %+v", kind, m.Value, m.Status, s.Errors)
		}
	}
}

// liar answers 42 to everything.
type liar struct{ mabeam.Defaults }

func (liar) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) { return 42, nil }

// A wrongCoordinator makes one kind of mistake.
type wrongCoordinator struct {
	runtimeCoordinator
	kind string
}

func (w wrongCoordinator) Request(ctx context.Context, m mabeam.Message) (mabeam.Message, error) {
	reply, err := w.runtimeCoordinator.Request(ctx, m)
	if w.kind == "a reply to another request" {
		reply.Data = echo(1, 99)
	}
	return reply, err
}

func (w wrongCoordinator) Gather(ctx context.Context, ids []string, action string, params any) (mabeam.Answers, error) {
	a, err := w.runtimeCoordinator.Gather(ctx, ids, action, params)
	switch {
	case err != nil || len(a) < 2:
	case w.kind == "swapped answers":
		a[0], a[1] = a[1], a[0]
	case w.kind == "an answer twice":
		a[1].Value = a[0].Value
	case w.kind == "one answer less":
		a = a[1:]
	case w.kind == "an answer of a dead agent":
		for i := range a {
			if a[i].Err != nil {
				n, _ := params.(int) // a ping has no params
				a[i].Value, a[i].Err = echo(i+1, n), nil
			}
		}
	}
	return a, err
}

func (w wrongCoordinator) Pipeline(ctx context.Context, ids []string, action string, params any) (any, error) {
	if w.kind == "a stage is left out" {
		ids = ids[1:]
	}
	if w.kind == "stages out of order" {
		ids = append([]string{ids[1], ids[0]}, ids[2:]...)
	}
	return w.runtimeCoordinator.Pipeline(ctx, ids, action, params)
}

func (w wrongCoordinator) Barrier(ctx context.Context, ids []string, params any) (coordination.BarrierResult, error) {
	if w.kind == "an early release" {
		_, _ = w.runtimeCoordinator.Gather(ctx, ids[:1], coordination.ActionRelease, params)
	}
	r, err := w.runtimeCoordinator.Barrier(ctx, ids, params)
	if w.kind == "a broken barrier that holds" {
		return r, nil
	}
	return r, err
}

func (w wrongCoordinator) Vote(ctx context.Context, members []string, proposal any) (coordination.VoteResult, error) {
	r, err := w.runtimeCoordinator.Vote(ctx, members, proposal)
	switch w.kind {
	case "a vote too many":
		r.Votes++
	case "a tie is decided":
		if !r.Decided() {
			r.Winner, r.Votes = "yes", 2
		}
	case "a dead agent votes yes":
		for i := range r.Ballots {
			if r.Ballots[i].Err != nil && r.Decided() {
				r.Ballots[i].Value, r.Ballots[i].Err = "yes", nil
				r.Votes++
			}
		}
	}
	return r, err
}

func (w wrongCoordinator) Elect(ctx context.Context, candidates []string, params any) (coordination.ElectionResult, error) {
	if w.kind == "the last leads" {
		r, err := w.runtimeCoordinator.Elect(ctx, candidates, params)
		r.Leader = candidates[len(candidates)-1]
		return r, err
	}
	return w.runtimeCoordinator.Elect(ctx, candidates, params)
}

func (w wrongCoordinator) Auction(ctx context.Context, bidders []string, lot any) (coordination.AuctionResult, error) {
	r, err := w.runtimeCoordinator.Auction(ctx, bidders, lot)
	if w.kind == "another price" {
		r.Price++
	}
	return r, err
}

func (w wrongCoordinator) RunScript(ctx context.Context, ids []string, steps []coordination.Step, mode coordination.ScriptMode) ([]coordination.StepResult, error) {
	r, err := w.runtimeCoordinator.RunScript(ctx, ids, steps, mode)
	if w.kind == "mismatches are not reported" {
		for i := range r {
			r[i].Err = nil
		}
	}
	return r, err
}

// Each mistake of a coordinator is detected, even if a load of healthy agents does not
// exercise it.
func TestWrongCoordinationIsFound(t *testing.T) {
	for kind, c := range map[string]struct {
		of, reported string
		failing      int
	}{
		"right":                       {"mixed", "", 0},
		"a reply to another request":  {"simple", string(errWrongAnswer), 0},
		"swapped answers":             {"fan-out", string(errWrongAgents), 0},
		"an answer twice":             {"fan-out", string(errWrongAnswer), 0},
		"one answer less":             {"fan-out", string(errWrongAgents), 0},
		"an answer of a dead agent":   {"fan-out", string(errDeadAnswer), 1},
		"a stage is left out":         {"pipeline", string(errWrongAnswer), 0},
		"stages out of order":         {"pipeline", string(errWrongAnswer), 0},
		"an early release":            {"barrier", string(errEarly), 0},
		"a broken barrier that holds": {"simple", "barrier: it is not broken although one agent is dead", 0},
		"a vote too many":             {"vote", string(errWrongCount), 0},
		"a tie is decided":            {"simple", "vote: a tie does not result in", 0},
		"a dead agent votes yes":      {"vote", string(errDeadAnswer), 1},
		"the last leads":              {"election", string(errWrongWinner), 0},
		"another price":               {"auction", string(errWrongWinner), 0},
		"mismatches are not reported": {"simple", "script: an unexpected result is not reported", 0},
	} {
		t.Run(kind, func(t *testing.T) {
			cat := withRun("coordination", func(ctx context.Context, env *stress.Env) error {
				return measureCoordination(ctx, env, wrongCoordinator{runtimeCoordinator{env.System()}, kind}, func(rank int) mabeam.Behaviour { return &member{rank: rank} })
			})
			s := runStep(t, cat, "", fmt.Sprintf("{measure: coordination, baseline: none, with: {agents: 5, operations: 40, type: %s, fail_agents: %d}}", c.of, c.failing))
			m := s.Metrics["wrong_results"]
			if (m.Status == report.StatusFail) != (c.reported != "") || errorCount(s, c.reported) == 0 && c.reported != "" {
				t.Errorf("%v wrong results, %s; %+v", m.Value, m.Status, s.Errors)
			}
			if c.reported == "" && s.Verdict != report.Pass {
				t.Errorf("%s: %+v", s.Verdict, s.Errors)
			}
		})
	}
}

// The success rate is judged if the other agents suffice, and not if the failed ones are
// needed.
func TestSuccessIsExpectedWhereTheOthersSuffice(t *testing.T) {
	for _, c := range []struct {
		kind     string
		failing  int
		expected bool
	}{
		{"vote", 1, true},
		{"vote", 2, true},
		{"vote", 3, false},
		{"election", 4, true},
		{"auction", 4, true},
		{"fan-out", 0, true},
		{"fan-out", 1, false},
		{"mixed", 1, false},
	} {
		if got := toleratesFailures(scenario.Params{"type": c.kind, "agents": 5, "fail_agents": c.failing}); got != c.expected {
			t.Errorf("%s with %d of 5 failing: %v", c.kind, c.failing, got)
		}
	}
}
