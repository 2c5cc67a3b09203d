package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// runPressure runs memory-pressure with other agents, or another release of garbage, in
// this process with a synthetic clock.
func runPressure(t *testing.T, parameters string, behave func() mabeam.Behaviour, letGo func([]*block)) (s report.Step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("memory-pressure", func(ctx context.Context, env *stress.Env) error {
			return measureMemoryPressure(ctx, env, behave, letGo)
		})
		cat.Find("memory-pressure").OwnProcess = nil
		s = runStep(t, cat, "", "{measure: memory-pressure, with: {memory_limit: 64MB, duration: 2s, agents: 50"+parameters+"}}")
	})
	return s
}

func newMemoryAgent() mabeam.Behaviour { return &memoryAgent{} }

func releaseAll(garbage []*block) { clear(garbage) }

// A slowMemoryAgent takes longer for its work if it holds more than a number of blocks,
// and does not release memory if keeps is set.
type slowMemoryAgent struct {
	memoryAgent
	calm, pressed time.Duration
	blocks        int
	keeps         bool
	failing       bool // under pressure
}

func (h *slowMemoryAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	switch {
	case action == "work" && len(h.held) > h.blocks:
		time.Sleep(h.pressed)
		if h.failing {
			return nil, errRefused
		}
	case action == "work":
		time.Sleep(h.calm)
	case h.keeps && params.(int) < len(h.held):
		return nil, nil
	}
	return h.memoryAgent.HandleAction(ctx, self, action, params)
}

// A tenth of 64 MB on 50 agents is some 15 blocks each, well below 30.
const baseBlocks = 30

// Actions that take twice as long under pressure have half the throughput and twice the
// latency; others have the same. Without pressure nothing changes.
func TestPressureRatios(t *testing.T) {
	for _, c := range []struct {
		parameters          string
		calm, pressed       time.Duration
		throughput, latency float64
	}{
		{"", time.Millisecond, 2 * time.Millisecond, 0.5, 2},
		{"", time.Millisecond, time.Millisecond, 1, 1},
		{", pressure: 10%", time.Millisecond, 2 * time.Millisecond, 1, 1},
	} {
		s := runPressure(t, c.parameters, func() mabeam.Behaviour {
			return &slowMemoryAgent{calm: c.calm, pressed: c.pressed, blocks: baseBlocks}
		}, releaseAll)
		wantWithin(t, "throughput"+c.parameters, value(t, s, "throughput_ratio"), c.throughput, 0.03)
		wantWithin(t, "latency"+c.parameters, value(t, s, "latency_ratio"), c.latency, 0.03)
		if s.Metrics["survived"].Value != true || value(t, s, "allocation_failures") != 0 || s.Verdict != report.Pass {
			t.Errorf("%s: %+v, %+v", s.Verdict, s.Metrics, s.Errors)
		}
	}
}

// An agent holds exactly what it is told to, and the pressure is the requested one.
func TestPressureIsWhatIsAskedFor(t *testing.T) {
	cat := withRun("memory-pressure", func(ctx context.Context, env *stress.Env) error {
		t1 := &pressureTest{env: env, system: env.System(), behave: newMemoryAgent}
		ids, err := startAgents(ctx, env.System(), 7, t1.spec)
		if err != nil {
			return err
		}
		t1.ids = ids
		without := resources.CollectTwice()
		const blocks = 16 << 20 / holdBlock
		if _, err := env.System().Execute(ctx, ids[3], "hold", blocks); err != nil {
			return err
		}
		wantWithin(t, "16 MiB", float64(resources.CollectTwice()-without), 16<<20, 0.01)
		if _, err := env.System().Execute(ctx, ids[3], "hold", 0); err != nil {
			return err
		}
		for _, share := range []float64{0.1, 0.9, 0.5} {
			if _, err := t1.hold(ctx, share, without); err != nil {
				return err
			}
			wantWithin(t, fmt.Sprintf("%.0f %% of the limit", 100*share), float64(resources.CollectTwice()), share*64e6, 0.02)
		}
		env.Bool("survived", true)
		return nil
	})
	cat.Find("memory-pressure").OwnProcess = nil
	if s := runStep(t, cat, "", "{measure: memory-pressure, baseline: none, with: {memory_limit: 64MB}}"); s.Metrics["survived"].Value != true {
		t.Errorf("%s, %+v", s.Verdict, s.Errors)
	}
}

// A garbage collection frees what nobody holds.
func TestCollectionsAreHeldAgainstTheGarbage(t *testing.T) {
	wantWithin(t, "garbage", measureGCEffectiveness(1000, releaseAll), 1, 0.03)
	wantWithin(t, "garbage, half of it held", measureGCEffectiveness(1000, func(garbage []*block) { clear(garbage[:500]) }), 0.5, 0.05)
	if v := measureGCEffectiveness(1000, func([]*block) {}); v > 0.03 {
		t.Errorf("garbage, all of it held: %v", v)
	}
}

// Above the runtime's limit agents are refused. The process continues, because only its
// own limits would end it.
func TestRefusedForWantOfMemory(t *testing.T) {
	s := runPressure(t, ", pressure: 120%", func() mabeam.Behaviour {
		return &slowMemoryAgent{calm: time.Millisecond, pressed: time.Millisecond}
	}, releaseAll)
	// 4 workers for 2 s with 63 of 64 operations of 1 ms: 127 starts, give or take one, and
	// none of those before the pressure.
	wantWithin(t, "refused", value(t, s, "allocation_failures"), 127, 0.01)
	if o := s.Operations; o.Dropped < 126 || o.Failed > 0 || s.Metrics["survived"].Value != true {
		t.Errorf("%+v, %+v", o, s.Metrics)
	}
}

// A refusal in spite of free memory, and work that fails under pressure, are failures.
func TestRefusedThoughThereIsRoom(t *testing.T) {
	s := runPressure(t, ", pressure: 60%", func() mabeam.Behaviour {
		return &slowMemoryAgent{calm: time.Millisecond, pressed: time.Millisecond, blocks: baseBlocks, failing: true}
	}, releaseAll)
	if m := s.Metrics["success_rate"]; m.Status != report.StatusFail {
		t.Errorf("success_rate %+v", m)
	}
	if m := s.Metrics["allocation_failures"]; m.Condition != "== 0" || m.Status != report.StatusPass {
		t.Errorf("allocation_failures %+v", m)
	}
	for pressure, must := range map[float64]bool{0.9: true, 1.2: false} {
		if leavesRoom(scenario.Params{"pressure": pressure}) != must {
			t.Errorf("a pressure of %v leaves room: %v", pressure, !must)
		}
	}
}

// Memory that is not released is no recovery, which does not pass.
func TestNoRecoveryFromPressure(t *testing.T) {
	s := runPressure(t, "", func() mabeam.Behaviour {
		return &slowMemoryAgent{calm: time.Millisecond, pressed: time.Millisecond, keeps: true}
	}, releaseAll)
	if m, ok := s.Metrics["recovery_time_ms"]; !ok || m.Value != nil || s.Verdict != report.Fail || !strings.Contains(fmt.Sprint(s.Errors), "was not released within 5s") {
		t.Errorf("%s, %+v, %+v", s.Verdict, m, s.Errors)
	}
}

// In a process of its own, pressure within the limit is survived. Above it, the process
// dies, which is a result.
func TestPressureOnAProcess(t *testing.T) {
	// The race detector takes several times the memory.
	s := runStep(t, Catalogue(), "", "{measure: memory-pressure, with: {memory_limit: 64MB, hard_limit: 1000%, pressure: 85%, duration: 400ms}}")
	if s.Metrics["survived"].Value != true || !s.Isolated || s.Verdict == report.Broken {
		t.Fatalf("%s, %+v, %+v", s.Verdict, s.Metrics, s.Errors)
	}
	if peak := value(t, s, "peak_memory_mb"); peak < 0.85*64 || peak > defaultHardShare*64 && !raceDetector {
		t.Errorf("the peak was %v MB", peak)
	}
	wantWithin(t, "effectiveness", value(t, s, "gc_effectiveness"), 1, 0.1)

	if runtime.GOOS != "linux" {
		return // there is no hard limit
	}
	s = runStep(t, Catalogue(), "", "{measure: memory-pressure, with: {memory_limit: 64MB, pressure: 500%, duration: 400ms}}")
	if s.Metrics["survived"].Value != false || s.Verdict != report.Fail || !strings.Contains(fmt.Sprint(s.Errors), "out of memory") {
		t.Errorf("%s, %+v, %+v", s.Verdict, s.Metrics, s.Errors)
	}
	if peak := value(t, s, "peak_memory_mb"); peak < defaultHardShare*64-10 || peak > defaultHardShare*64+200 {
		t.Errorf("the peak was %v MB", peak)
	}
	// With the race detector the process may die before it reports any operation.
	if o := s.Operations; o.Attempted != o.Succeeded+o.Failed || o.Failed != 1 || o.Succeeded < 100 && !raceDetector {
		t.Errorf("%+v", o)
	}
	s = runStep(t, Catalogue(), "", "{measure: memory-pressure, baseline: none, thresholds: {survived: '== false'}, with: {memory_limit: 64MB, pressure: 500%, duration: 400ms}}")
	if s.Verdict != report.Pass {
		t.Errorf("%s, %+v", s.Verdict, s.Errors)
	}
}

// A process that ends by itself did not end because of the pressure.
func TestDeathThatIsNoResult(t *testing.T) {
	d := &stress.Death{Cause: "exit status 7"}
	if err := reportPressureDeath(nil, d); !errors.Is(err, d) {
		t.Errorf("%v", err)
	}
}
