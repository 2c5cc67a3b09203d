package mabeam

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"mabeam-top/internal/runtime/registry"
)

// kept is what the registry has in these tests, and spoil changes every part of it that it
// is given.
var kept = Record{ID: "kept", Type: "t", Node: "here", Capabilities: []string{"z", "a"}, Metadata: map[string]any{"k": 1}}

func spoil(capabilities []string, metadata map[string]any) {
	slices.Sort(capabilities)
	if len(capabilities) > 0 {
		capabilities[0] = "spoilt"
	}
	if metadata != nil {
		metadata["k"], metadata["new"] = 2, true
	}
}

// isKept fails the test if an entry is not what was registered.
func isKept(t *testing.T, e Entry) {
	t.Helper()
	if !slices.Equal(e.Capabilities(), kept.Capabilities) || !maps.Equal(e.Metadata(), kept.Metadata) {
		t.Errorf("%q has the capabilities %v and the metadata %v, want %v and %v",
			e.ID(), e.Capabilities(), e.Metadata(), kept.Capabilities, kept.Metadata)
	}
}

// areKept fails the test if the registry does not know and list all its entries as kept.
func areKept(t *testing.T, r *Registry) {
	t.Helper()
	for _, e := range r.All() {
		isKept(t, e)
	}
	for _, capability := range kept.Capabilities {
		if n := len(r.ByCapability(capability)); n != r.Count() {
			t.Errorf("%d of %d entries are listed under %q", n, r.Count(), capability)
		}
	}
	if n := len(r.ByCapability("spoilt")); n != 0 {
		t.Errorf("%d entries are listed under a capability that they never had", n)
	}
}

func spoilEntry(e Entry) {
	spoil(e.Capabilities(), e.Metadata())
	r := e.Record()
	spoil(r.Capabilities, r.Metadata)
}

func spoilAll(entries []Entry) {
	for _, e := range entries {
		spoilEntry(e)
	}
}

// What is handed out is the caller's to change.
func TestHandedOutIsACopy(t *testing.T) {
	for name, change := range map[string]func(s *System, id string){
		"Lookup":       func(s *System, id string) { e, _ := s.Registry().Lookup(id); spoilEntry(e) },
		"All":          func(s *System, _ string) { spoilAll(s.Registry().All()) },
		"ByType":       func(s *System, _ string) { spoilAll(s.Registry().ByType(kept.Type)) },
		"ByCapability": func(s *System, _ string) { spoilAll(s.Registry().ByCapability("z")) },
		"ByNode":       func(s *System, _ string) { spoilAll(s.Registry().ByNode(kept.Node)) },
		"Agent.Entry":  func(s *System, id string) { spoilEntry(s.agents.Get(id).Entry()) },
		"System.Agent": func(s *System, id string) { info, _ := s.Agent(id); spoil(info.Capabilities, info.Metadata) },
		"Inspector.Agent": func(s *System, id string) {
			i := s.Inspect()
			defer i.Close()
			report, _ := i.Agent(id)
			spoil(report.Capabilities, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{Node: kept.Node})
			spec := Spec{Type: kept.Type, Capabilities: kept.Capabilities, Metadata: kept.Metadata, Behaviour: adder{}}
			id := startAgent(t, s, spec)
			startAgent(t, s, spec) // the list of its capabilities is that of the first
			change(s, id)
			areKept(t, s.Registry())
		})
	}
}

// What was given is the caller's to change afterwards.
func TestGivenIsCopied(t *testing.T) {
	for name, give := range map[string]func(t *testing.T, s *System, capabilities []string, metadata map[string]any){
		"Register": func(t *testing.T, s *System, capabilities []string, metadata map[string]any) {
			if err := s.Registry().Register(Record{ID: "r", Capabilities: capabilities, Metadata: metadata}); err != nil {
				t.Fatal(err)
			}
		},
		"StartAgent": func(t *testing.T, s *System, capabilities []string, metadata map[string]any) {
			startAgent(t, s, Spec{Capabilities: capabilities, Metadata: metadata, Behaviour: adder{}})
		},
		"Update": func(t *testing.T, s *System, capabilities []string, metadata map[string]any) {
			if err := s.Registry().Register(Record{ID: "r"}); err != nil {
				t.Fatal(err)
			}
			err := s.Registry().Update("r", func(r *Record) error {
				r.Capabilities, r.Metadata = capabilities, metadata
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			defer s.Registry().Unregister("r")
			capabilities, metadata := slices.Clone(kept.Capabilities), maps.Clone(kept.Metadata)
			give(t, s, capabilities, metadata)
			spoil(capabilities, metadata)
			areKept(t, s.Registry())
		})
	}
}

// The record that Update lends is not the registry's: neither when it is kept, nor when the
// change is refused after all.
func TestUpdateLendsACopy(t *testing.T) {
	for name, result := range map[string]error{"done": nil, "refused": ErrLimitReached} {
		t.Run(name, func(t *testing.T) {
			r := registry.New()
			if err := r.Register(kept); err != nil {
				t.Fatal(err)
			}
			var lent *Record
			change := func(record *Record) error {
				if lent = record; result != nil {
					spoil(lent.Capabilities, lent.Metadata)
				}
				return result
			}
			_ = r.Update(kept.ID, change) // its errors have tests of their own
			spoil(lent.Capabilities, lent.Metadata)
			lent.ID, lent.Type = "other", "other"
			areKept(t, r)
			if e, ok := r.Lookup(kept.ID); !ok || e.ID() != kept.ID || e.Type() != kept.Type {
				t.Errorf("%+v, %v", e.Record(), ok)
			}
		})
	}
}

// An entry shows what was, also after the registry has changed.
func TestEntryStays(t *testing.T) {
	r := registry.New()
	if err := r.Register(kept); err != nil {
		t.Fatal(err)
	}
	before, _ := r.Lookup(kept.ID)
	was := before.Record()
	err := r.Update(kept.ID, func(record *Record) error {
		record.Type, record.Node, record.ParentID = "other", "other", "other"
		spoil(record.Capabilities, record.Metadata)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before.Record(), was) {
		t.Errorf("%+v was %+v", before.Record(), was)
	}
	after, _ := r.Lookup(kept.ID)
	if after.Type() != "other" || !after.HasCapability("spoilt") || after.Metadata()["k"] != 2 || after.CreatedAt() != before.CreatedAt() {
		t.Errorf("after the change: %+v", after.Record())
	}
}

// An entry tells all that its record has.
func TestEntryOfRecord(t *testing.T) {
	made := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	given := Record{
		ID: "i", Type: "t", Node: "n", ParentID: "p", CreatedAt: made, UpdatedAt: made.Add(time.Second),
		Capabilities: slices.Clone(kept.Capabilities), Metadata: maps.Clone(kept.Metadata),
	}
	e := given.Entry()
	spoil(given.Capabilities, given.Metadata)
	isKept(t, e)
	told := Record{
		ID: e.ID(), Type: e.Type(), Node: e.Node(), ParentID: e.ParentID(), CreatedAt: e.CreatedAt(), UpdatedAt: e.UpdatedAt(),
		Capabilities: e.Capabilities(), Metadata: e.Metadata(),
	}
	if !reflect.DeepEqual(told, e.Record()) || told.ID != "i" || told.Type != "t" || told.Node != "n" || told.ParentID != "p" || told.CreatedAt != made || !told.UpdatedAt.After(made) {
		t.Errorf("%+v is told as %+v", e.Record(), told)
	}
	if !e.HasCapability("z") || e.HasCapability("spoilt") {
		t.Errorf("of %v, z: %v, spoilt: %v", e.Capabilities(), e.HasCapability("z"), e.HasCapability("spoilt"))
	}
}

// The zero entry tells nothing, and can be asked.
func TestZeroEntry(t *testing.T) {
	e, found := registry.New().Lookup("nobody")
	if found || e != (Entry{}) || !reflect.DeepEqual(e.Record(), Record{}) || e.ID() != "" || e.HasCapability("") || e.Metadata() != nil {
		t.Errorf("%+v, %v", e.Record(), found)
	}
}
