package measure

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// sandboxesOf returns the catalogue with sandbox-lifecycle measuring demo agents with
// wrapped behaviour.
func sandboxesOf(wrap func(mabeam.Behaviour) mabeam.Behaviour, disturb func(*sandbox)) stress.Catalogue {
	return withRun("sandbox-lifecycle", func(ctx context.Context, env *stress.Env) error {
		return measureSandboxes(ctx, env, func() mabeam.Spec {
			spec := agents.Demo()
			if wrap != nil {
				spec.Behaviour = wrap(spec.Behaviour)
			}
			return spec
		}, disturb)
	})
}

// Each effect of one sandbox on another is counted and named.
func TestIsolationViolations(t *testing.T) {
	for name, c := range map[string]struct {
		disturb  func(s *sandbox)
		want     float64
		reported []string
	}{
		"none": {func(*sandbox) {}, 0, nil},
		"event": {func(s *sandbox) {
			_ = s.system.Bus().Publish(t.Context(), mabeam.Event{Type: "sandbox.mark", Data: s.number + 1})
			for s.foreignEvents.Load() == 0 {
				load.Sleep(t.Context(), time.Millisecond)
			}
		}, 1, []string{"saw events of"}},
		"agent": {func(s *sandbox) {
			_ = s.system.Registry().Register(mabeam.Record{ID: "stranger", Node: "sandbox-99"})
		}, 1, []string{"saw agents of"}},
		"state": {func(s *sandbox) {
			_, _ = s.system.Execute(t.Context(), agentID(1), "increment", nil)
		}, 1, []string{"saw state changes of"}},
		"failure": {func(s *sandbox) {
			s.system.KillAgent(agentID(1))
			for s.system.Telemetry().AgentsRestarted <= s.kills() { // counted after the restart
				load.Sleep(t.Context(), time.Millisecond)
			}
		}, 2, []string{"saw agent ends of", "saw restarts of"}},
	} {
		t.Run(name, func(t *testing.T) {
			cat := sandboxesOf(nil, func(s *sandbox) {
				if s.number == 3 {
					c.disturb(s)
				}
			})
			s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 8, agents: 3}}")
			if v := value(t, s, "isolation_violations"); v != c.want || len(s.Errors) != len(c.reported) {
				t.Errorf("%v violations, want %v; errors %+v", v, c.want, s.Errors)
			}
			for _, reported := range c.reported {
				if !strings.Contains(fmt.Sprint(s.Errors), reported) {
					t.Errorf("%q is not reported: %+v", reported, s.Errors)
				}
			}
			if s.Operations != (report.Operations{Attempted: 8, Succeeded: 8}) {
				t.Errorf("%+v", s.Operations)
			}
		})
	}
}

// bulky is an agent that holds memory.
type bulky struct {
	mabeam.Behaviour
	held []byte
}

func TestSandboxesOfKnownSize(t *testing.T) {
	cat := sandboxesOf(func(b mabeam.Behaviour) mabeam.Behaviour { return &bulky{b, make([]byte, 1<<20)} }, nil)
	s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 2, agents: 2}}")
	wantWithin(t, "memory_per_sandbox.agents", value(t, s, "memory_per_sandbox.agents"), 2<<20, 0.03)
	whole := value(t, s, "memory_per_sandbox.services") + value(t, s, "memory_per_sandbox.supervisor") + value(t, s, "memory_per_sandbox.agents")
	wantWithin(t, "memory_per_sandbox", value(t, s, "memory_per_sandbox"), whole, 0.03)
}

// slowStartStop is an agent that takes 1 ms to start and 2 ms to stop.
type slowStartStop struct{ mabeam.Behaviour }

func (u slowStartStop) Init(ctx context.Context, self *mabeam.Agent) error {
	time.Sleep(time.Millisecond)
	return u.Behaviour.Init(ctx, self)
}

func (u slowStartStop) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	time.Sleep(2 * time.Millisecond)
	u.Behaviour.Terminate(ctx, self, reason)
}

func TestSandboxTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := sandboxesOf(func(b mabeam.Behaviour) mabeam.Behaviour { return slowStartStop{b} }, nil)
		s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 12, agents: 5, concurrency: 1}}")
		wantWithin(t, "creation_time_ms", value(t, s, "creation_time_ms"), 5, 0.01)
		wantWithin(t, "destruction_time_ms", value(t, s, "destruction_time_ms"), 10, 0.01)
		// In every second sandbox an agent is killed and restarts in 1 ms.
		wantWithin(t, "sandboxes_per_second", value(t, s, "sandboxes_per_second"), 1000/15.5, 0.04)
	})
}

// leaky is an agent that leaves a goroutine behind.
type leaky struct {
	mabeam.Behaviour
	starts  *atomic.Int64
	release chan struct{}
}

func (l leaky) Init(ctx context.Context, self *mabeam.Agent) error {
	l.starts.Add(1)
	go func() { <-l.release }()
	return l.Behaviour.Init(ctx, self)
}

func TestSandboxesThatLeak(t *testing.T) {
	var starts atomic.Int64
	release := make(chan struct{})
	defer close(release)
	cat := sandboxesOf(func(b mabeam.Behaviour) mabeam.Behaviour { return leaky{b, &starts, release} }, nil)
	s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 12, agents: 2}}")
	wantWithin(t, "leaked_goroutines", value(t, s, "leaked_goroutines"), float64(starts.Load()), 0.02)
	if s.Metrics["memory_stable"].Value != false || !strings.Contains(fmt.Sprint(s.Errors), "leaked goroutines") {
		t.Errorf("stable: %v, errors %+v", s.Metrics["memory_stable"].Value, s.Errors)
	}
}

// A sandbox that does not start is counted, and nothing of it remains.
func TestSandboxesThatDoNotStart(t *testing.T) {
	var starts atomic.Int64
	cat := sandboxesOf(func(b mabeam.Behaviour) mabeam.Behaviour {
		// The memory rounds and the resident come first.
		if n := starts.Add(1) - memoryRounds*memorySandboxes - 1; n > 0 && n%4 == 0 {
			return failing{b}
		}
		return b
	}, nil)
	s := runStep(t, cat, "", "{measure: sandbox-lifecycle, with: {sandboxes: 40, agents: 1}}")
	wantWithin(t, "success_rate", value(t, s, "success_rate"), 0.75, 0)
	if v := value(t, s, "leaked_goroutines"); v != 0 || s.Operations.Failed != 10 {
		t.Errorf("%v goroutines leaked, %+v", v, s.Operations)
	}
}

type failing struct{ mabeam.Behaviour }

func (failing) Init(context.Context, *mabeam.Agent) error { return errInit }
