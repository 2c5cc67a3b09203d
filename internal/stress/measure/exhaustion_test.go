package measure

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// A brokenLedger does something wrong before it adds.
type brokenLedger struct {
	ledger
	adds *int
	do   func(add int, self *mabeam.Agent)
}

// HandleAction implements mabeam.Behaviour.
func (l brokenLedger) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action == "add" {
		*l.adds++
		l.do(*l.adds, self)
	}
	return l.ledger.HandleAction(ctx, self, action, params)
}

// exhaustWith uses one resource up with two agents that each add 50 times
// before and after, and do something wrong at it.
func exhaustWith(t *testing.T, resource string, do func(add int, self *mabeam.Agent)) (s report.Step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cat := with("exhaustion-recovery", func(ctx context.Context, env *stress.Env) error {
			return measureExhaustion(ctx, env, func() mabeam.Behaviour { return brokenLedger{adds: new(int), do: do} })
		})
		s = onlyStep(t, cat, "", "{measure: exhaustion-recovery, baseline: none, with: {scenarios: ["+resource+"], agents: 2, operations: 100}}")
	})
	return s
}

func TestLostWorkIsInconsistent(t *testing.T) {
	s := exhaustWith(t, "agents", func(add int, self *mabeam.Agent) {
		time.Sleep(time.Millisecond)
		if add == 51 { // while they are used up
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
	s := exhaustWith(t, "agents", func(add int, _ *mabeam.Agent) {
		time.Sleep(time.Millisecond)
		if add == 51 {
			panic("planned")
		}
	})
	if s.Metrics["data_consistent"].Value != false || value(t, s, "component_restarts") != 2 {
		t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
	}
	if s.Operations != (report.Operations{Attempted: 202, Succeeded: 200, Failed: 2}) {
		t.Errorf("%+v", s.Operations)
	}
}

// An add takes 1 ms at first and 2 ms after the exhaustion. A full mailbox is 63
// of them, for what hangs keeps its place.
func TestRecoveryOfMailboxes(t *testing.T) {
	s := exhaustWith(t, "mailboxes", func(add int, _ *mabeam.Agent) {
		if time.Sleep(time.Millisecond); add >= 50+fullMailbox {
			time.Sleep(time.Millisecond)
		}
	})
	if s.Metrics["data_consistent"].Value != true || value(t, s, "component_restarts") != 0 || len(s.Errors) > 0 {
		t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
	}
	within(t, "performance restored", value(t, s, "performance_restored"), 0.5, 0.01)
	within(t, "recovery", value(t, s, "recovery_time_ms.mailboxes"), fullMailbox-1, 0.01)
	within(t, "worst recovery", value(t, s, "recovery_time_ms"), fullMailbox-1, 0.01)
}
