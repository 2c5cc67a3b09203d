package mabeam

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Nothing is sent with a context that has ended.
func TestNothingIsSentWithAnEndedContext(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
		t.Error("an action was carried out")
		return nil, nil
	}}})
	if _, err := s.Bus().SubscribePattern("*", func(_ context.Context, e Event) {
		if !strings.HasPrefix(e.Type, "agent_lifecycle.") {
			t.Errorf("%q was published", e.Type)
		}
	}, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	ref, err := s.Ref(id)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, send := range map[string]func() error{
		"tell":        func() error { return s.Tell(ctx, id, "x", nil) },
		"ref tell":    func() error { return ref.Tell(ctx, "x", nil) },
		"execute":     func() error { _, err := s.Execute(ctx, id, "x", nil); return err },
		"ask":         func() error { _, err := s.Ask(ctx, id, "x", nil).Await(t.Context()); return err },
		"request":     func() error { _, err := s.Request(ctx, Message{Type: "x", Target: id}); return err },
		"gather":      func() error { _, err := s.Gather(ctx, []string{id}, "x", nil); return err },
		"publish":     func() error { return s.Bus().Publish(ctx, Event{Type: "x"}) },
		"publish all": func() error { return s.Bus().PublishAll(ctx, []Event{{Type: "x"}}) },
		"start":       func() error { _, err := s.StartAgent(ctx, Spec{Behaviour: &scripted{}}); return err },
	} {
		if err := send(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A system that stops waits for the starts that are under way, or reports them.
func TestStopAwaitsStarts(t *testing.T) {
	for name, c := range map[string]struct {
		within, took time.Duration
		err          string
	}{
		"in time": {time.Minute, time.Second, ""},
		"late":    {100 * time.Millisecond, 100 * time.Millisecond, "1 agents were still starting"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := Start(t.Context(), Options{})
				if err != nil {
					t.Fatal(err)
				}
				started := make(chan error)
				go func() {
					_, err := s.StartAgent(t.Context(), Spec{Behaviour: &scripted{init: func(*Agent) error { time.Sleep(time.Second); return nil }}})
					started <- err
				}()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), c.within)
				defer cancel()
				began := time.Now()
				err = s.Stop(ctx)
				if took := time.Since(began); took < c.took || took > c.took+2*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v", err)
				}
				if err := <-started; !errors.Is(err, ErrSystemStopped) {
					t.Errorf("the start: %v", err)
				}
				if err := leftovers(s); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
