package measure

import (
	"context"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// leftovers are what agents leave behind.
var leftovers [][]byte

// leaveBehind keeps 64 bytes for ever.
func leaveBehind() { leftovers = append(leftovers, make([]byte, 64)) }

// about 64 bytes, and their place in the list
const leftoverBytes = 64 + 24

// bytesEach checks that a metric is about want bytes, and its status.
func bytesEach(t *testing.T, s report.Step, metric string, want float64) {
	t.Helper()
	status := report.StatusPass
	if want > 0 {
		status = report.StatusFail
	}
	v, m := value(t, s, metric), s.Metrics[metric]
	if v < want-12 || v > 1.6*want+12 || m.Status != status || m.Undecided != "" {
		t.Errorf("%s is %v (%s, undecided %q), want about %v", metric, v, m.Status, m.Undecided, want)
	}
}

// A leak of 64 bytes in each cycle is detected, and no leak without one.
func TestMemoryThatEachCycleLeaves(t *testing.T) {
	defer func() { leftovers = nil }()
	for _, want := range []float64{0, leftoverBytes} {
		cat := withRun("agent-lifecycle", func(ctx context.Context, env *stress.Env) error {
			return measureLifecycle(ctx, env, func() mabeam.Spec {
				if want > 0 {
					leaveBehind()
				}
				return agents.Demo()
			})
		})
		bytesEach(t, runStep(t, cat, "", "{measure: agent-lifecycle, baseline: none, with: {cycles: 20000}}"), "memory_growth_per_cycle_bytes", want)
	}
}

// dropping is an agent that leaks 64 bytes with each action.
type dropping struct{ mabeam.Behaviour }

func (d dropping) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	leaveBehind()
	return d.Behaviour.HandleAction(ctx, self, action, params)
}

func TestMemoryThatEachActionLeaves(t *testing.T) {
	defer func() { leftovers = nil }()
	for _, want := range []float64{0, leftoverBytes} {
		cat := withRun("agent-memory", func(ctx context.Context, env *stress.Env) error {
			env.Operations(1, 0, 0)
			wrong := newChecker(env, "wrong_results")
			err := measureActionGrowth(ctx, env, func() mabeam.Spec {
				spec := agents.Demo()
				if want > 0 {
					spec.Behaviour = dropping{spec.Behaviour}
				}
				return spec
			}, wrong)
			wrong.report()
			return err
		})
		s := runStep(t, cat, "", "{measure: agent-memory, baseline: none, with: {growth_actions: 36000}}")
		bytesEach(t, s, "memory_growth_per_action_bytes", want)
		if v := value(t, s, "wrong_results"); v != 0 {
			t.Errorf("%v wrong results: %+v", v, s.Errors)
		}
	}
}

// A leak of 64 bytes in calls of one kind is detected among the calls of all kinds.
func TestMemoryThatEachCallLeaves(t *testing.T) {
	defer func() { leftovers = nil }()
	for _, want := range []float64{0, leftoverBytes} {
		cat := withRun("agent-memory", func(ctx context.Context, env *stress.Env) error {
			env.Operations(1, 0, 0)
			return withCallTargets(ctx, env, func(c *callTargets) error {
				last := &c.calls[len(c.calls)-1]
				do := last.do
				last.do = func(ctx context.Context) error {
					if want > 0 {
						leaveBehind()
					}
					return do(ctx)
				}
				return growCalls(ctx, env, c)
			})
		})
		s := runStep(t, cat, "", "{measure: agent-memory, baseline: none, with: {growth_calls: 12000}}")
		bytesEach(t, s, "memory_growth_per_call_bytes", want)
	}
}

// A leak of 64 bytes in each agent is detected when all agents have stopped again.
func TestMemoryThatEachAgentLeaves(t *testing.T) {
	defer func() { leftovers = nil }()
	for _, want := range []float64{0, leftoverBytes} {
		cat := withRun("memory-efficiency", func(ctx context.Context, env *stress.Env) error {
			return measureMemoryEfficiency(ctx, env, func(int) mabeam.Spec {
				if want > 0 {
					leaveBehind()
				}
				return agents.Demo()
			})
		})
		s := runStep(t, cat, "", "{measure: memory-efficiency, baseline: none, with: {agent_counts: [1000, 10000]}}")
		m := s.Metrics["left_per_agent_bytes"]
		if v := value(t, s, "left_per_agent_bytes"); (m.Status == report.StatusFail) != (want > 0) || v < want-16 {
			t.Errorf("left_per_agent_bytes is %v (%s, undecided %q), want %v", v, m.Status, m.Undecided, want)
		}
	}
}

// A part of the agents is replaced again and again, and each leaks an eighth of what it
// holds. They hold so much that the memory of other tests in this process does not matter.
func TestMemoryThatGrowsAsAgentsAreReplaced(t *testing.T) {
	defer func() { leftovers = nil }()
	const held, left, agents = 64 << 10, 8 << 10, 1000
	s := runStep(t, withHolders(func(int) []byte {
		leftovers = append(leftovers, make([]byte, left))
		return make([]byte, held)
	}), "", "{measure: memory-efficiency, with: {agent_counts: [100, 1000]}}")
	// The first start of all agents, the second, and half of the rounds come before the
	// middle reading.
	const round = agents / churnShare
	most := float64(agents*held + (2*agents+(churnRounds+1+churnRounds/2)*round)*left)
	wantWithin(t, "memory_growth_rate", value(t, s, "memory_growth_rate"), churnRounds*round*left/most, 0.25)
	if status := s.Metrics["memory_growth_rate"].Status; status == report.StatusExceed {
		t.Errorf("memory_growth_rate is %s", status)
	}
}
