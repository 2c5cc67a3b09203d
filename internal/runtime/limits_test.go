package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// refused starts an agent that must be refused at a limit.
func refused(t *testing.T, s *System, limit string) {
	t.Helper()
	_, err := s.StartAgent(context.Background(), DemoSpec())
	if !errors.Is(err, ErrLimitReached) || !strings.Contains(err.Error(), limit) {
		t.Errorf("want the limit %q: %v", limit, err)
	}
}

func TestLimitOnAgents(t *testing.T) {
	s := start(t, Options{MaxAgents: 2})
	first := startAgent(t, s, DemoSpec())
	second := startAgent(t, s, DemoSpec())
	refused(t, s, "agents: 2 of 2")
	if _, err := s.Execute(context.Background(), second, "ping", nil); err != nil {
		t.Errorf("what runs does not go on: %v", err)
	}
	if err := s.StopAgent(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	startAgent(t, s, DemoSpec())
	if n := s.Telemetry().LimitReached; n != 1 {
		t.Errorf("%d agents counted as refused, want 1", n)
	}
}

// However many start at once, the limit is met exactly.
func TestLimitOnAgentsSideBySide(t *testing.T) {
	s := start(t, Options{MaxAgents: 10})
	var started atomic.Int32
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := s.StartAgent(context.Background(), DemoSpec()); err == nil {
				started.Add(1)
			}
		})
	}
	wg.Wait()
	if n := started.Load(); n != 10 {
		t.Errorf("%d agents started, want 10", n)
	}
}

// An agent that fails to start leaves its place to another.
func TestLimitForgetsAgentsThatDidNotStart(t *testing.T) {
	s := start(t, Options{MaxAgents: 1})
	failing := Spec{Behaviour: &scripted{init: func(*Agent) error { return errOwn }}}
	if _, err := s.StartAgent(context.Background(), failing); !errors.Is(err, errOwn) {
		t.Fatal(err)
	}
	startAgent(t, s, DemoSpec())
}

// heapObjects is the memory of the objects on the heap, in bytes.
func heapObjects() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// ballast keeps memory alive.
var ballast []byte

// The limit on memory is met by what really is on the heap, and there is room
// again when that was let go.
func TestLimitOnMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 64 << 20
		runtime.GC()
		s := start(t, Options{MemoryLimit: heapObjects() + size/2})
		id := startAgent(t, s, DemoSpec())

		ballast = make([]byte, size)
		time.Sleep(time.Second)
		refused(t, s, "memory: ")
		if _, err := s.Execute(t.Context(), id, "ping", nil); err != nil {
			t.Errorf("what runs does not go on: %v", err)
		}
		time.Sleep(time.Hour)
		refused(t, s, "memory: ")

		ballast = nil
		refused(t, s, "memory: ") // it was collected just now
		time.Sleep(time.Second)
		startAgent(t, s, DemoSpec())
	})
}

// Without a limit nothing is read.
func TestNoLimitOnMemory(t *testing.T) {
	if s := start(t, Options{}); s.limits.memory != nil {
		t.Error("the memory is read although there is no limit on it")
	}
}

// A restart is never refused by a limit: it has the place of the life before, which
// nobody else can take meanwhile.
func TestRestartHasItsPlace(t *testing.T) {
	for _, limit := range []string{"agents", "memory"} {
		t.Run(limit, func(t *testing.T) {
			const children, crashes = 5, 9
			s := start(t, Options{MaxAgents: children})
			crashing := func() Spec {
				return Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) { panic("on purpose") }}}
			}
			for i := range children {
				revive(t, s, fmt.Sprint(i), crashing)
			}
			if limit == "memory" {
				s.limits.memory = guard.NewMemoryLimit(1)
			}
			stop := make(chan struct{})
			var others sync.WaitGroup
			others.Go(func() { // somebody who wants any place that there is
				for {
					select {
					case <-stop:
						return
					default:
					}
					if id, err := s.StartAgent(context.Background(), Spec{Behaviour: adder{}}); err == nil {
						t.Errorf("%s took a child's place", id)
						return
					}
				}
			})
			for range crashes {
				life, err := s.Ref("0")
				for err != nil {
					life, err = s.Ref("0")
				}
				_, _ = life.Execute(t.Context(), "crash", nil)
				<-life.Done()
			}
			for s.Telemetry().AgentsRestarted < crashes {
				runtime.Gosched()
			}
			close(stop)
			others.Wait()
			if n, places := s.Telemetry().Agents, s.limits.inUse.Load(); n != children || places != children {
				t.Errorf("%d agents live, and %d places are taken", n, places)
			}
		})
	}
}
