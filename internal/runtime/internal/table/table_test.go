package table

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, model := New[int](), map[string]*int{}
		keys := rapid.SampledFrom(func() []string {
			k := make([]string, 300)
			for i := range k {
				k[i] = fmt.Sprint(i)
			}
			return k
		}())
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				k, v := keys.Draw(t, "key"), new(int)
				if added := table.Add(k, v); added != (model[k] == nil) {
					t.Fatalf("add %q: %v, has %p", k, added, model[k])
				}
				if model[k] == nil {
					model[k] = v
				}
			},
			"remove": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				if table.Remove(k, new(int)) {
					t.Fatalf("remove %q: a value that it does not have", k)
				}
				if removed := table.Remove(k, model[k]); removed != (model[k] != nil) {
					t.Fatalf("remove %q: %v, has %p", k, removed, model[k])
				}
				delete(model, k)
			},
			"": func(t *rapid.T) {
				n := 0
				table.Each(func(*int) { n++ })
				if n != len(model) {
					t.Fatalf("%d entries, want %d", n, len(model))
				}
				for i := range 300 {
					k := fmt.Sprint(i)
					if got := table.Get(k); got != model[k] {
						t.Fatalf("get %q: %p, want %p", k, got, model[k])
					}
				}
			},
		})
	})
}

// A reader must never miss a key that is there all the time, however often the
// table is rebuilt around it.
func TestTableReadersDuringChanges(t *testing.T) {
	table := New[int]()
	stays := new(int)
	table.Add("stays", stays)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if table.Get("stays") != stays {
					t.Error("lost an entry")
					return
				}
			}
		})
	}
	value := new(int)
	for round := range 20 {
		for i := range 2000 {
			table.Add(fmt.Sprint(round, i), value)
		}
		for i := range 2000 {
			table.Remove(fmt.Sprint(round, i), value)
		}
	}
	close(done)
	wg.Wait()
}
