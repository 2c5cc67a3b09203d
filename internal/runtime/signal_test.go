package mabeam

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// Signals go ahead of actions and events, and those of a higher priority ahead
// of the others, in the order in which they were sent.
func TestSignalsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		var got []string
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			init: func(self *Agent) error {
				_, err := self.Subscribe("event")
				return err
			},
			action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
				got = append(got, action)
				if action == "first" { // more arrive while the rest of the batch waits
					return nil, self.Signal(Signal{Type: "during"}, self.ID())
				}
				return nil, nil
			},
			event:  func(_ *Agent, e Event) { got = append(got, e.Type) },
			signal: func(_ *Agent, s Signal) { got = append(got, s.Type) },
		}})
		if err := s.SuspendAgent(id); err != nil {
			t.Fatal(err)
		}
		for _, action := range []string{"first", "second"} {
			if err := s.Tell(t.Context(), id, action, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Bus().Publish(t.Context(), Event{Type: "event"}); err != nil {
			t.Fatal(err)
		}
		for _, signal := range []Signal{
			{Type: "low", Priority: Low},
			{Type: "normal 1"},
			{Type: "high 1", Priority: High},
			{Type: "normal 2"},
			{Type: "high 2", Priority: High},
		} {
			if err := s.Signal(signal, id); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{"high 1", "high 2", "normal 1", "normal 2", "low", "first", "during", "second", "event"}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if tel := s.Telemetry(); tel.SignalsSent != 6 || tel.SignalsHandled != 6 || tel.SignalsDropped != 0 {
			t.Errorf("sent %d, handled %d, dropped %d, want 6, 6, 0", tel.SignalsSent, tel.SignalsHandled, tel.SignalsDropped)
		}
	})
}

func TestSignalReachesWhomItNames(t *testing.T) {
	s := start(t, Options{})
	var (
		mu  sync.Mutex
		got = map[string][]string{}
		ids = []string{"a", "b", "c"}
	)
	for _, id := range ids {
		startAgent(t, s, Spec{ID: id, Behaviour: &scripted{signal: func(self *Agent, s Signal) {
			mu.Lock()
			defer mu.Unlock()
			got[s.Type] = append(got[s.Type], self.ID())
		}}})
	}
	tests := []struct {
		signal Signal
		ids    []string
		want   []string
		err    error
	}{
		{Signal{Type: "one"}, []string{"b"}, []string{"b"}, nil},
		{Signal{Type: "target", Target: "c"}, nil, []string{"c"}, nil},
		{Signal{Type: "several"}, []string{"a", "c"}, []string{"a", "c"}, nil},
		{Signal{Type: "all"}, nil, ids, nil},
		{Signal{Type: "one is missing"}, []string{"a", "nobody", "b"}, []string{"a", "b"}, ErrUnknownAgent},
	}
	for _, tt := range tests {
		if err := s.Signal(tt.signal, tt.ids...); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.signal.Type, err, tt.err)
		}
	}
	if err := s.Signal(Signal{Type: "urgent", Priority: 7}, "a"); err == nil {
		t.Error("a signal with a priority that there is not was sent")
	}
	for _, id := range ids { // what was accepted is handled before the stop
		if err := s.StopAgent(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range tests {
		slices.Sort(got[tt.signal.Type])
		if !slices.Equal(got[tt.signal.Type], tt.want) {
			t.Errorf("%s reached %v, want %v", tt.signal.Type, got[tt.signal.Type], tt.want)
		}
	}
	if err := s.Signal(Signal{Type: "late"}, "a"); !errors.Is(err, ErrUnknownAgent) {
		t.Errorf("signal to a stopped agent: %v", err)
	}
}

// SignalTo reaches those of a type, a group, or whose ids match; the error names each that
// refused.
func TestSignalToRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 1})
		var (
			mu  sync.Mutex
			got []string
		)
		for _, spec := range []Spec{
			{ID: "w.1", Type: "worker"},
			{ID: "w.2", Type: "worker"},
			{ID: "boss", Type: "boss"},
		} {
			spec.Behaviour = &scripted{
				init: func(self *Agent) error {
					if self.ID() == "w.2" {
						return nil
					}
					return self.Join("day shift")
				},
				signal: func(self *Agent, _ Signal) {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, self.ID())
				},
			}
			startAgent(t, s, spec)
		}
		if err := s.Registry().Register(Record{ID: "w.record", Type: "worker"}); err != nil { // there is no agent
			t.Fatal(err)
		}
		tests := []struct {
			to   Recipients
			want []string
			err  error
		}{
			{ToType("worker"), []string{"w.1", "w.2"}, nil},
			{ToType("nobody's"), nil, nil},
			{ToGroup("day shift"), []string{"boss", "w.1"}, nil},
			{ToGroup("nobody's"), nil, nil},
			{ToMatching("w.*"), []string{"w.1", "w.2"}, nil},
			{ToMatching("*"), []string{"boss", "w.1", "w.2"}, nil},
			{ToMatching(""), nil, ErrBadPattern},
		}
		for _, tt := range tests {
			if err := s.SignalTo(Signal{Type: "s"}, tt.to); !errors.Is(err, tt.err) {
				t.Errorf("%v: %v", tt.want, err)
			}
			synctest.Wait()
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			got = nil
		}
		if err := s.SignalTo(Signal{}, Recipients{}); err == nil {
			t.Error("a signal to no recipients at all was sent")
		}
		s.Registry().Unregister("w.record")

		_ = s.SuspendAgent("w.1")
		_ = s.SuspendAgent("boss")
		_ = s.Signal(Signal{}, "w.1", "boss")
		err := s.SignalTo(Signal{Type: "more"}, ToType("worker"))
		if want := `signal "more" to agent "w.1": mailbox full`; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		err = s.agents.Get("w.2").SignalTo(Signal{Type: "more"}, ToGroup("day shift"))
		if want := "signal \"more\" to agent \"w.1\": mailbox full\nsignal \"more\" to agent \"boss\": mailbox full"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		synctest.Wait()
		if !slices.Equal(got, []string{"w.2"}) {
			t.Errorf("got %v", got)
		}
	})
}

// The signals that wait are bounded, and what a killed agent leaves is counted.
func TestSignalsRefusedAndDropped(t *testing.T) {
	s := start(t, Options{Mailbox: 3})
	id := startAgent(t, s, Spec{Behaviour: &scripted{}})
	if err := s.SuspendAgent(id); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		err := s.Signal(Signal{Type: "s", Priority: Priority(i%3 - 1)}, id)
		if full := i >= 3; errors.Is(err, ErrMailboxFull) != full {
			t.Errorf("signal %d: %v", i, err)
		}
	}
	s.KillAgent(id)
	if tel := s.Telemetry(); tel.SignalsSent != 3 || tel.SignalsHandled != 0 || tel.SignalsDropped != 3 {
		t.Errorf("sent %d, handled %d, dropped %d, want 3, 0, 3", tel.SignalsSent, tel.SignalsHandled, tel.SignalsDropped)
	}
}

// A signal that ends the goroutine between two messages costs those that wait
// an answer, not more.
func TestSignalEndsTheGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(_ context.Context, self *Agent, _ string, _ any) (any, error) {
				return nil, self.Signal(Signal{Type: "exit"}, self.ID())
			},
			signal: func(*Agent, Signal) { runtime.Goexit() },
		}})
		if err := s.SuspendAgent(id); err != nil {
			t.Fatal(err)
		}
		if err := s.Tell(t.Context(), id, "first", nil); err != nil {
			t.Fatal(err)
		}
		ref, _ := s.Ref(id)
		asked := make(chan error, 1)
		go func() {
			_, err := ref.Execute(t.Context(), "second", nil)
			asked <- err
		}()
		synctest.Wait()
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
		if err := <-asked; !errors.Is(err, ErrCrashed) {
			t.Errorf("the action that had not begun got %v", err)
		}
		synctest.Wait()
		if tel := s.Telemetry(); tel.MailboxDepth != 0 || tel.ActionsDone != 1 || tel.ActionsFailed != 1 || tel.AgentsCrashed != 1 {
			t.Errorf("%+v", tel)
		}
	})
}
