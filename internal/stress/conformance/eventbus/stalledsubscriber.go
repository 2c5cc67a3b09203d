package eventbus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A stalledSubscriber blocks in its first event until it is released.
type stalledSubscriber struct {
	entered, release chan struct{}

	mu  sync.Mutex
	got []int
}

func newStalledSubscriber() *stalledSubscriber {
	return &stalledSubscriber{entered: make(chan struct{}), release: make(chan struct{})}
}

func (r *stalledSubscriber) handle(ctx context.Context, e mabeam.Event) {
	r.mu.Lock()
	r.got = append(r.got, e.Data.(int))
	first := len(r.got) == 1
	r.mu.Unlock()
	if first {
		close(r.entered)
		select {
		case <-r.release:
		case <-ctx.Done():
		}
	}
}

// received returns the events received so far.
func (r *stalledSubscriber) received() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// stall publishes event 0 and waits until the subscriber blocks in it.
func (r *stalledSubscriber) stall(ctx context.Context, bus *mabeam.Bus, eventType string) error {
	if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: 0}); err != nil {
		return err
	}
	return r.awaitFirst(ctx)
}

// awaitFirst waits until the subscriber blocks in its first event.
func (r *stalledSubscriber) awaitFirst(ctx context.Context) error {
	late := time.NewTimer(stallTimeout)
	defer late.Stop()
	select {
	case <-r.entered:
		return nil
	case <-late.C:
		return errNotDelivered
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publishNumbers publishes the numbers from first to end, without end.
func publishNumbers(ctx context.Context, bus *mabeam.Bus, eventType string, first, end int) error {
	for i := first; i < end; i++ {
		if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: i}); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}
