package guard

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeHeap is read and collected as told.
type fakeHeap struct {
	live, dead         int64
	reads, collections int
	takes              time.Duration // a collection
}

func (h *fakeHeap) read() int64 { h.reads++; return h.live + h.dead }

func (h *fakeHeap) collect() {
	h.collections++
	h.dead = 0
	time.Sleep(h.takes)
}

func TestMemoryIsReadSeldomAndCollectedMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHeap{live: 50}
		m := newMemoryLimit(100, h.read, h.collect)
		check := func(what string, full bool, reads, collections int) {
			t.Helper()
			if err := m.Check(); errors.Is(err, ErrLimitReached) != full {
				t.Errorf("%s: %v", what, err)
			}
			if h.reads != reads || h.collections != collections {
				t.Errorf("%s: %d readings and %d collections, want %d and %d", what, h.reads, h.collections, reads, collections)
			}
		}
		check("at first", false, 2, 0)
		h.live = 100
		check("by the last reading", false, 2, 0)
		time.Sleep(readEvery)
		check("full", true, 4, 1)
		for range 10 {
			check("full by the last reading", true, 4, 1)
		}
		h.live = 99
		time.Sleep(readEvery)
		check("room without a collection", false, 5, 1)
		h.live, h.dead = 50, 50
		time.Sleep(readEvery)
		check("what is dead cannot be told yet", true, 6, 1)
		time.Sleep(collectEvery - 2*readEvery)
		h.takes = time.Second
		check("what was dead is collected", false, 8, 2)
		h.dead = 50
		time.Sleep(4*time.Second - 1)
		check("a long collection", true, 9, 2)
		time.Sleep(readEvery)
		check("after a long pause", false, 11, 3)
	})
}
