package mabeam

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// clockwork notes when it is told something, and makes timers.
type clockwork struct {
	Defaults
	began time.Time
	told  []string
	make  func(self *Agent)
	slow  time.Duration
}

func (b *clockwork) HandleAction(_ context.Context, self *Agent, action string, params any) (any, error) {
	switch action {
	case "make":
		b.make(self)
		return nil, nil
	case "told":
		return b.told, nil
	}
	b.told = append(b.told, fmt.Sprint(action, params, " at ", time.Since(b.began)))
	time.Sleep(b.slow)
	return nil, nil
}

func TestTimers(t *testing.T) {
	for name, c := range map[string]struct {
		make func(self *Agent)
		slow time.Duration
		then func(s *System)
		want []string // within 10 s
		dead [deadLetterReasons]int64
	}{
		"once":          {make: func(a *Agent) { a.SendAfter(context.Background(), 3*time.Second, "", "x", 1) }, want: []string{"x1 at 3s"}},
		"at once":       {make: func(a *Agent) { a.SendAfter(context.Background(), 0, "", "x", 1) }, want: []string{"x1 at 0s"}},
		"in the past":   {make: func(a *Agent) { a.SendAfter(context.Background(), -time.Second, "", "x", 1) }, want: []string{"x1 at 0s"}},
		"again":         {make: func(a *Agent) { a.Every(context.Background(), 4*time.Second, "", "x", 1) }, want: []string{"x1 at 4s", "x1 at 8s"}},
		"again, slowly": {make: func(a *Agent) { a.Every(context.Background(), 3*time.Second, "", "x", 1) }, slow: 2 * time.Second, want: []string{"x1 at 3s", "x1 at 6s", "x1 at 9s"}},
		"cancelled":     {make: func(a *Agent) { a.SendAfter(context.Background(), time.Second, "", "x", 1).Cancel() }},
		"by itself": {make: func(a *Agent) {
			timer := a.Every(context.Background(), 2*time.Second, "", "x", 1)
			time.AfterFunc(5*time.Second, func() { timer.Cancel() })
		}, want: []string{"x1 at 2s", "x1 at 4s"}},
		"to another": {make: func(a *Agent) { a.SendAfter(context.Background(), time.Second, "other", "x", 1) }},
		"to nobody":  {make: func(a *Agent) { a.SendAfter(context.Background(), time.Second, "nobody", "x", 1) }, dead: [deadLetterReasons]int64{DeadUnknown: 1}},
		"to the dead": {
			make: func(a *Agent) { a.Every(context.Background(), 3*time.Second, "other", "x", 1) },
			then: func(s *System) { s.KillAgent("other") },
			dead: [deadLetterReasons]int64{DeadUnknown: 3},
		},
		"begun anew": {
			make: func(a *Agent) { a.Every(context.Background(), time.Second, "", "x", 1) },
			then: func(s *System) { _ = s.RestartAgent(context.Background(), "a") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				b, other := &clockwork{began: time.Now(), make: c.make, slow: c.slow}, &clockwork{began: time.Now()}
				startAgent(t, s, Spec{ID: "a", Behaviour: b})
				startAgent(t, s, Spec{ID: "other", Behaviour: other})
				do(t, s, "a", "make", nil)
				if c.then != nil {
					c.then(s)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if told := do(t, s, "a", "told", nil).([]string); !slices.Equal(told, c.want) {
					t.Errorf("told %v, want %v", told, c.want)
				}
				if name == "to another" {
					if told := do(t, s, "other", "told", nil).([]string); !slices.Equal(told, []string{"x1 at 1s"}) {
						t.Errorf("the other was told %v", told)
					}
				}
				for reason, want := range c.dead {
					if n := s.DeadLetters(DeadLetterReason(reason)); n != want {
						t.Errorf("%d dead letters: %v, want %d", n, DeadLetterReason(reason), want)
					}
				}
			})
		})
	}
}

// Timers end with their agent, are found by nobody afterwards, and take no goroutine while
// they wait.
func TestTimersEndWithTheirAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		var timers []*Timer
		b := &clockwork{began: time.Now(), make: func(self *Agent) {
			for range 1000 {
				timers = append(timers, self.Every(context.Background(), time.Second, "other", "x", 1))
			}
		}}
		startAgent(t, s, Spec{ID: "a", Behaviour: b})
		startAgent(t, s, Spec{ID: "other", Behaviour: &clockwork{began: time.Now()}})
		before := runtime.NumGoroutine()
		do(t, s, "a", "make", nil)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 10 {
			t.Errorf("1,000 timers take %d goroutines", n)
		}
		time.Sleep(1500 * time.Millisecond)
		s.KillAgent("a")
		time.Sleep(time.Minute)
		synctest.Wait()
		if told := do(t, s, "other", "told", nil).([]string); len(told) != 1000 {
			t.Errorf("%d were told, want one of each timer", len(told))
		}
		if timers[0].Cancel() {
			t.Error("a timer goes on after its agent's end")
		}
	})
}

// Of times that have passed before they could be told, each period is told once at most.
func TestTimerLeavesOutWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 1})
		b := &clockwork{began: time.Now(), make: func(self *Agent) { self.Every(context.Background(), time.Second, "", "x", nil) }, slow: 4500 * time.Millisecond}
		startAgent(t, s, Spec{ID: "a", Behaviour: b})
		do(t, s, "a", "make", nil)
		time.Sleep(10*time.Second + time.Millisecond)
		s.KillAgent("a")
		synctest.Wait()
		// One is at work from 1 s on, and each other one finds the mailbox full until 5.5 s.
		if want := []string{"x<nil> at 1s", "x<nil> at 6s"}; !slices.Equal(b.told, want) {
			t.Errorf("told %v, want %v", b.told, want)
		}
		if n := s.DeadLetters(DeadNoRoom); n != 8 {
			t.Errorf("%d found no room", n)
		}
	})
}
