package eventbus

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// checkHistory publishes more events than a history of the given length keeps; 0 is the
// default, and less keeps none.
func checkHistory(ctx context.Context, bus *mabeam.Bus, length int) error {
	kept := max(length, 0)
	if length == 0 {
		kept = defaultHistory
	}
	if kept > maxFill {
		return nil // filling it would take seconds
	}
	published := kept + 5
	types := []string{"rule.history.a", "rule.history.b"}
	for i := range published {
		if err := bus.Publish(ctx, mabeam.Event{Type: types[i%len(types)], Data: i}); err != nil {
			return err
		}
	}
	for _, limit := range []int{0, 3} {
		want := kept
		if limit > 0 {
			want = min(limit, kept)
		}
		events := bus.History(limit)
		if len(events) != want {
			return fmt.Errorf("History(%d) has %d events, want %d", limit, len(events), want)
		}
		for i, e := range events {
			if n := published - want + i; e.Data != n || e.Type != types[n%len(types)] {
				return fmt.Errorf("event %d of History(%d) is %v of type %s, want %d", i, limit, e.Data, e.Type, n)
			}
		}
	}
	return nil
}
