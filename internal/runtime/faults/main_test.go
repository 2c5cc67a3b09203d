package faults_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	mabeam "mabeam-top/internal/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An inbox keeps the numbers that events carry. Its handler waits until hold is closed.
type inbox struct {
	hold chan struct{}

	mu   sync.Mutex
	data []int
}

func (b *inbox) handle(_ context.Context, e mabeam.Event) {
	<-b.hold
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, e.Data.(int))
}

func (b *inbox) received() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.data)
}

// publish publishes an event of type "e" for each number from the first to one before the
// last.
func publish(t testing.TB, s *mabeam.System, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Bus().Publish(context.Background(), mabeam.Event{Type: "e", Data: n}); err != nil {
			t.Error(err)
		}
	}
}

// checkListings compares what each index of a registry lists with the list of all records.
func checkListings(r *mabeam.Registry) error {
	type listing struct {
		index, key string
	}
	want := map[listing]int{}
	for _, record := range r.All() {
		want[listing{"type", record.Type()}]++
		want[listing{"node", record.Node()}]++
		for _, c := range record.Capabilities() {
			want[listing{"capability", c}]++
		}
	}
	list := map[string]func(string) []mabeam.Entry{"type": r.ByType, "node": r.ByNode, "capability": r.ByCapability}
	for l, n := range want {
		if got := len(list[l.index](l.key)); got != n {
			return fmt.Errorf("%s %q lists %d records, want %d", l.index, l.key, got, n)
		}
	}
	if r.Count() != len(r.All()) {
		return fmt.Errorf("%d are counted and %d listed", r.Count(), len(r.All()))
	}
	return nil
}
