package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
)

// A termination is one way to end an agent. Only StopAgent waits for the end.
type termination struct {
	name string
	end  func(ctx context.Context, id string) error
}

// terminations returns all ways to end an agent.
func (t *limitRun) terminations() []termination {
	return []termination{
		{"stop", func(ctx context.Context, id string) error {
			t.stopped.Add(1)
			return t.system.StopAgent(ctx, id)
		}},
		{"kill", func(_ context.Context, id string) error {
			t.stopped.Add(1)
			t.calls.Kill(id)
			return nil
		}},
		{"crash", func(ctx context.Context, id string) error {
			t.crashed.Add(1)
			_, err := t.calls.Execute(ctx, id, "crash", nil)
			var panicked *mabeam.PanicError
			if !errors.As(err, &panicked) {
				return fmt.Errorf("crash an agent: %w", err)
			}
			return nil
		}},
	}
}

// recover ends some agents in each way, and reports how soon others can replace them. If
// the system does not recover, the remaining ways are skipped.
func (t *limitRun) recover(ctx context.Context) error {
	recovered := true
	var worst time.Duration
	for _, way := range t.terminations() {
		first, ok, err := t.replaceAgents(ctx, way)
		if err != nil {
			return err
		}
		recovered = ok
		if first == 0 {
			t.env.Unmeasured("recovery_time_ms", "no agent could be started after others had ended by "+way.name)
			break
		}
		t.env.Value("recovery_time_ms."+way.name, load.Milliseconds(first))
		worst = max(worst, first)
		t.env.Value("recovery_time_ms", load.Milliseconds(worst))
		if !ok {
			break
		}
	}
	t.env.Bool("recovery_successful", recovered)
	return nil
}

// replaceAgents ends some agents and starts as many. It returns the time until the first
// of these answered, and whether all of them and no more could start.
func (t *limitRun) replaceAgents(ctx context.Context, way termination) (first time.Duration, recovered bool, err error) {
	room := min(overshootAgents(t.env.Params), len(t.ids))
	for _, id := range t.ids[:room] {
		if err := way.end(ctx, id); err != nil {
			return 0, false, fmt.Errorf("end an agent: %w", err)
		}
	}
	ended := time.Now()
	again := 0
	var failure error
	for again < room && time.Since(ended) < recoveryTimeout {
		id, err := t.start(ctx)
		if err == nil {
			err = t.checkAlive(ctx, id)
		}
		if err == nil {
			t.ids[again] = id
			if again++; again == 1 {
				first = max(time.Since(ended), 1)
			}
			continue
		}
		failure = err
		if !load.Sleep(ctx, recoveryInterval) {
			return 0, false, ctx.Err()
		}
	}
	_, err = t.start(ctx)
	refused := errors.Is(err, mabeam.ErrLimitReached)
	switch {
	case again < room:
		t.env.Detail(fmt.Sprintf("after %d agents had ended by %s, only %d could be started within %v; last error: %v", room, way.name, again, recoveryTimeout, failure), 1)
	case !refused:
		t.env.Detail("after the recovery, an agent above the limit was not refused", 1)
	}
	t.env.Operations(int64(again), int64(room-again), 0)
	return first, again == room && refused, nil
}

// cleanUp stops all agents and reports leaks.
func (t *limitRun) cleanUp(ctx context.Context) error {
	left := t.system.Registry().All()
	result, err := t.env.RunLoad(ctx, load.Load{Workers: 1, Operations: max(len(left), 1), For: recoveryTimeout}, func(ctx context.Context, op load.Op) error {
		if op.N >= len(left) {
			return nil // there was none
		}
		t.stopped.Add(1)
		return t.system.StopAgent(ctx, left[op.N].ID())
	})
	if err != nil {
		return err
	}
	if int(result.Attempted) < len(left) {
		for _, m := range leakMetrics() {
			t.env.Unmeasured(m.Name, fmt.Sprintf("only %d of %d agents could be stopped within %v", result.Attempted, len(left), recoveryTimeout))
		}
		return nil
	}
	t.leaks.report(ctx)
	return nil
}
