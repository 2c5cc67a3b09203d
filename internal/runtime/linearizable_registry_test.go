package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
)

// An idState is what a plain registry knows of an id.
type idState struct {
	there, lives bool
	kind         string
}

// A plainRegistry is what a plain registry knows.
type plainRegistry [3]idState

// A regCall is one operation on a registry, on the id of a number if it concerns one.
type regCall struct {
	do   string
	id   int
	kind string
}

func (c regCall) name() string { return fmt.Sprint("id", c.id) }

// A regOutput is what came of one.
type regOutput struct {
	ok     bool
	killed bool          // start failed because the agent was killed as soon as it was found
	kind   string        // of lookup
	listed plainRegistry // of a listing: whether each is there, and of what kind
}

// step returns what a registry can be after an operation that had a result; none if it can
// have had no such result.
func (r plainRegistry) step(c regCall, out regOutput) []any {
	now := r[c.id]
	next := r
	want := out
	switch c.do {
	case "register", "start":
		want.ok = !now.there
		next[c.id] = idState{true, c.do == "start", c.kind}
	case "update":
		want.ok = now.there
		next[c.id].kind = c.kind
	case "unregister":
		want.ok = now.there && !now.lives
		next[c.id] = idState{}
	case "stop", "kill":
		want.ok = true
		if now.lives {
			next[c.id] = idState{}
		}
	case "lookup":
		want = regOutput{ok: now.there, kind: now.kind}
	case "list", "list by type":
		want.listed = r.listing(c)
	}
	switch {
	case out.killed && !now.there:
		return []any{r, next} // and who has killed it takes it out
	case want != out:
		return nil
	case !out.ok:
		return []any{r}
	}
	return []any{next}
}

// listing is what a listing tells.
func (r plainRegistry) listing(c regCall) (listed plainRegistry) {
	for id, state := range r {
		if state.there && (c.do == "list" || state.kind == c.kind) {
			listed[id] = idState{there: true, kind: state.kind}
		}
	}
	return listed
}

var registryModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{plainRegistry{}} },
	Step: func(state, input, output any) []any {
		return state.(plainRegistry).step(input.(regCall), output.(regOutput))
	},
}

// carryOut does the operation with a real registry.
func (c regCall) carryOut(t *testing.T, s *mabeam.System) any {
	r := s.Registry()
	var err error
	switch c.do {
	case "register":
		err = r.Register(mabeam.Record{ID: c.name(), Type: c.kind})
	case "start":
		_, err = s.StartAgent(context.Background(), mabeam.Spec{ID: c.name(), Type: c.kind, Behaviour: &mabeamtest.Script{
			OnInit: func(context.Context, *mabeam.Agent) error { runtime.Gosched(); return nil },
		}})
		if errors.Is(err, mabeam.ErrKilled) {
			return regOutput{killed: true}
		}
	case "update":
		err = r.Update(c.name(), func(record *mabeam.Record) error {
			runtime.Gosched()
			record.Type = c.kind
			return nil
		})
	case "unregister":
		return regOutput{ok: r.Unregister(c.name())}
	case "stop":
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // another goroutine stops it
		defer cancel()
		err = s.StopAgent(ctx, c.name())
	case "kill":
		s.KillAgent(c.name())
	case "lookup":
		if record, ok := r.Lookup(c.name()); ok {
			return regOutput{ok: true, kind: record.Type()}
		}
		return regOutput{}
	case "list":
		return regOutput{ok: true, listed: listed(r.All())}
	case "list by type":
		return regOutput{ok: true, listed: listed(r.ByType(c.kind))}
	}
	if err != nil && !errors.Is(err, mabeam.ErrAlreadyRegistered) && !errors.Is(err, mabeam.ErrUnknownAgent) {
		t.Errorf("%+v: %v", c, err)
	}
	return regOutput{ok: err == nil}
}

func listed(records []mabeam.Entry) (all plainRegistry) {
	for _, record := range records {
		var id int
		if _, err := fmt.Sscanf(record.ID(), "id%d", &id); err == nil {
			all[id] = idState{there: true, kind: record.Type()}
		}
	}
	return all
}

var regCalls = []string{
	"register", "start", "start", "update", "unregister", "stop", "kill", "lookup", "lookup", "list", "list by type",
}

func randomRegCall(random *rand.Rand) regCall {
	return regCall{
		do: regCalls[random.IntN(len(regCalls))], id: random.IntN(len(plainRegistry{})), kind: []string{"even", "odd"}[random.IntN(2)],
	}
}

// Whatever several clients do with the registry at once, while agents start, stop and are
// killed and the registry crashes: each operation takes place at one moment.
func TestRegistryIsLinearizable(t *testing.T) {
	// More than there may be, so that each may be interrupted anywhere.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for seed := range uint64(20) {
		s := mabeamtest.Start(t, mabeam.Options{History: -1})
		var h operations
		var clients sync.WaitGroup
		for client := range 4 {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			clients.Go(func() {
				for range 250 {
					if client == 0 {
						_ = faults.Crash(s, "registry")
						continue
					}
					c := randomRegCall(random)
					h.note(client, c, func() any { return c.carryOut(t, s) })
				}
			})
		}
		clients.Wait()
		if err := h.check(registryModel); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		for id := range (plainRegistry{}) {
			s.Registry().Unregister(regCall{id: id}.name())
		}
	}
}
