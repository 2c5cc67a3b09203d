package measure

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// withHolders returns the catalogue with memory-efficiency starting agents of which the
// n-th holds held(n).
func withHolders(held func(n int) []byte) stress.Catalogue {
	return withRun("memory-efficiency", func(ctx context.Context, env *stress.Env) error {
		return measureMemoryEfficiency(ctx, env, func(n int) mabeam.Spec {
			return mabeam.Spec{Type: "holder", Behaviour: &holder{held: held(n)}}
		})
	})
}

// Agents of 64 KiB each.
func TestMemoryOfKnownAgents(t *testing.T) {
	s := runStep(t, withHolders(func(int) []byte { return make([]byte, 64<<10) }), "", "{measure: memory-efficiency, with: {agent_counts: [20, 100, 400]}}")
	wantWithin(t, "max_memory_per_agent_mb", value(t, s, "max_memory_per_agent_mb"), 0.065536, 0.1)
	wantWithin(t, "max_memory_per_agent_mb.400", value(t, s, "max_memory_per_agent_mb.400"), 0.065536, 0.03)
	wantWithin(t, "memory_efficiency_ratio", value(t, s, "memory_efficiency_ratio"), 1, 0.03)
	wantWithin(t, "memory_scaling_exponent", value(t, s, "memory_scaling_exponent"), 1, 0.05)
	wantWithin(t, "cleanup_effectiveness", value(t, s, "cleanup_effectiveness"), 1, 0.03)
	if word, n := s.Metrics["memory_scaling"].Value, value(t, s, "max_tested_agents"); word != "linear" || n != 400 {
		t.Errorf("classified as %v, with up to %v agents", word, n)
	}
	// All agents are started and stopped three times, started on two more systems, and a
	// tenth of them is replaced 25 times.
	if n := int64(2*(3*400+25*40) + 2*400); s.Operations != (report.Operations{Attempted: n, Succeeded: n}) {
		t.Errorf("%+v", s.Operations)
	}
}

// Each agent holds more than the previous one: the sum grows with the square.
func TestMemoryThatGrowsWithTheSquare(t *testing.T) {
	s := runStep(t, withHolders(func(n int) []byte { return make([]byte, 1000*(n+1)) }), "", "{measure: memory-efficiency, with: {agent_counts: [30, 90, 270]}}")
	wantWithin(t, "memory_scaling_exponent", value(t, s, "memory_scaling_exponent"), 2, 0.1)
	if word := s.Metrics["memory_scaling"].Value; word != "superlinear" {
		t.Errorf("classified as %v", word)
	}
}

// Half of the agents' memory is still held when they have ended.
func TestMemoryThatIsNotGivenBack(t *testing.T) {
	var leaked [][]byte
	s := runStep(t, withHolders(func(n int) []byte {
		b := make([]byte, 64<<10)
		if n%2 == 0 {
			leaked = append(leaked, b)
		}
		return b
	}), "", "{measure: memory-efficiency, with: {agent_counts: [50, 200]}}")
	wantWithin(t, "cleanup_effectiveness", value(t, s, "cleanup_effectiveness"), 0.5, 0.05)
	runtime.KeepAlive(leaked)
}

// One of sixteen adjacent objects remains, so that most of the memory in use is gaps, even
// after the agents have ended.
func TestMemoryFullOfGaps(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only the measurement collects
	var kept, rest [][]byte
	s := runStep(t, withHolders(func(int) []byte {
		rest = make([][]byte, 0, 3200)
		for i := range 3200 {
			if b := make([]byte, 512); i%16 == 0 {
				kept = append(kept, b)
			} else {
				rest = append(rest, b)
			}
		}
		return nil
	}), "", "{measure: memory-efficiency, with: {agent_counts: [1, 20]}}")
	if v := value(t, s, "memory_efficiency_ratio"); v < 0.03 || v > 0.2 {
		t.Errorf("memory_efficiency_ratio %v, want about a sixteenth", v)
	}
	if v := value(t, s, "fragmentation_ratio"); v < 0.5 || v > 1 {
		t.Errorf("fragmentation_ratio %v", v)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(rest)
}

// The ratios of known readings.
func TestFootprint(t *testing.T) {
	before, most := footprint{live: 100, inUse: 150}, footprint{live: 900, inUse: 1150}
	after := footprint{live: 300, held: 800, idle: 200}
	for name, c := range map[string]struct{ got, want float64 }{
		"efficiency":    {most.efficiencySince(before), 0.8},
		"cleaned":       {after.cleanupSince(before, most), 0.75},
		"fragmentation": {after.fragmentation(), 0.25},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// What did not start was not tested, and memory below the noise is not reported.
func TestMemoryThatCannotBeSeen(t *testing.T) {
	s := runStep(t, Catalogue(), "system: {max_agents: 50}", "{measure: memory-efficiency, with: {agent_counts: [10, 40, 200, 400]}}")
	if v := value(t, s, "max_tested_agents"); v != 40 {
		t.Errorf("tested up to %v agents, where 50 are allowed", v)
	}
	if s.Operations.Failed != 150 {
		t.Errorf("%+v, want 150 of 160 refused", s.Operations)
	}
	for name, m := range s.Metrics {
		if m.Value != nil && (strings.Contains(name, "memory_") || name == "cleanup_effectiveness") {
			t.Errorf("%s is reported for forty small agents", name)
		}
	}
	if s.Verdict != report.Fail {
		t.Errorf("the verdict without a measurement is %s", s.Verdict)
	}
}

// The scaling of one number of agents, or of too few agents, is unknown, which never
// passes.
func TestOneNumberOfAgents(t *testing.T) {
	for _, step := range []string{
		"{measure: memory-efficiency, baseline: none, with: {agent_counts: [1000]}}",
		"{measure: memory-efficiency, baseline: none, with: {agent_counts: [10]}}",
		"{measure: registry-scalability, baseline: none, with: {agent_counts: [1000], operations: 2000}}",
	} {
		s := runStep(t, Catalogue(), "", step)
		if s.Verdict != report.Fail {
			t.Errorf("%s: %s, %+v", step, s.Verdict, s.Errors)
		}
	}
}
