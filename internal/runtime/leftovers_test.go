package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// A stop whose deadline passes while a callback hangs returns then, and
// everybody who waits for the agents is told. When the callback comes back,
// and be it with a panic, nothing is left.
func TestStopLeavesNothingBehind(t *testing.T) {
	for _, place := range []string{"init", "action", "event", "terminate", "bus handler"} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/panics=%v", place, panics), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { stopWhileItHangs(t, place, panics) })
			})
		}
	}
}

func stopWhileItHangs(t *testing.T, place string, panics bool) {
	s, err := Start(context.Background(), Options{BusQueue: 2, Mailbox: 2, History: -1})
	if err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	hang := func(here string) {
		if here == place {
			<-hold
			if panics {
				panic(errOwn)
			}
		}
	}
	ctx := context.Background()
	var terminated atomic.Int32
	healthy := &scripted{
		init:      func(self *Agent) error { _, err := self.Subscribe("healthy"); return err },
		terminate: func(*Agent) { terminated.Add(1) },
	}
	for range 5 {
		startAgent(t, s, Spec{Behaviour: healthy})
	}
	if _, err := s.Bus().Subscribe("x", func(context.Context, Event) { hang("bus handler") }, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_, err := s.StartAgent(ctx, Spec{ID: "hangs", Behaviour: &scripted{
			init: func(self *Agent) error {
				_, err := self.SubscribePattern("x*")
				hang("init")
				return err
			},
			action: func(context.Context, *Agent, string, any) (any, error) {
				hang("action")
				return nil, nil
			},
			event:     func(*Agent, Event) { hang("event") },
			terminate: func(*Agent) { hang("terminate") },
		}})
		var want error
		switch {
		case place == "init" && panics:
			want = errOwn
		case place == "init":
			want = ErrSystemStopped
		}
		if !errors.Is(err, want) {
			t.Errorf("start: %v, want %v", err, want)
		}
	})
	synctest.Wait()
	// More of everything than there is room for.
	answered := make(chan error, 10)
	for range 4 {
		waiting.Go(func() { _ = s.Tell(ctx, "hangs", "x", nil) })
		waiting.Go(func() { _ = s.Bus().Publish(ctx, Event{Type: "x"}) })
	}
	synctest.Wait()
	waiting.Go(func() {
		deadline, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		_, err := s.Execute(deadline, "hangs", "x", nil)
		answered <- err
	})
	waiting.Go(func() { _ = s.StopAgent(ctx, "hangs") })
	synctest.Wait()

	began := time.Now()
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err = s.Stop(soon)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the stop took %v", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	if again := s.Stop(ctx); !errors.Is(again, err) {
		t.Errorf("stop again: %v, and before: %v", again, err)
	}
	if n := terminated.Load(); n != 5 {
		t.Errorf("%d of the 5 agents that did not hang were stopped gracefully", n)
	}
	close(hold)
	waiting.Wait()
	<-answered
	synctest.Wait()
	if took := time.Since(began); took > time.Second {
		t.Errorf("somebody waited for %v after all", took)
	}
	if err := leftovers(s); err != nil {
		t.Error(err)
	}
}

// What a system had, it has no more once it is idle again: no message, no
// subscription, no registration.
func TestIdleIsEmpty(t *testing.T) {
	s := start(t, Options{History: -1})
	ctx := context.Background()
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for i := range 200 {
				id, err := s.StartAgent(ctx, Spec{Behaviour: &scripted{
					init:   func(self *Agent) error { _, err := self.Subscribe("x"); return err },
					action: func(context.Context, *Agent, string, any) (any, error) { panic(errOwn) },
				}})
				if err != nil {
					t.Error(err)
				}
				_ = s.Bus().Publish(ctx, Event{Type: "x"})
				switch (i + worker) % 3 {
				case 0:
					_ = s.StopAgent(ctx, id)
				case 1:
					s.KillAgent(id)
				default:
					_, _ = s.Execute(ctx, id, "panic", nil)
				}
			}
		})
	}
	workers.Wait()
	tel := s.Telemetry()
	if tel.Agents != 0 || tel.Subscriptions != 0 || s.Registry().Count() != 0 {
		t.Errorf("left: %+v, %d registered", tel, s.Registry().Count())
	}
	if tel.AgentsStarted != 800 || tel.AgentsStopped+tel.AgentsCrashed != 800 || tel.AgentsCrashed > 266 {
		t.Errorf("counted: %+v", tel)
	}
}

// When an agent was stopped, no callback of it begins any more; when it was
// killed, only the one that was just about to.
func TestNothingBeginsAfterTheEnd(t *testing.T) {
	for _, kill := range []bool{false, true} {
		s := start(t, Options{History: -1})
		ctx := context.Background()
		for range 300 {
			var gone atomic.Bool
			var late atomic.Int32
			began := func() {
				if gone.Load() {
					late.Add(1)
				}
			}
			id := startAgent(t, s, Spec{Behaviour: &scripted{
				init: func(self *Agent) error {
					_, err := self.Subscribe("x")
					_, err2 := self.SubscribePattern("x.*")
					return errors.Join(err, err2)
				},
				action:    func(context.Context, *Agent, string, any) (any, error) { began(); return nil, nil },
				event:     func(*Agent, Event) { began() },
				terminate: func(*Agent) { began() },
			}})
			ref, err := s.Ref(id)
			if err != nil {
				t.Fatal(err)
			}
			busy := make(chan struct{}, 3)
			var workers sync.WaitGroup
			for _, work := range []func() error{
				func() error { return ref.Tell(ctx, "x", nil) },
				func() error { _, err := ref.Execute(ctx, "x", nil); return err },
				func() error { return s.Bus().Publish(ctx, Event{Type: "x"}) },
			} {
				workers.Go(func() {
					for i := range 100 {
						if i == 10 {
							busy <- struct{}{}
						}
						if err := work(); err != nil && !errors.Is(err, ErrStopping) && !errors.Is(err, ErrKilled) {
							t.Error(err)
						}
					}
				})
			}
			<-busy
			if kill {
				s.KillAgent(id)
			} else if err := s.StopAgent(ctx, id); err != nil {
				t.Fatal(err)
			}
			gone.Store(true)
			workers.Wait()
			if n := int(late.Load()); n > count(kill) {
				t.Fatalf("killed: %v; %d callbacks began after it had ended", kill, n)
			}
		}
	}
}

// What waits in the mailbox of an agent that is killed while it hangs is
// refused at once.
func TestKillRefusesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		hold := make(chan struct{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { <-hold; return nil, nil },
		}})
		if err := s.Tell(t.Context(), id, "hang", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		asked := make(chan error, 1)
		go func() {
			_, err := s.Execute(t.Context(), id, "wait", nil)
			asked <- err
		}()
		synctest.Wait()
		s.KillAgent(id)
		if err := <-asked; !errors.Is(err, ErrKilled) {
			t.Errorf("who waited got %v", err)
		}
		close(hold)
	})
}

// Refused before anything runs.
func TestRefusedAtTheDoor(t *testing.T) {
	s := start(t, Options{Mailbox: 2})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.StartAgent(ended, Spec{Behaviour: &scripted{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("start with a context that has ended: %v", err)
	}
	if _, err := s.StartAgent(t.Context(), Spec{ID: "a"}); err == nil {
		t.Error("an agent without a behaviour was started")
	}
	if err := s.Registry().Register(Record{}); err == nil {
		t.Error("a record without an id was registered")
	}
	if err := s.Limiter().Allow("start_agnet"); err == nil {
		t.Error("a mistyped operation was allowed")
	}
	policy := QueuePolicy(99)
	if _, err := s.Bus().Subscribe("e", func(context.Context, Event) {}, SubscribeOptions{Policy: &policy}); err == nil {
		t.Error("a policy that there is not was accepted")
	}
	if _, err := s.Bus().Subscribe("e", nil, SubscribeOptions{}); err == nil {
		t.Error("a subscription without a handler was accepted")
	}
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(ctx context.Context, _ *Agent, _ string, _ any) (any, error) {
		<-ctx.Done()
		return nil, nil
	}}})
	busy, release := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _, _ = s.Execute(busy, id, "x", nil); close(done) }()
	full := 0
	for full < 3 { // a restart takes room as everything does
		if errors.Is(s.RestartAgent(ended, id), ErrMailboxFull) {
			full++
		}
	}
	release()
	<-done
}

// Workers that rest hold on to nothing that they ran.
func TestRestingWorkersHoldNothing(t *testing.T) {
	s := start(t, Options{})
	held := make([]weak.Pointer[[1 << 20]byte], 8)
	ids := make([]string, len(held))
	var all sync.WaitGroup
	all.Add(len(held))
	for i := range held {
		big := new([1 << 20]byte)
		held[i] = weak.Make(big)
		ids[i] = startAgent(t, s, Spec{State: big, Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) {
				all.Done()
				all.Wait() // so that each is on a worker of its own
				return nil, nil
			},
		}})
		if err := s.Tell(t.Context(), ids[i], "meet", nil); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	if err := s.StopAgents(t.Context(), ids, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	left := 0
	for _, p := range held {
		if p.Value() != nil {
			left++
		}
	}
	if left > len(held)/2 { // a worker may not have come to rest yet
		t.Errorf("%d of %d agents that have ended are still held", left, len(held))
	}
}

// A system that stops while somebody kills its agents returns when these have been counted
// and told too.
func TestStopAwaitsKills(t *testing.T) {
	for range 200 {
		s, err := Start(context.Background(), Options{History: -1})
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]string, 4)
		for i := range ids {
			ids[i] = startAgent(t, s, Spec{Behaviour: adder{}})
		}
		var killing sync.WaitGroup
		for _, id := range ids {
			killing.Go(func() { s.KillAgent(id) })
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		err = leftovers(s)
		killing.Wait()
		if err != nil {
			t.Fatal(err)
		}
	}
}
