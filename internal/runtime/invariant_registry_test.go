package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var (
	regIDs          = []string{"a", "b", "c", "d", "e"}
	regTypes        = []string{"even", "odd"}
	regCapabilities = []string{"x", "y", "z"}
)

// checkIndices holds every listing against the list of all records: each
// record is under its type, its node and each of its capabilities, and nowhere
// else. Nobody may change the registry meanwhile.
func checkIndices(r *Registry, nodes ...string) error {
	all := map[string]Entry{}
	for _, e := range r.All() {
		if _, twice := all[e.ID()]; twice {
			return fmt.Errorf("%q is listed twice", e.ID())
		}
		all[e.ID()] = e
		if found, ok := r.Lookup(e.ID()); !ok || found != e {
			return fmt.Errorf("%q is listed as %+v and found as %+v", e.ID(), e.Record(), found.Record())
		}
	}
	if r.Count() != len(all) {
		return fmt.Errorf("%d are counted and %d listed", r.Count(), len(all))
	}
	check := func(name string, keys []string, list func(string) []Entry, has func(Entry) []string) error {
		for _, key := range keys {
			want := 0
			for _, e := range all {
				for _, k := range has(e) {
					want += count(k == key)
				}
			}
			listed := list(key)
			for _, e := range listed {
				if all[e.ID()] != e || !slices.Contains(has(e), key) {
					return fmt.Errorf("%s %q lists %+v, which is %+v", name, key, e.Record(), all[e.ID()].Record())
				}
			}
			if len(listed) != want {
				return fmt.Errorf("%s %q lists %d entries, want %d", name, key, len(listed), want)
			}
		}
		return nil
	}
	return errors.Join(
		check("type", regTypes, r.ByType, func(e Entry) []string { return []string{e.Type()} }),
		check("node", nodes, r.ByNode, func(e Entry) []string { return []string{e.Node()} }),
		check("capability", regCapabilities, r.ByCapability, Entry.Capabilities),
	)
}

// A regOp is one change of the registry, by itself or through an agent.
type regOp struct {
	do, id, kind string
	capabilities []string
}

func drawRegOp(t *rapid.T) regOp {
	return regOp{
		do:           rapid.SampledFrom([]string{"register", "unregister", "update", "start", "stop", "kill", "crash"}).Draw(t, "do"),
		id:           rapid.SampledFrom(regIDs).Draw(t, "id"),
		kind:         rapid.SampledFrom(regTypes).Draw(t, "type"),
		capabilities: rapid.SliceOfNDistinct(rapid.SampledFrom(regCapabilities), 0, 3, rapid.ID).Draw(t, "capabilities"),
	}
}

// apply carries the operation out and says whether the registry has taken it.
func (o regOp) apply(s *System) (taken bool, err error) {
	switch o.do {
	case "register":
		err = s.Registry().Register(Record{ID: o.id, Type: o.kind, Capabilities: o.capabilities, Node: "elsewhere"})
	case "unregister":
		return s.Registry().Unregister(o.id), nil
	case "update":
		err = s.Registry().Update(o.id, func(record *Record) error {
			record.Type, record.Capabilities = o.kind, o.capabilities
			return nil
		})
	case "start":
		_, err = s.StartAgent(context.Background(), Spec{
			ID: o.id, Type: o.kind, Capabilities: o.capabilities,
			Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) { panic(errOwn) }},
		})
	case "stop":
		err = s.StopAgent(context.Background(), o.id)
	case "kill":
		s.KillAgent(o.id)
	case "crash":
		_, err = s.Execute(context.Background(), o.id, "panic", nil)
		if errors.Is(err, errOwn) {
			err = nil
		}
	}
	switch {
	case errors.Is(err, ErrAlreadyRegistered), errors.Is(err, ErrUnknownAgent), errors.Is(err, ErrStopping),
		errors.Is(err, ErrKilled), errors.Is(err, ErrCrashed):
		return false, nil
	}
	return err == nil, err
}

// The registry and all its indices agree with a plain map, whether records are
// registered or belong to agents that start, stop, crash and are killed.
func TestRegistryAgreesWithAgents(t *testing.T) {
	type known struct {
		Record
		lives bool
	}
	rapid.Check(t, func(t *rapid.T) {
		s, err := Start(context.Background(), Options{Node: "here"})
		if err != nil {
			t.Fatal(err)
		}
		model := map[string]known{}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if err := checkIndices(s.Registry(), "here", "elsewhere"); err != nil {
					t.Fatal(err)
				}
				if s.Registry().Count() != len(model) {
					t.Fatalf("%d are registered, want %d", s.Registry().Count(), len(model))
				}
				alive := 0
				for id, want := range model {
					got, ok := s.Registry().Lookup(id)
					if !ok || got.Type() != want.Type || got.Node() != want.Node || !slices.Equal(got.Capabilities(), want.Capabilities) {
						t.Fatalf("%q is %+v, want %+v", id, got.Record(), want)
					}
					alive += count(want.lives)
				}
				if tel := s.Telemetry(); tel.Agents != int64(alive) || tel.AgentsStarted != tel.AgentsStopped+tel.AgentsCrashed+tel.Agents {
					t.Fatalf("%d agents live: %+v", alive, tel)
				}
			},
			"change": func(t *rapid.T) {
				o := drawRegOp(t)
				taken, err := o.apply(s)
				if err != nil {
					t.Fatal(err)
				}
				old, there := model[o.id]
				next := known{Record{ID: o.id, Type: o.kind, Capabilities: o.capabilities, Node: "elsewhere"}, false}
				var want bool
				switch o.do {
				case "start":
					next.Node, next.lives = "here", true
					fallthrough
				case "register":
					if want = !there; want {
						model[o.id] = next
					}
				case "update":
					if want = there; want {
						next.Node, next.lives = old.Node, old.lives
						model[o.id] = next
					}
				case "unregister":
					if want = there && !old.lives; want {
						delete(model, o.id)
					}
				case "stop", "kill", "crash":
					want = old.lives || o.do != "crash" // to stop who is not there is no error
					if old.lives {
						delete(model, o.id)
					}
				}
				if taken != want {
					t.Fatalf("%+v was taken: %v, want %v", o, taken, want)
				}
			},
		})
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// While agents and records of every kind come, go and change, each listing
// shows what stays exactly once and nothing that does not belong to it; after
// that all indices agree.
func TestRegistryListingsWhileAllChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Start(context.Background(), Options{Node: "here"})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Registry()
		plan := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawRegOp), 1, 50), 1, 4).Draw(t, "plan")
		const stay = 20 // records that only change their type and capability
		for i := range stay {
			if err := r.Register(Record{ID: fmt.Sprint(i), Type: "even", Capabilities: []string{"x"}, Node: "stays"}); err != nil {
				t.Fatal(err)
			}
		}
		move := func(record *Record) error {
			if record.Type == "even" {
				record.Type, record.Capabilities = "odd", []string{"y", "z"}
			} else {
				record.Type, record.Capabilities = "even", []string{"x"}
			}
			return nil
		}
		done := make(chan struct{})
		var writers, readers sync.WaitGroup
		for _, ops := range plan {
			writers.Go(func() {
				for i := range 5 * len(ops) {
					o := ops[i%len(ops)]
					if _, err := o.apply(s); err != nil {
						t.Errorf("%+v: %v", o, err)
					}
					if err := r.Update(fmt.Sprint(i%stay), move); err != nil {
						t.Error(err)
					}
				}
			})
		}
		read := func() {
			for name, list := range map[string][]Entry{"all": r.All(), "those who stay": r.ByNode("stays")} {
				seen := map[string]bool{}
				stayed := 0
				for _, e := range list {
					if seen[e.ID()] {
						t.Errorf("%q is listed twice among %s", e.ID(), name)
					}
					seen[e.ID()] = true
					stayed += count(e.Node() == "stays")
				}
				if stayed != stay {
					t.Errorf("%d of %d entries that stay are among %s", stayed, stay, name)
				}
			}
			for _, kind := range regTypes {
				for _, e := range r.ByType(kind) {
					if e.Type() != kind {
						t.Errorf("%q lists %+v", kind, e.Record())
					}
				}
			}
			for _, capability := range regCapabilities {
				for _, e := range r.ByCapability(capability) {
					if !e.HasCapability(capability) {
						t.Errorf("%q lists %+v", capability, e.Record())
					}
				}
			}
			for i := range stay {
				if _, ok := r.Lookup(fmt.Sprint(i)); !ok {
					t.Errorf("%d is not found", i)
				}
			}
		}
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					read()
				}
			}
		})
		writers.Wait()
		close(done)
		readers.Wait()
		if err := checkIndices(r, "here", "elsewhere", "stays"); err != nil {
			t.Error(err)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
