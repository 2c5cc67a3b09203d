package mabeam

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/runtime/registry"
)

// TestRegistryAgrees holds the table and all indices against a plain map under
// random operations.
func TestRegistryAgrees(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e"}
	types := []string{"demo", "complex"}
	capabilities := []string{"x", "y", "z"}
	nodes := []string{"n1", "n2"}
	rapid.Check(t, func(t *rapid.T) {
		r, model := registry.New(), map[string]Record{}
		draw := func(t *rapid.T) Record {
			return Record{
				ID:           rapid.SampledFrom(ids).Draw(t, "id"),
				Type:         rapid.SampledFrom(types).Draw(t, "type"),
				Capabilities: rapid.SliceOfN(rapid.SampledFrom(capabilities), 0, 4).Draw(t, "capabilities"),
				Node:         rapid.SampledFrom(nodes).Draw(t, "node"),
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				record := draw(t)
				_, there := model[record.ID]
				err := r.Register(record)
				if there != errors.Is(err, ErrAlreadyRegistered) {
					t.Fatalf("register %q (there: %v): %v", record.ID, there, err)
				}
				if !there {
					model[record.ID] = record
				}
			},
			"update": func(t *rapid.T) {
				next := draw(t)
				_, there := model[next.ID]
				err := r.Update(next.ID, func(record *Record) error {
					record.Type, record.Capabilities, record.Node = next.Type, next.Capabilities, next.Node
					return nil
				})
				if there == (err != nil) {
					t.Fatalf("update %q (there: %v): %v", next.ID, there, err)
				}
				if there {
					model[next.ID] = next
				}
			},
			"refused update": func(t *rapid.T) {
				refusal := errors.New("no")
				id := rapid.SampledFrom(ids).Draw(t, "id")
				_, there := model[id]
				err := r.Update(id, func(record *Record) error {
					record.Type = "never"
					return refusal
				})
				if there != errors.Is(err, refusal) {
					t.Fatalf("update %q (there: %v): %v", id, there, err)
				}
			},
			"unregister": func(t *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(t, "id")
				_, there := model[id]
				if got := r.Unregister(id); got != there {
					t.Fatalf("unregister %q = %v", id, got)
				}
				delete(model, id)
			},
			"": func(t *rapid.T) {
				if r.Count() != len(model) || len(r.All()) != len(model) {
					t.Fatalf("count %d, all %d, want %d", r.Count(), len(r.All()), len(model))
				}
				for _, id := range ids {
					e, ok := r.Lookup(id)
					want, there := model[id]
					if ok != there || ok && (e.Type() != want.Type || e.Node() != want.Node) {
						t.Fatalf("lookup %q: %+v", id, e.Record())
					}
				}
				for _, x := range types {
					sameIDs(t, "type "+x, r.ByType(x), model, func(m Record) bool { return m.Type == x })
				}
				for _, x := range nodes {
					sameIDs(t, "node "+x, r.ByNode(x), model, func(m Record) bool { return m.Node == x })
				}
				for _, x := range capabilities {
					sameIDs(t, "capability "+x, r.ByCapability(x), model, func(m Record) bool { return slices.Contains(m.Capabilities, x) })
				}
			},
		})
	})
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func sameIDs(t *rapid.T, what string, got []Entry, model map[string]Record, is func(Record) bool) {
	var gotIDs, want []string
	for _, e := range got {
		gotIDs = append(gotIDs, e.ID())
	}
	for id, record := range model {
		if is(record) {
			want = append(want, id)
		}
	}
	slices.Sort(gotIDs)
	slices.Sort(want)
	if !slices.Equal(gotIDs, want) {
		t.Fatalf("%s: %v, want %v", what, gotIDs, want)
	}
}

// A capability that is named twice is one: the agent is listed once.
func TestCapabilityNamedTwice(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Capabilities: []string{"x", "y", "x"}, Behaviour: adder{}})
	if err := s.Registry().Register(Record{ID: "r", Capabilities: []string{"x", "x"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Registry().Update(id, func(r *Record) error { r.Capabilities = append(r.Capabilities, "y"); return nil }); err != nil {
		t.Fatal(err)
	}
	for capability, want := range map[string]int{"x": 2, "y": 1} {
		if got := s.Registry().ByCapability(capability); len(got) != want {
			t.Errorf("%d records have %q, want %d", len(got), capability, want)
		}
	}
	s.Registry().Unregister("r")
}
