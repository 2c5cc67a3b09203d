package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/runtime/internal/scheduler"
)

var errOwn = errors.New("own error")

func TestExecuteSaysWhy(t *testing.T) {
	s := start(t, Options{})
	ctx := context.Background()
	deadline, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{ctx, deadline} { // both ways an action is run
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(_ context.Context, _ *Agent, action string, _ any) (any, error) {
			switch action {
			case "ok":
				return 42, nil
			case "own":
				return nil, errOwn
			case "panic":
				panic(errOwn)
			}
			return nil, ErrUnknownAction
		}}})
		if v, err := s.Execute(ctx, id, "ok", nil); v != 42 || err != nil {
			t.Errorf("ok: %v, %v", v, err)
		}
		for _, c := range []struct {
			id, action string
			want       error
		}{
			{"nobody", "ok", ErrUnknownAgent},
			{id, "other", ErrUnknownAction},
			{id, "own", errOwn},
			{id, "panic", errOwn},
			{id, "ok", ErrUnknownAgent}, // the panic cost its life
		} {
			_, err := s.Execute(ctx, c.id, c.action, nil)
			var told *ActionError
			if !errors.Is(err, c.want) || !errors.As(err, &told) || told.Agent != c.id || told.Action != c.action {
				t.Errorf("%s of %s: %v, want %v", c.action, c.id, err, c.want)
			}
		}
	}
	if tel := s.Telemetry(); tel.AgentsCrashed != 2 || tel.ActionsDone != 2 || tel.ActionsFailed != 6 {
		t.Errorf("telemetry: %+v", tel)
	}
}

// blocker returns a behaviour whose action "wait" announces itself and waits.
func blocker() (b *scripted, began, hold chan struct{}) {
	began, hold = make(chan struct{}, 100), make(chan struct{})
	return &scripted{action: func(_ context.Context, _ *Agent, action string, _ any) (any, error) {
		if action == "wait" {
			began <- struct{}{}
			<-hold
		}
		return action, nil
	}}, began, hold
}

func TestExecuteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		behaviour, began, hold := blocker()
		id := startAgent(t, s, Spec{Behaviour: behaviour})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		asked := time.Now()
		_, err := s.Execute(ctx, id, "wait", nil)
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("action that hangs: %v", err)
		}
		if took := time.Since(asked); took != time.Second {
			t.Errorf("the timeout of 1s came after %v", took)
		}
		<-began
		close(hold)
		if v, err := s.Execute(context.Background(), id, "other", nil); v != "other" || err != nil {
			t.Errorf("the next action got %v, %v", v, err)
		}
	})
}

func TestMailboxIsBounded(t *testing.T) {
	s := start(t, Options{Mailbox: 10})
	behaviour, began, hold := blocker()
	id := startAgent(t, s, Spec{Behaviour: behaviour})
	ctx := context.Background()
	watch := s.WatchDepth()
	defer watch.Close()
	if err := s.Tell(ctx, id, "wait", nil); err != nil {
		t.Fatal(err)
	}
	<-began
	// The one that runs counts until it is done.
	for range 9 {
		if err := s.Tell(ctx, id, "more", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Execute(ctx, id, "one too many", nil); !errors.Is(err, ErrMailboxFull) {
		t.Errorf("execute with a full mailbox: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	told := make(chan error)
	go func() { told <- s.Tell(cancelled, id, "waits for room", nil) }()
	cancel()
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("tell with a full mailbox: %v", err)
	}
	if depth, deepest, then := s.Telemetry().MailboxDepth, watch.Take(), watch.Take(); depth != 10 || deepest != 10 || then != 0 {
		t.Errorf("depth %d, deepest %d, then %d, want 10, 10 and 0", depth, deepest, then)
	}
	go func() { told <- s.Tell(ctx, id, "waits for room", nil) }()
	close(hold)
	if err := <-told; err != nil {
		t.Error(err)
	}
}

// One thing at a time, in the order of each sender, and nothing lost, whoever
// runs the agent.
func TestOneAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Start(context.Background(), Options{Mailbox: rapid.IntRange(1, 20).Draw(t, "mailbox")})
		if err != nil {
			t.Fatal(err)
		}
		senders := rapid.IntRange(1, 5).Draw(t, "senders")
		rounds := rapid.IntRange(1, 100).Draw(t, "rounds")
		var inside atomic.Int32
		got := make([][]int, senders) // touched by the agent only: the race detector watches
		enter := func() {
			if inside.Add(1) != 1 {
				t.Error("two callbacks at a time")
			}
		}
		id, err := s.StartAgent(context.Background(), Spec{Behaviour: &scripted{
			init: func(self *Agent) error {
				_, err := self.Subscribe("x")
				return err
			},
			action: func(_ context.Context, _ *Agent, _ string, params any) (any, error) {
				enter()
				defer inside.Add(-1)
				p := params.([2]int)
				got[p[0]] = append(got[p[0]], p[1])
				return nil, nil
			},
			event: func(*Agent, Event) {
				enter()
				inside.Add(-1)
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var wg sync.WaitGroup
		for from := range senders {
			wg.Go(func() {
				for n := 0; n < rounds; {
					params := [2]int{from, n}
					var err error
					switch n % 4 {
					case 0:
						err = s.Tell(ctx, id, "do", params)
					case 1:
						_, err = s.Execute(context.Background(), id, "do", params)
					case 2:
						_, err = s.Execute(ctx, id, "do", params)
					default:
						err = s.Bus().Publish(ctx, Event{Type: "x"})
					}
					if errors.Is(err, ErrMailboxFull) {
						continue // refused, so not done: try again
					}
					if err != nil {
						t.Error(err)
					}
					n++
				}
			})
		}
		wg.Wait()
		if err := s.StopAgent(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		for from := range senders {
			var want []int
			for n := range rounds {
				if n%4 != 3 {
					want = append(want, n)
				}
			}
			if !slices.Equal(got[from], want) {
				t.Fatalf("from sender %d: %v", from, got[from])
			}
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if tel := s.Telemetry(); tel.EventsDelivered+tel.EventsDropped != int64(senders*(rounds/4)) {
			t.Fatalf("delivered %d, dropped %d of %d", tel.EventsDelivered, tel.EventsDropped, senders*(rounds/4))
		}
	})
}

func TestStopFinishesAcceptedWork(t *testing.T) {
	s := start(t, Options{})
	behaviour, began, hold := blocker()
	var done []string
	inner := behaviour.action
	behaviour.action = func(ctx context.Context, self *Agent, action string, params any) (any, error) {
		v, err := inner(ctx, self, action, params)
		done = append(done, action)
		return v, err
	}
	behaviour.init = func(self *Agent) error {
		_, err := self.SubscribePattern("*")
		return err
	}
	behaviour.terminate = func(*Agent) { done = append(done, "terminate") }
	id := startAgent(t, s, Spec{Behaviour: behaviour})
	ctx := context.Background()
	for _, action := range []string{"wait", "second", "third"} {
		if err := s.Tell(ctx, id, action, nil); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	stopped := make(chan error)
	go func() { stopped <- s.StopAgent(ctx, id) }()
	for {
		info, err := s.Agent(id)
		if err != nil {
			t.Fatal(err)
		}
		if info.Lifecycle == Terminating {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Execute(ctx, id, "late", nil); !errors.Is(err, ErrStopping) {
		t.Errorf("execute on an agent that is stopping: %v", err)
	}
	close(hold)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if want := []string{"wait", "second", "third", "terminate"}; !slices.Equal(done, want) {
		t.Errorf("did %v, want %v", done, want)
	}
	if _, ok := s.Registry().Lookup(id); ok {
		t.Error("still registered")
	}
	if n := s.Telemetry().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	if err := s.StopAgent(ctx, id); err != nil {
		t.Errorf("stopping an absent agent: %v", err)
	}
}

func TestKillDropsTheMailbox(t *testing.T) {
	s := start(t, Options{})
	behaviour, began, hold := blocker()
	behaviour.terminate = func(*Agent) { t.Error("terminate ran") }
	id := startAgent(t, s, Spec{ID: "mine", Behaviour: behaviour})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first, second := make(chan error), make(chan error)
	go func() { _, err := s.Execute(ctx, id, "wait", nil); first <- err }()
	<-began
	go func() { _, err := s.Execute(ctx, id, "never", nil); second <- err }()
	for s.Telemetry().MailboxDepth < 2 {
		time.Sleep(time.Millisecond)
	}
	s.KillAgent(id)
	// Its id is free at once, though its last action still goes on.
	startAgent(t, s, Spec{ID: "mine", Behaviour: adder{}})
	if err := <-first; !errors.Is(err, ErrKilled) {
		t.Errorf("the action that was going on: %v", err)
	}
	if err := <-second; !errors.Is(err, ErrKilled) {
		t.Errorf("the action that waited: %v", err)
	}
	close(hold)
}

func TestFailingInitIsNoAgent(t *testing.T) {
	s := start(t, Options{BusQueue: 8192})
	var told inbox
	if _, err := s.Bus().SubscribePattern("agent_lifecycle.*", told.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		_, err := s.StartAgent(context.Background(), Spec{Behaviour: &scripted{init: func(self *Agent) error {
			if _, err := self.Subscribe("x"); err != nil {
				return err
			}
			switch i % 20 {
			case 9:
				return errOwn
			case 19:
				panic(errOwn)
			}
			return nil
		}}})
		if errors.Is(err, errOwn) != (i%10 == 9) {
			t.Fatalf("agent %d: %v", i, err)
		}
	}
	tel := s.Telemetry()
	if tel.Agents != 900 || tel.AgentsStarted != 900 || s.Registry().Count() != 900 || tel.Subscriptions != 901 {
		t.Errorf("900 agents should live: %+v, %d registered", tel, s.Registry().Count())
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range told.events {
		counts[e.Type]++
	}
	want := map[string]int{
		EventAgentStarted: 900, EventAgentStartFailed: 100, EventAgentStopping: 900, EventAgentStopped: 900,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("told %v, want %v", counts, want)
	}
}

func TestTwoAgentsNeverShareAnID(t *testing.T) {
	s := start(t, Options{})
	var wg sync.WaitGroup
	var started atomic.Int32
	for range 16 {
		wg.Go(func() {
			_, err := s.StartAgent(context.Background(), Spec{ID: "one", Behaviour: adder{}})
			if err == nil {
				started.Add(1)
			} else if !errors.Is(err, ErrAlreadyRegistered) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := started.Load(); n != 1 {
		t.Errorf("%d agents were started with one id", n)
	}
}

func TestLifecycle(t *testing.T) {
	s := start(t, Options{})
	behaviour, began, hold := blocker()
	var inInit, inAction Lifecycle
	behaviour.init = func(self *Agent) error { inInit = self.Lifecycle(); return nil }
	inner := behaviour.action
	behaviour.action = func(ctx context.Context, self *Agent, action string, params any) (any, error) {
		inAction = self.Lifecycle()
		return inner(ctx, self, action, params)
	}
	id := startAgent(t, s, Spec{Behaviour: behaviour})
	lifecycle := func() Lifecycle {
		info, err := s.Agent(id)
		if err != nil {
			t.Fatal(err)
		}
		return info.Lifecycle
	}
	if inInit != Initializing || lifecycle() != Ready {
		t.Errorf("in Init %v, then %v", inInit, lifecycle())
	}
	if err := s.SuspendAgent(id); err != nil || lifecycle() != Suspended {
		t.Errorf("suspend: %v, %v", err, lifecycle())
	}
	var refused *TransitionError
	if err := s.SuspendAgent(id); !errors.As(err, &refused) || refused.From != Suspended {
		t.Errorf("suspend again: %v", err)
	}
	if err := s.Tell(context.Background(), id, "wait", nil); err != nil {
		t.Fatal(err)
	}
	if len(began) != 0 {
		t.Error("a suspended agent worked")
	}
	if err := s.ResumeAgent(id); err != nil {
		t.Fatal(err)
	}
	<-began
	if lifecycle() != Busy {
		t.Errorf("at work: %v", lifecycle())
	}
	if err := s.ResumeAgent(id); !errors.As(err, &refused) {
		t.Errorf("resume while busy: %v", err)
	}
	close(hold)
	if err := s.StopAgent(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if inAction != Busy {
		t.Errorf("in its action %v", inAction)
	}
	if err := s.SuspendAgent(id); !errors.Is(err, ErrUnknownAgent) {
		t.Errorf("suspend an absent agent: %v", err)
	}
}

// A suspended agent that is stopped does its waiting work first.
func TestStopSuspended(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, DemoSpec())
	if err := s.SuspendAgent(id); err != nil {
		t.Fatal(err)
	}
	if err := s.Tell(context.Background(), id, "increment", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.StopAgent(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if n := s.Telemetry().ActionsDone; n != 1 {
		t.Errorf("%d actions done, want 1", n)
	}
}

func TestAgentStopsItself(t *testing.T) {
	s := start(t, Options{})
	for _, ctx := range []context.Context{context.Background(), t.Context()} {
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(_ context.Context, self *Agent, _ string, _ any) (any, error) {
			self.Stop()
			return "bye", nil
		}}})
		if v, err := s.Execute(ctx, id, "leave", nil); v != "bye" || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		if err := s.StopAgent(context.Background(), id); err != nil { // waits for the end
			t.Fatal(err)
		}
		if _, err := s.Agent(id); !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("it lives: %v", err)
		}
	}
}

func TestActionEventsOnlyForSubscribers(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(_ context.Context, _ *Agent, action string, _ any) (any, error) {
		if action == "bad" {
			return nil, errOwn
		}
		return nil, nil
	}}})
	published := s.Telemetry().EventsPublished
	if _, err := s.Execute(context.Background(), id, "good", nil); err != nil {
		t.Fatal(err)
	}
	if n := s.Telemetry().EventsPublished; n != published {
		t.Errorf("%d events of actions that nobody asked for", n-published)
	}
	var told inbox
	if _, err := s.Bus().SubscribePattern("action_*", told.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Execute(context.Background(), id, "good", nil)
	_, _ = s.Execute(context.Background(), id, "bad", nil)
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(told.events) != 2 ||
		told.events[0].Data != (ActionData{AgentID: id, Action: "good"}) ||
		told.events[1].Data != (ActionData{AgentID: id, Action: "bad", Error: errOwn.Error()}) {
		t.Errorf("told %v", told.events)
	}
}

// More handlers that wait for each other than there are runners do not starve
// the one they wait for.
func TestBlockedHandlersDoNotStarveOthers(t *testing.T) {
	s := start(t, Options{})
	open := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for range scheduler.MaxRunners + 10 {
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
			<-open
			return nil, nil
		}}})
		wg.Go(func() {
			if _, err := s.Execute(ctx, id, "wait", nil); err != nil {
				t.Error(err)
			}
		})
	}
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
		close(open)
		return nil, nil
	}}})
	for s.Telemetry().MailboxDepth < scheduler.MaxRunners+10 {
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Execute(ctx, id, "open", nil); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// An action that an agent accepted is answered, whatever ends the agent: no
// call hangs, and none is answered without having been carried out.
func TestEveryAcceptedActionIsAnswered(t *testing.T) {
	s := start(t, Options{})
	for round := range 300 {
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) { return "done", nil }}})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				for {
					v, err := s.Execute(ctx, id, "x", nil)
					if errors.Is(err, ErrTimeout) || err == nil && v != "done" {
						t.Errorf("round %d: answered %v, %v", round, v, err)
					}
					if err != nil {
						return
					}
				}
			})
		}
		if round%2 == 0 {
			s.KillAgent(id)
		} else if err := s.StopAgent(context.Background(), id); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// Agents that are being started while the system stops do not hold it up.
func TestStartsDuringStop(t *testing.T) {
	for range 200 {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := s.StartAgent(context.Background(), DemoSpec()); err != nil {
						return
					}
				}
			})
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := s.Telemetry().Agents; n != 0 {
			t.Fatalf("%d agents are left", n)
		}
	}
}

// Whoever stops an agent, it is gone when StopAgent returns.
func TestStoppedMeansGone(t *testing.T) {
	s := start(t, Options{})
	for range 500 {
		id := startAgent(t, s, DemoSpec())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := s.StopAgent(context.Background(), id); err != nil {
					t.Error(err)
				}
				if _, ok := s.Registry().Lookup(id); ok {
					t.Error("still registered")
				}
			})
		}
		wg.Wait()
	}
}

// Events that were published before an agent was asked to stop are accepted
// work, however many.
func TestStopHandlesAcceptedEvents(t *testing.T) {
	s := start(t, Options{BusQueue: 4096})
	handled := 0
	id := startAgent(t, s, Spec{Behaviour: &scripted{
		init:  func(self *Agent) error { _, err := self.Subscribe("x"); return err },
		event: func(*Agent, Event) { handled++ },
	}})
	if err := s.SuspendAgent(id); err != nil {
		t.Fatal(err)
	}
	publishAll(t, s, "x", numbers(0, 3000))
	if err := s.StopAgent(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if tel := s.Telemetry(); handled != 3000 || tel.EventsDropped != 0 || tel.MailboxDepth != 0 {
		t.Errorf("handled %d of 3,000; %d dropped, %d messages left", handled, tel.EventsDropped, tel.MailboxDepth)
	}
}

// What a caller does with its slices and maps afterwards is no concern of the
// registry's.
func TestSpecsAreCopied(t *testing.T) {
	s := start(t, Options{})
	spec := Spec{Behaviour: adder{}, Capabilities: []string{"a", "b"}, Metadata: map[string]any{"k": 1}}
	id := startAgent(t, s, spec)
	spec.Capabilities[0], spec.Metadata["k"] = "changed", 2
	if n := len(s.Registry().ByCapability("a")); n != 1 {
		t.Errorf("%d agents can do a", n)
	}
	if err := s.StopAgent(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func TestLivingAgentsAreNotUnregistered(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, DemoSpec())
	if s.Registry().Unregister(id) {
		t.Error("a living agent was unregistered")
	}
}

// One caller who waits for each answer never finds the mailbox full, however
// small it is.
func TestMailboxOfOne(t *testing.T) {
	s := start(t, Options{Mailbox: 1})
	id := startAgent(t, s, DemoSpec())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 5000 {
		if _, err := s.Execute(ctx, id, "ping", nil); err != nil {
			t.Fatal(err)
		}
	}
}

// What is done makes room at once in a short mailbox, and soon in a long one
// whose messages take long.
func TestRoomComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{8, 64} {
			s := start(t, Options{Mailbox: size})
			id := startAgent(t, s, Spec{Behaviour: &scripted{
				action: func(context.Context, *Agent, string, any) (any, error) {
					time.Sleep(time.Second)
					return nil, nil
				},
			}})
			for range size {
				if err := s.Tell(t.Context(), id, "sleep", nil); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := s.Tell(t.Context(), id, "sleep", nil); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("mailbox of %d: room came after %v", size, took)
			}
			s.KillAgent(id)
		}
	})
}
