package measure

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
)

// A brokenLedger does something wrong before it adds.
type brokenLedger struct {
	ledger
	adds *int
	do   func(add int, self *mabeam.Agent)
}

func (l brokenLedger) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "add" {
		*l.adds++
		l.do(*l.adds, self)
	}
	return l.ledger.HandleAction(ctx, self, action, params)
}

// runExhaustion exhausts one resource with two agents that each add 50 times before and
// after, and do something wrong.
func runExhaustion(t *testing.T, resource string, do func(add int, self *mabeam.Agent)) (s report.Step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("exhaustion-recovery", func(ctx context.Context, env *stress.Env) error {
			return measureExhaustion(ctx, env, func() mabeam.Behaviour { return brokenLedger{adds: new(int), do: do} }, nil)
		})
		s = runStep(t, cat, "", "{measure: exhaustion-recovery, baseline: none, with: {scenarios: ["+resource+"], agents: 2, operations: 100}}")
	})
	return s
}

func TestLostWorkIsInconsistent(t *testing.T) {
	s := runExhaustion(t, "agents", func(add int, self *mabeam.Agent) {
		time.Sleep(time.Millisecond)
		if add == 51 { // during the exhaustion
			self.SetState(self.State().(int64) - 1)
		}
	})
	if s.Metrics["data_consistent"].Value != false || value(t, s, "component_restarts") != 0 {
		t.Errorf("%+v", s.Metrics)
	}
	if len(s.Errors) != 1 || s.Errors[0].Count != 2 || !strings.Contains(s.Errors[0].Message, "acknowledged") {
		t.Errorf("errors %+v", s.Errors)
	}
}

func TestCrashesAreRestartsAndLoseData(t *testing.T) {
	s := runExhaustion(t, "agents", func(add int, _ *mabeam.Agent) {
		time.Sleep(time.Millisecond)
		if add == 51 {
			panic("planned")
		}
	})
	if s.Metrics["data_consistent"].Value != false || value(t, s, "component_restarts") != 2 {
		t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
	}
	if s.Operations != (report.Operations{Attempted: 302, Succeeded: 300, Failed: 2}) {
		t.Errorf("%+v", s.Operations)
	}
}

// An add takes 1 ms before and 2 ms after the exhaustion. A full mailbox holds 63, because
// the blocked action keeps its place.
func TestRecoveryOfMailboxes(t *testing.T) {
	s := runExhaustion(t, "mailboxes", func(add int, _ *mabeam.Agent) {
		if time.Sleep(time.Millisecond); add >= 50+smallMailbox {
			time.Sleep(time.Millisecond)
		}
	})
	if s.Metrics["data_consistent"].Value != true || value(t, s, "component_restarts") != 0 || len(s.Errors) > 0 {
		t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
	}
	wantWithin(t, "performance restored", value(t, s, "performance_restored"), 0.5, 0.01)
	wantWithin(t, "performance lost", value(t, s, "performance_lost"), 0.5, 0.01)
	wantWithin(t, "recovery", value(t, s, "recovery_time_ms.mailboxes"), smallMailbox-1, 0.01)
	wantWithin(t, "worst recovery", value(t, s, "recovery_time_ms"), smallMailbox-1, 0.01)
}

// A limit that is one too high is detected, and one that refuses nothing fails instead of
// breaking the step.
func TestLimitsThatAreNotKeptExactly(t *testing.T) {
	for name, c := range map[string]struct {
		admitted int64 // in spite of the limit; -1: all
		broken   float64
		reported string
	}{
		"kept":     {0, 0, ""},
		"one more": {1, 1, "101 agents started with room for 100"},
		"never":    {-1, 1, "agents could not be exhausted: the limit refused nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			cat := withRun("exhaustion-recovery", func(ctx context.Context, env *stress.Env) error {
				return measureExhaustion(ctx, env, func() mabeam.Behaviour { return ledger{} }, admitting(mabeam.ErrLimitReached, c.admitted))
			})
			s := runStep(t, cat, "", "{measure: exhaustion-recovery, baseline: none, with: {scenarios: [agents], agents: 2, operations: 1000}}")
			if v := value(t, s, "limits_broken"); v != c.broken || s.Verdict == report.Broken || (s.Metrics["limits_broken"].Status == report.StatusFail) != (c.broken > 0) {
				t.Errorf("%v limits broken, %s; %+v", v, s.Verdict, s.Errors)
			}
			if c.reported != "" && errorCount(s, c.reported) != 1 {
				t.Errorf("errors %+v", s.Errors)
			}
		})
	}
}

// A memory limit that refuses too early or too late is detected.
func TestLimitOnMemoryThatIsNotKept(t *testing.T) {
	cat := withRun("exhaustion-recovery", func(_ context.Context, env *stress.Env) error {
		x := &exhaustionRun{checks: conformance.NewChecker(env, "limits_broken")}
		x.checkMemoryLimit(spareMemory)
		x.checkMemoryLimit(spareMemory * 3 / 4)
		x.checkMemoryLimit(spareMemory * 5 / 4)
		x.checks.Report()
		env.Operations(1, 0, 0)
		return nil
	})
	if v := value(t, runStep(t, cat, "", "{measure: exhaustion-recovery, with: {scenarios: [agents]}}"), "limits_broken"); v != 2 {
		t.Errorf("%v limits broken, want 2", v)
	}
}

// A silentLedger answers get only once.
type silentLedger struct {
	ledger
	gets *int
}

func (l silentLedger) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "get" {
		if *l.gets++; *l.gets > 1 {
			return nil, mabeam.ErrTimeout
		}
	}
	return l.ledger.HandleAction(ctx, self, action, params)
}

// An agent that does not answer in the end has not survived.
func TestSurvivorsAreAsked(t *testing.T) {
	cat := withRun("exhaustion-recovery", func(ctx context.Context, env *stress.Env) error {
		n := 0
		return measureExhaustion(ctx, env, func() mabeam.Behaviour {
			if n++; n == 1 {
				return silentLedger{gets: new(int)}
			}
			return ledger{}
		}, nil)
	})
	s := runStep(t, cat, "", "{measure: exhaustion-recovery, baseline: none, with: {scenarios: [agents], agents: 4, operations: 1000}}")
	if m := s.Metrics["survivors"]; m.Value != 0.75 || m.Status != report.StatusFail {
		t.Errorf("%+v; %+v", m, s.Errors)
	}
}
