package mabeam

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mabeam-top/internal/runtime/eventbus"
)

// An allocCase is something to do, and how much memory it may take, in
// allocations.
type allocCase struct {
	name string
	most float64
	do   func() error
}

// The paths that a busy system lives on take no memory.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates by itself")
	}
	ctx := context.Background()
	deadline, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()

	s := start(t, Options{History: -1})
	id := startAgent(t, s, Spec{Behaviour: adder{}})
	if err := s.agents.Get(id).Join("adders"); err != nil {
		t.Fatal(err)
	}
	batch := sameEvents("nobody", 2*eventbus.MaxRun)
	told := make(chan struct{})
	hears := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
		told <- struct{}{}
		return nil, nil
	}}})
	execute := func(ctx context.Context) func() error {
		return func() error { _, err := s.Execute(ctx, id, "add", nil); return err }
	}
	cases := []allocCase{
		{"lookup", 0, func() error { s.Registry().Lookup(id); return nil }},
		{"read an entry", 0, func() error {
			e, ok := s.Registry().Lookup(id)
			if !ok || e.ID() != id || e.Type() != "" || e.HasCapability("x") {
				return errors.New("not what was registered")
			}
			return nil
		}},
		{"execute", 0, execute(ctx)},
		{"execute with a deadline", 1, execute(deadline)},
		{"tell", 0, func() error { err := s.Tell(ctx, hears, "x", nil); <-told; return err }},
		{"publish to nobody", 0, func() error { return s.Bus().Publish(ctx, Event{Type: "nobody"}) }},
		{"publish a batch", 0, func() error { return s.Bus().PublishAll(ctx, batch) }},
		{"list a group", 0, func() error { _ = s.Group("adders").At(0); return nil }},
	}
	for _, subscribers := range []int{1, 10} {
		heard := make(chan struct{})
		handler := func(context.Context, Event) { heard <- struct{}{} }
		publish := func(eventType string) func() error {
			var data any = &subscribers
			return func() error {
				err := s.Bus().Publish(ctx, Event{Type: eventType, Source: "me", Data: data})
				for range subscribers {
					<-heard
				}
				return err
			}
		}
		block, newest := Block, DropNewest
		for how, o := range map[string]SubscribeOptions{"exact": {Policy: &block}, "queued": {Policy: &newest}} {
			eventType := fmt.Sprint(how, subscribers)
			for range subscribers {
				if _, err := s.Bus().Subscribe(eventType, handler, o); err != nil {
					t.Fatal(err)
				}
			}
			cases = append(cases, allocCase{fmt.Sprintf("publish to %d subscribers, %s", subscribers, how), 0, publish(eventType)})
		}
		eventType := fmt.Sprint("pattern", subscribers)
		for range subscribers {
			if _, err := s.Bus().SubscribePattern(eventType+".*", handler, SubscribeOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		cases = append(cases, allocCase{fmt.Sprintf("publish to %d subscribers of a pattern", subscribers), 0, publish(eventType + ".x")})
		eventType = fmt.Sprint("agents", subscribers)
		for range subscribers {
			startAgent(t, s, Spec{Behaviour: &scripted{
				init:  func(self *Agent) error { _, err := self.Subscribe(eventType); return err },
				event: func(*Agent, Event) { heard <- struct{}{} },
			}})
		}
		cases = append(cases, allocCase{fmt.Sprintf("publish to %d agents", subscribers), 0, publish(eventType)})
	}
	for _, c := range cases {
		for range 2000 { // what grows at first
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
		}
		allocs := testing.AllocsPerRun(2000, func() {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, allocs, c.most)
		}
	}
}
