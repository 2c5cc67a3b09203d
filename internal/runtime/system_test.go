package runtime

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStartNamesTheComponentThatFailed(t *testing.T) {
	whole := start(t, Options{})
	var order []string
	for _, c := range whole.Startup() {
		order = append(order, c.Component)
	}
	for i, component := range order {
		var began []string
		_, err := Start(Options{OnStart: func(c string) error {
			began = append(began, c)
			if c == component {
				return errOwn
			}
			return nil
		}})
		if !errors.Is(err, errOwn) || !strings.Contains(err.Error(), component) {
			t.Errorf("%s fails: %v", component, err)
		}
		if !slices.Equal(began, order[:i+1]) {
			t.Errorf("%s fails: began %v", component, began)
		}
	}
}

func TestStopDeliversAndRefuses(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var slow inbox
	if _, err := s.Bus().Subscribe("x", slow.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	publishAll(t, s, "x", numbers(0, 500))
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := slow.data(); !slices.Equal(got, numbers(0, 500)) {
		t.Errorf("%d of 500 events were handled before the stop", len(got))
	}
	_, startErr := s.StartAgent(context.Background(), DemoSpec())
	_, subscribeErr := s.Bus().Subscribe("x", slow.handle, SubscribeOptions{})
	publishErr := s.Bus().Publish(context.Background(), Event{Type: "x"})
	for _, err := range []error{startErr, subscribeErr, publishErr} {
		if !errors.Is(err, ErrSystemStopped) {
			t.Errorf("after stop: %v", err)
		}
	}
}

// Stop keeps its deadline: what does not end is told and left behind as soon
// as its context allows.
func TestStopDeadline(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(ctx context.Context, _ *Agent, _ string, _ Params) (any, error) {
		<-ctx.Done()
		close(left)
		return nil, nil
	}}})
	if err := s.Tell(context.Background(), id, "hang", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 agents") {
		t.Errorf("stop: %v", err)
	}
	<-left
}

func TestSystemsLiveSideBySide(t *testing.T) {
	a, b := start(t, Options{Node: "a"}), start(t, Options{Node: "b"})
	spec := DemoSpec()
	spec.ID = "same"
	startAgent(t, a, spec)
	startAgent(t, b, spec)
	var heard inbox
	if _, err := b.Bus().SubscribePattern("*", heard.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Execute(context.Background(), "same", "increment", nil); err != nil {
		t.Fatal(err)
	}
	info, err := b.Agent("same")
	if err != nil || info.State.(DemoState).Counter != 0 || info.Node != "b" {
		t.Errorf("b's agent: %+v, %v", info, err)
	}
	if n := len(b.Registry().ByNode("a")); n != 0 {
		t.Errorf("b knows %d agents of a", n)
	}
	if err := b.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, e := range heard.events {
		if !strings.HasPrefix(e.Type, "agent_lifecycle.") {
			t.Errorf("b heard %q of a", e.Type)
		}
	}
}

// A subscriber that hangs, with its queue full of lifecycle events, does not
// hold a stop up beyond its deadline.
func TestStopDeadlineWithStuckSubscriber(t *testing.T) {
	s, err := Start(Options{BusQueue: 1, History: -1})
	if err != nil {
		t.Fatal(err)
	}
	began, hold := make(chan struct{}, 100), make(chan struct{})
	stuck := &inbox{began: began, hold: hold}
	if _, err := s.Bus().SubscribePattern("agent_lifecycle.*", stuck.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	startAgent(t, s, DemoSpec())
	<-began
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	close(hold)
	for s.Goroutines() > 0 {
		time.Sleep(time.Millisecond)
	}
}
