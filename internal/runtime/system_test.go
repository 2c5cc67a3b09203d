package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStopDeliversAndRefuses(t *testing.T) {
	s, err := Start(context.Background(), Options{})
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
	s, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(ctx context.Context, _ *Agent, _ string, _ any) (any, error) {
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
	if err != nil || fmt.Sprint(info.State) != "{0 []}" || info.Node != "b" {
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

// Of several systems at work, with agents of the same ids, one is stopped in the
// middle: its callers are told, and nothing that the others do is lost.
func TestStoppingOneSystemLeavesTheOthers(t *testing.T) {
	const systems, agents, rounds = 4, 10, 50
	all := make([]*System, systems)
	heard := make([]inbox, systems)
	for i := range all {
		all[i] = start(t, Options{Node: fmt.Sprint("node ", i)})
		if _, err := all[i].Bus().Subscribe("demo_increment", heard[i].handle, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		for n := range agents {
			spec := DemoSpec()
			spec.ID = fmt.Sprint("agent ", n)
			startAgent(t, all[i], spec)
		}
	}
	var work sync.WaitGroup
	half := make(chan struct{})
	for i, s := range all {
		work.Go(func() {
			for round := range rounds {
				if i == 0 && round == rounds/2 {
					close(half)
				}
				for n := range agents {
					_, err := s.Execute(context.Background(), fmt.Sprint("agent ", n), "increment", nil)
					stopped := errors.Is(err, ErrUnknownAgent) || errors.Is(err, ErrStopping)
					if err != nil && (i > 0 || !stopped) {
						t.Errorf("system %d: %v", i, err)
					}
				}
			}
		})
	}
	<-half
	if err := all[0].Stop(context.Background()); err != nil {
		t.Error(err)
	}
	work.Wait()
	ids := make(map[EventID]bool)
	for i, s := range all[1:] {
		for n := range agents {
			info, err := s.Agent(fmt.Sprint("agent ", n))
			if err != nil || fmt.Sprint(info.State) != fmt.Sprintf("{%d []}", rounds) || info.Node != fmt.Sprint("node ", i+1) {
				t.Errorf("system %d: %+v, %v", i+1, info, err)
			}
		}
		if n := s.Telemetry().ActionsDone; n != rounds*agents {
			t.Errorf("system %d: %d actions are done, want %d", i+1, n, rounds*agents)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if n := len(heard[i+1].events); n != rounds*agents {
			t.Errorf("system %d: heard %d events, want %d", i+1, n, rounds*agents)
		}
	}
	heardInAll := 0
	for i := range heard {
		for _, e := range heard[i].events {
			ids[e.ID] = true
		}
		heardInAll += len(heard[i].events)
	}
	if len(ids) != heardInAll {
		t.Errorf("%d events have %d ids", heardInAll, len(ids))
	}
}

// The ids that systems give their agents side by side are all different.
func TestAgentIDsAreUniqueInAProcess(t *testing.T) {
	const systems, agents = 4, 200
	given := make([][]string, systems)
	var starting sync.WaitGroup
	for i := range given {
		s := start(t, Options{})
		starting.Go(func() {
			var err error
			if given[i], err = s.StartAgents(context.Background(), slices.Repeat([]Spec{DemoSpec()}, agents), 2); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	all := slices.Concat(given...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != systems*agents {
		t.Errorf("%d different ids for %d agents", n, systems*agents)
	}
}

// A subscriber that hangs, with its queue full of lifecycle events, does not
// hold a stop up beyond its deadline.
func TestStopDeadlineWithStuckSubscriber(t *testing.T) {
	s, err := Start(context.Background(), Options{BusQueue: 1, History: -1})
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
	err = s.Stop(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), " goroutines still run") {
		t.Errorf("stop: %v", err)
	}
	close(hold)
	for s.Goroutines() > 0 {
		time.Sleep(time.Millisecond)
	}
}
