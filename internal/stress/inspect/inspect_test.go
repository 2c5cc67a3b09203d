package inspect

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress/stream"
)

// A relay has the agent that its state names do what it is asked, or sleeps if it names
// none.
type relay struct{ mabeam.Defaults }

func (relay) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if next, ok := self.State().(string); ok {
		return self.Execute(ctx, next, action, params)
	}
	time.Sleep(10 * time.Millisecond)
	return nil, nil
}

// An inspection has what the request asks for of types, waits and supervisors, and nothing
// else.
func TestInspectionOfTypesWaitsAndSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		child := func(id, agentType string, state any) supervision.Child {
			return supervision.Child{ID: id, New: func() mabeam.Spec { return mabeam.Spec{Type: agentType, Behaviour: relay{}, State: state} }}
		}
		below := &supervision.Spec{ID: "below", Strategy: supervision.OneForAll, Children: []supervision.Child{child("a", "front", "b")}}
		if _, err := supervision.Start(t.Context(), s, supervision.Spec{ID: "root", Children: []supervision.Child{
			child("b", "back", nil), {Supervisor: below, Restart: supervision.Temporary},
		}}); err != nil {
			t.Fatal(err)
		}
		i := newInspection(s)
		defer i.Close()
		if got := i.run(stream.Inspect{}, time.Now()); !reflect.DeepEqual(got, &stream.Inspection{By: stream.ByMailbox}) {
			t.Errorf("nothing was asked for: %+v", got)
		}
		all := stream.Inspect{Types: 1, Waits: 9, Children: 9, Agent: "a"}
		if err := s.Tell(t.Context(), "a", "x", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		i.run(all, time.Now())
		time.Sleep(4 * time.Millisecond)
		got := i.run(all, time.Now())
		waits := []stream.WaitState{{Waiter: "a", Target: "b", Seconds: 0.004}}
		if !reflect.DeepEqual(got.Waits, waits) || got.WaitsTotal != 1 || got.Agent == nil || !reflect.DeepEqual(got.Agent.Waits, waits) {
			t.Errorf("waits %+v of %d, agent %+v, want %+v", got.Waits, got.WaitsTotal, got.Agent, waits)
		}
		time.Sleep(time.Second)
		s.KillAgent("b")
		synctest.Wait()
		got = i.run(all, time.Now())
		if len(got.Types) != 1 || got.TypesTotal != 2 || got.OtherTypes != nil || len(got.Waits) != 0 {
			t.Fatalf("%+v", got)
		}
		work := got.Types[0].AtWork
		if got.Types[0].Handled != 1 || work.Count != 1 || work.SumSeconds != 0.01 || work.MaxSeconds != 0.01 ||
			len(work.Buckets) != 1 || work.Buckets[0].Count != 1 || work.Buckets[0].UpToSeconds < 0.01 || work.Buckets[0].UpToSeconds > 0.0104 {
			t.Errorf("a type: %+v", got.Types[0])
		}
		tree := []stream.SupervisorState{{ID: "root", Strategy: "one-for-one", Restarts: 1, Allowed: 10, WithinSeconds: 60, Children: []stream.ChildState{
			{ID: "b", Restart: "permanent", Restarts: 1, Alive: true, Why: "killed"},
			{ID: "below", Restart: "temporary", Alive: true, Below: &stream.SupervisorState{
				ID: "below", Strategy: "one-for-all", Allowed: 10, WithinSeconds: 60, Children: []stream.ChildState{{ID: "a", Restart: "permanent", Alive: true}},
			}},
		}}}
		if !reflect.DeepEqual(got.Supervisors, tree) || got.SupervisorsTotal != 1 {
			t.Errorf("tree %+v, want %+v", got.Supervisors, tree)
		}
	})
}
