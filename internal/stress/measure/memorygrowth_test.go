package measure

import (
	"context"
	"fmt"
	"strings"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
)

// leftovers are what agents leave behind.
var leftovers [][]byte

// leaveBehind keeps 64 bytes for ever.
func leaveBehind() { leftovers = append(leftovers, make([]byte, 64)) }

// about 64 bytes, and their place in the list
const leftoverBytes = 64 + 24

// leaking is an agent that may leak with each action.
type leaking struct {
	mabeam.Behaviour
	leak func()
}

func (l leaking) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	l.leak()
	return l.Behaviour.HandleAction(ctx, self, action, params)
}

// leakCases are measurements of which each cycle, action, call of one kind, or agent leaks.
var leakCases = []struct {
	metric, step string
	run          func(ctx context.Context, env *stress.Env, leak func()) error
}{
	{"memory_growth_per_cycle_bytes", "{measure: agent-lifecycle, baseline: none, with: {cycles: 20000}}", func(ctx context.Context, env *stress.Env, leak func()) error {
		return measureLifecycle(ctx, env, func() mabeam.Spec { leak(); return agents.Demo() })
	}},
	{"memory_growth_per_action_bytes", "{measure: agent-memory, baseline: none, with: {growth_actions: 36000}}", func(ctx context.Context, env *stress.Env, leak func()) error {
		env.Operations(1, 0, 0)
		wrong := conformance.NewChecker(env, "wrong_results")
		defer wrong.Report()
		return measureActionGrowth(ctx, env, func() mabeam.Spec {
			spec := agents.Demo()
			spec.Behaviour = leaking{spec.Behaviour, leak}
			return spec
		}, wrong)
	}},
	{"memory_growth_per_call_bytes", "{measure: agent-memory, baseline: none, with: {growth_calls: 12000}}", func(ctx context.Context, env *stress.Env, leak func()) error {
		env.Operations(1, 0, 0)
		return withCallTargets(ctx, env, func(c *callTargets) error {
			last := &c.calls[len(c.calls)-1]
			do := last.do
			last.do = func(ctx context.Context) error { leak(); return do(ctx) }
			return growCalls(ctx, env, c)
		})
	}},
	{"left_per_agent_bytes", "{measure: memory-efficiency, baseline: none, with: {agent_counts: [1000, 10000]}}", func(ctx context.Context, env *stress.Env, leak func()) error {
		return measureMemoryEfficiency(ctx, env, func(int) mabeam.Spec { leak(); return agents.Demo() })
	}},
}

// A leak of 64 bytes at a time is detected, and none without one.
func TestSmallLeaksAreDetected(t *testing.T) {
	for _, c := range leakCases {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.step, "{measure: "), ",")
		for want, leak := range map[float64]func(){0: func() {}, leftoverBytes: leaveBehind} {
			t.Run(fmt.Sprint(c.metric, " ", want), func(t *testing.T) {
				defer func() { leftovers = nil }()
				s := runStep(t, withRun(name, func(ctx context.Context, env *stress.Env) error { return c.run(ctx, env, leak) }), "", c.step)
				v, m := value(t, s, c.metric), s.Metrics[c.metric]
				if v < want-16 || (m.Status == report.StatusFail) != (want > 0) {
					t.Errorf("%v bytes (%s, undecided %q), want %v", v, m.Status, m.Undecided, want)
				}
				if c.metric != "left_per_agent_bytes" && (v < want-12 || v > 1.6*want+12 || m.Undecided != "") { // that grows by tables too
					t.Errorf("%v bytes (%s, undecided %q), want about %v", v, m.Status, m.Undecided, want)
				}
				if wrong, ok := s.Metrics["wrong_results"].Value.(float64); ok && wrong != 0 {
					t.Errorf("%v wrong results: %+v", wrong, s.Errors)
				}
			})
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
