package measure

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// keeper is an agent that holds memory, and with each action allocates more and keeps a
// part of it.
type keeper struct {
	mabeam.Defaults
	held        [][]byte
	takes, part int
}

func (k *keeper) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	for i := range k.takes {
		b := make([]byte, 16<<10)
		if i < k.part {
			k.held = append(k.held, b)
		}
	}
	return nil, nil
}

// memoryOf measures the memory of agents with a known behaviour.
func memoryOf(behaviour func(env *stress.Env) mabeam.Behaviour) stress.Catalogue {
	return withRun("agent-memory", func(ctx context.Context, env *stress.Env) error {
		return measureAgentMemory(ctx, env, func(string) mabeam.Spec {
			return mabeam.Spec{Type: "known", Behaviour: behaviour(env)}
		})
	})
}

// Agents that hold exactly 1 MiB are measured as such.
func TestMemoryOfOneMebibyteAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := memoryOf(func(*stress.Env) mabeam.Behaviour { return &keeper{held: [][]byte{make([]byte, 1<<20)}, takes: 1} })
		s := runStep(t, cat, "", "{measure: agent-memory, with: {growth_actions: 0, growth_calls: 0, configs: [{agent_type: demo, count: 20}, {agent_type: complex, count: 10}], monitor_duration: 1s}}")
		for _, metric := range []string{"memory_per_agent", "memory_per_agent.demo", "memory_per_agent.complex"} {
			wantWithin(t, metric, value(t, s, metric), 1<<20, 0.03)
		}
		// One reading at once and one after each tenth of a second; the last may coincide with
		// the end.
		if v := value(t, s, "total_samples"); v < 10 || v > 11 {
			t.Errorf("%v samples", v)
		}
		// Two starts of each of 30 agents, and 1,000 actions.
		if s.Operations.Succeeded != 1060 || s.Operations.Failed != 0 {
			t.Errorf("%+v", s.Operations)
		}
		if d := s.Metrics["gc_pause_ms"].Distribution; d.Count < 20 || d.Max <= 0 {
			t.Errorf("%+v, want at least two garbage collections for each reading", d)
		}
	})
}

// Agents that do not grow show no growth and no leak, and their garbage is reclaimed.
func TestMemoryOfAgentsThatDoNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := memoryOf(func(*stress.Env) mabeam.Behaviour { return &keeper{held: [][]byte{make([]byte, 16<<10)}, takes: 1} })
		s := runStep(t, cat, "", "{measure: agent-memory, with: {growth_actions: 0, growth_calls: 0, configs: [{count: 4000}], monitor_duration: 1s}}")
		// The runtime adds well below 1 KiB to each; a few more agents may not be gone yet.
		wantWithin(t, "average_memory", value(t, s, "average_memory"), 16.75*1024, 0.08)
		if v := value(t, s, "memory_growth_rate"); math.Abs(v) > 0.05 {
			t.Errorf("memory_growth_rate %v of agents that do not grow", v)
		}
		if v := value(t, s, "memory_leaks"); v != 0 {
			t.Errorf("%v leaks: %+v", v, s.Errors)
		}
		wantWithin(t, "gc_reclaimed_ratio", value(t, s, "gc_reclaimed_ratio"), 1, 0.1)
	})
}

// Agents that keep half of what they allocate grow by a known amount.
func TestMemoryOfGrowingAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := memoryOf(func(*stress.Env) mabeam.Behaviour {
			return &keeper{held: [][]byte{make([]byte, 96<<10)}, takes: 2, part: 1}
		})
		s := runStep(t, cat, "", "{measure: agent-memory, with: {growth_actions: 0, growth_calls: 0, configs: [{count: 1024}], monitor_duration: 2s, actions_per_second: 1536}}")
		// First 96 MiB, and at the end 3,072 times 16 KiB more, besides a few MiB of the
		// process itself.
		wantWithin(t, "memory_growth_rate", value(t, s, "memory_growth_rate"), 48.0/(96+24), 0.15)
		wantWithin(t, "gc_reclaimed_ratio", value(t, s, "gc_reclaimed_ratio"), 0.5, 0.05)
	})
}

// leakedHeap is heap that nobody releases.
var leakedHeap [][]byte

// leaving is an agent that leaves something behind when it starts.
type leaving struct {
	mabeam.Defaults
	behind func()
}

func (l leaving) Init(context.Context, *mabeam.Agent) error {
	l.behind()
	return nil
}

func (leaving) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, nil
}

// A leak in each start and stop of an agent is detected and named.
func TestMemoryLeaksAreCaughtByName(t *testing.T) {
	var leaked atomic.Int64
	release := make(chan struct{})
	defer close(release)
	defer func() { leakedHeap = nil }()
	for kind, leak := range map[string]func(s *mabeam.System){
		"none": func(*mabeam.System) {},
		"subscriptions": func(s *mabeam.System) {
			_, _ = s.Bus().Subscribe("leak", func(context.Context, mabeam.Event) {}, mabeam.SubscribeOptions{})
		},
		"registrations": func(s *mabeam.System) {
			_ = s.Registry().Register(mabeam.Record{ID: fmt.Sprint("leak-", leaked.Add(1))})
		},
		"goroutines": func(*mabeam.System) { go waitDeep(release) },
		"heap":       func(*mabeam.System) { leakHeap() },
	} {
		t.Run(kind, func(t *testing.T) {
			cat := memoryOf(func(env *stress.Env) mabeam.Behaviour {
				return leaving{behind: func() { leak(env.System()) }}
			})
			s := runStep(t, cat, "", "{measure: agent-memory, with: {growth_actions: 0, growth_calls: 0, configs: [{count: 40}], monitor_duration: 100ms, measurement_interval: 20ms}}")
			leaks, reported := value(t, s, "memory_leaks"), fmt.Sprint(s.Errors)
			if kind == "none" {
				if leaks != 0 {
					t.Errorf("%v leaks without any: %s", leaks, reported)
				}
				return
			}
			if leaks != 1 || !strings.Contains(reported, "leaked "+kind) {
				t.Errorf("%v leaks, errors %s", leaks, reported)
			}
			if kind == "heap" && !strings.Contains(reported, "most of it allocated in mabeam-top/internal/stress/measure.leakHeap") {
				t.Errorf("the errors do not name the function: %s", reported)
			}
			for _, e := range s.Errors {
				if strings.HasPrefix(e.Message, "leaked "+kind) && kind != "heap" && e.Count != 40 {
					t.Errorf("%d leaked %s, want 40", e.Count, kind)
				}
			}
		})
	}
}

// waitDeep waits with 16 KiB on its stack.
func waitDeep(release <-chan struct{}) {
	var stack [16 << 10]byte
	<-release
	runtime.KeepAlive(&stack)
}

//go:noinline
func leakHeap() { leakedHeap = append(leakedHeap, make([]byte, 1<<20)) }
