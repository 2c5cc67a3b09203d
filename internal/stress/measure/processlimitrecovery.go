package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
)

// A wayToEnd is one way to end an agent. Only StopAgent returns when it has ended.
type wayToEnd struct {
	name string
	end  func(ctx context.Context, id string) error
}

// ways are all ways to end an agent.
func (t *limitTest) ways() []wayToEnd {
	return []wayToEnd{
		{"stop", func(ctx context.Context, id string) error {
			t.stopped.Add(1)
			return t.system.StopAgent(ctx, id)
		}},
		{"kill", func(_ context.Context, id string) error {
			t.stopped.Add(1)
			t.ask.kill(id)
			return nil
		}},
		{"crash", func(ctx context.Context, id string) error {
			t.crashed.Add(1)
			_, err := t.ask.act(ctx, id, "crash", nil)
			var panicked *mabeam.PanicError
			if !errors.As(err, &panicked) {
				return fmt.Errorf("an agent that was to crash says: %w", err)
			}
			return nil
		}},
	}
}

// recover ends some agents in each way, and reports how soon others can take their
// place. After a way from which the system does not recover, the others are not tried.
func (t *limitTest) recover(ctx context.Context) error {
	recovered := true
	var worst time.Duration
	for _, way := range t.ways() {
		first, ok, err := t.makeRoom(ctx, way)
		if err != nil {
			return err
		}
		recovered = ok
		if first == 0 {
			t.env.Unmeasured("recovery_time_ms", "no agent could be started again after others had ended by "+way.name)
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

// makeRoom ends some agents and starts as many. It returns how long it took until the
// first of these had answered, and whether all could be started and no more.
func (t *limitTest) makeRoom(ctx context.Context, way wayToEnd) (first time.Duration, recovered bool, err error) {
	room := min(beyond(t.env.Params), len(t.ids))
	for _, id := range t.ids[:room] {
		if err := way.end(ctx, id); err != nil {
			return 0, false, fmt.Errorf("make room: %w", err)
		}
	}
	ended := time.Now()
	again := 0
	var failure error
	for again < room && time.Since(ended) < recoverWithin {
		id, err := t.start(ctx)
		if err == nil {
			err = t.here(ctx, id)
		}
		if err == nil {
			t.ids[again] = id
			if again++; again == 1 {
				first = max(time.Since(ended), 1)
			}
			continue
		}
		failure = err
		if !load.Sleep(ctx, retryEvery) {
			return 0, false, ctx.Err()
		}
	}
	_, err = t.start(ctx)
	refused := errors.Is(err, mabeam.ErrLimitReached)
	switch {
	case again < room:
		t.env.Detail(fmt.Sprintf("after %d agents had ended by %s, only %d could be started within %v; the last attempt: %v", room, way.name, again, recoverWithin, failure), 1)
	case !refused:
		t.env.Detail("after the recovery, an agent beyond the limit was not refused", 1)
	}
	t.env.Operations(int64(again), int64(room-again), 0)
	return first, again == room && refused, nil
}

// cleanUp stops all agents and reports what they have left behind.
func (t *limitTest) cleanUp(ctx context.Context) error {
	left := t.system.Registry().All()
	driven, err := t.env.RunLoad(ctx, load.Load{Workers: 1, Operations: max(len(left), 1), For: recoverWithin}, func(ctx context.Context, op load.Op) error {
		if op.N >= len(left) {
			return nil // none was left
		}
		t.stopped.Add(1)
		return t.system.StopAgent(ctx, left[op.N].ID())
	})
	if err != nil {
		return err
	}
	if int(driven.Attempted) < len(left) {
		for _, m := range leakMetrics() {
			t.env.Unmeasured(m.Name, fmt.Sprintf("only %d of %d agents could be stopped within %v", driven.Attempted, len(left), recoverWithin))
		}
		return nil
	}
	reportLeaks(ctx, t.env, t.held)
	return nil
}
