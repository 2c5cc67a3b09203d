package mabeam

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever was accepted and has nobody to go to any longer is counted by reason, and told
// to who subscribes.
func TestDeadLetters(t *testing.T) {
	hang := func(ctx context.Context, _ *Agent, action string, _ any) (any, error) {
		switch action {
		case "hang":
			<-ctx.Done()
		case "hang for a minute":
			time.Sleep(time.Minute)
		case "panic":
			<-ctx.Done()
			panic(errOwn)
		}
		return "done", nil
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *System)
		want []DeadLetter
	}{
		"told, killed": {func(t *testing.T, s *System) {
			_ = s.Tell(t.Context(), "a", "hang", nil)
			_ = s.Tell(t.Context(), "a", "second", nil)
			_ = s.Tell(t.Context(), "a", "third", nil)
			synctest.Wait()
			s.KillAgent("a")
		}, []DeadLetter{{"action", "second", "", "a", DeadKilled}, {"action", "third", "", "a", DeadKilled}}},
		"told, crashed": {func(t *testing.T, s *System) {
			soon, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go func() { _, _ = s.Execute(soon, "a", "panic", nil) }()
			synctest.Wait()
			_ = s.Tell(t.Context(), "a", "second", nil)
			time.Sleep(2 * time.Second)
		}, []DeadLetter{{"action", "second", "", "a", DeadCrashed}}},
		"signal": {func(t *testing.T, s *System) {
			_ = s.Tell(t.Context(), "a", "hang", nil)
			synctest.Wait()
			_ = s.Signal(Signal{Type: "x"}, "a")
			s.KillAgent("a")
		}, []DeadLetter{{"signal", "x", "", "a", DeadKilled}}},
		"reply to nobody": {func(_ *testing.T, s *System) {
			_ = s.Send(Message{Type: "x", Source: "nobody", Target: "a"})
		}, []DeadLetter{{"reply", "x", "a", "nobody", DeadUnknown}}},
		"reply without room": {func(t *testing.T, s *System) {
			startAgent(t, s, Spec{ID: "b", Behaviour: &scripted{action: hang}})
			_ = s.SuspendAgent("b")
			for range 16 {
				_ = s.Signal(Signal{Type: "fill"}, "b")
			}
			_ = s.Send(Message{Type: "x", Source: "b", Target: "a"})
			synctest.Wait()
			_ = s.ResumeAgent("b")
		}, []DeadLetter{{"reply", "x", "a", "b", DeadNoRoom}}},
		"late answer": {func(t *testing.T, s *System) {
			soon, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _ = s.Execute(soon, "a", "hang for a minute", nil)
			time.Sleep(time.Minute)
		}, []DeadLetter{{"answer", "hang for a minute", "a", "", DeadLate}}},
		"nothing": {func(t *testing.T, s *System) {
			_, _ = s.Execute(t.Context(), "a", "do", nil)
			_ = s.Tell(t.Context(), "a", "do", nil)
			_ = s.Tell(t.Context(), "nobody", "do", nil)    // the caller is told
			_ = s.Signal(Signal{Type: "x"}, "nobody")       // so is this one
			_ = s.StopAgent(t.Context(), "a")               // which does what it has accepted
			_, _ = s.Execute(t.Context(), "a", "late", nil) // and this one too
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{Mailbox: 16})
				var told []DeadLetter
				if _, err := s.Bus().Subscribe(EventDeadLetter, func(_ context.Context, e Event) {
					told = append(told, e.Data.(DeadLetter))
				}, SubscribeOptions{}); err != nil {
					t.Fatal(err)
				}
				startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{action: hang}})
				c.do(t, s)
				synctest.Wait()
				if !slices.Equal(told, c.want) {
					t.Errorf("told\n%+v, want\n%+v", told, c.want)
				}
				for r := range DeadLetterReason(deadLetterReasons) {
					want := int64(0)
					for _, d := range c.want {
						if d.Reason == r {
							want++
						}
					}
					if n := s.DeadLetters(r); n != want {
						t.Errorf("%d counted as %v, want %d", n, r, want)
					}
				}
			})
		})
	}
}
