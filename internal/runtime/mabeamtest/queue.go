package mabeamtest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// defaultWithin is how long a test waits for something that does not say otherwise.
const defaultWithin = 5 * time.Second

// A queue holds what has arrived and was not taken yet, the oldest first. The zero value is
// ready to use.
type queue[T any] struct {
	mu      sync.Mutex
	list    []T
	changed chan struct{} // closed when something arrives; nil while nobody waits
}

func (q *queue[T]) add(v T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, v)
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// take removes and returns the oldest that fits. If there is none, changed is closed when
// it is worth trying again.
func (q *queue[T]) take(fits func(T) bool) (v T, ok bool, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.IndexFunc(q.list, fits); i >= 0 {
		v = q.list[i]
		q.list = slices.Delete(q.list, i, i+1)
		return v, true, nil
	}
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return v, false, q.changed
}

// rest removes and returns all.
func (q *queue[T]) rest() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// next waits for the oldest that fits, nil for any. If there is none within the time, the
// test fails and ends.
func (q *queue[T]) next(t testing.TB, within time.Duration, fits func(T) bool) T {
	t.Helper()
	if fits == nil {
		fits = func(T) bool { return true }
	}
	within = cmp.Or(within, defaultWithin)
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		v, ok, changed := q.take(fits)
		if ok {
			return v
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("nothing that fits arrived within %v; not taken yet: %v", within, q)
		}
	}
}

// String lists what was not taken yet.
func (q *queue[T]) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return "nothing"
	}
	return fmt.Sprint(q.list)
}
