package mabeam

import (
	"fmt"
	"sync"
	"testing"
)

// The history is one ring for all types: the newest events, whatever their types, in
// order, and no more than it keeps.
func TestHistoryIsOneRing(t *testing.T) {
	for _, kept := range []int{1, 63, 64, 65, 100, 1000} {
		s := start(t, Options{History: kept})
		const events, types = 2500, 300
		for i := range events {
			if err := s.Bus().Publish(t.Context(), Event{Type: fmt.Sprint("type", i%types), Data: i}); err != nil {
				t.Fatal(err)
			}
		}
		for _, limit := range []int{0, 1, 10, kept, kept + 1} {
			want := kept
			if limit > 0 {
				want = min(limit, kept)
			}
			got := s.Bus().History(limit)
			if len(got) != want {
				t.Fatalf("History(%d) of %d has %d events", limit, kept, len(got))
			}
			for i, e := range got {
				if e.Data != events-want+i {
					t.Errorf("event %d of History(%d) of %d is %v", i, limit, kept, e.Data)
				}
			}
		}
	}
}

// What many publish at the same time is all in the history, each event once.
func TestHistoryOfManyPublishers(t *testing.T) {
	const publishers, each = 8, 500
	s := start(t, Options{History: publishers * each})
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if err := s.Bus().Publish(t.Context(), Event{Type: fmt.Sprint("type", p), Data: i}); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					s.Bus().History(100)
				}
			}
		})
	}
	wg.Wait()
	next := map[string]int{}
	for _, e := range s.Bus().History(0) {
		if e.Data != next[e.Type] {
			t.Fatalf("%s: %v instead of %d", e.Type, e.Data, next[e.Type])
		}
		next[e.Type]++
	}
	for p := range publishers {
		if n := next[fmt.Sprint("type", p)]; n != each {
			t.Errorf("publisher %d: %d of %d", p, n, each)
		}
	}
}
