package mabeam

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// A request gets its reply, a timeout or "no such agent".
func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		var seen Message
		startAgent(t, s, Spec{ID: "adder", Behaviour: &scripted{
			action: func(ctx context.Context, _ *Agent, action string, params any) (any, error) {
				seen, _ = MessageOf(ctx)
				if action == "sleep" {
					time.Sleep(params.(time.Duration))
				}
				return action, nil
			},
		}})
		reply, err := s.Request(t.Context(), Message{Type: "add", Source: "me", Target: "adder", Metadata: map[string]any{"n": 1}})
		if err != nil || reply.Data != "add" || reply.Source != "adder" || reply.Target != "me" ||
			reply.CorrelationID != seen.ID || reply.ID == seen.ID {
			t.Errorf("reply %+v to %+v, error %v", reply, seen, err)
		}
		if seen.Source != "me" || seen.Metadata["n"] != 1 || seen.Timeout != 5*time.Second || seen.Timestamp.IsZero() {
			t.Errorf("the agent saw %+v", seen)
		}
		if reply, _ := s.Request(t.Context(), Message{Type: "add", Target: "adder", CorrelationID: "talk 1"}); reply.CorrelationID != "talk 1" {
			t.Errorf("correlation id %q, want that of the request", reply.CorrelationID)
		}
		if _, err := s.Request(t.Context(), Message{Type: "add", Target: "nobody"}); !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("request to nobody: %v", err)
		}
		for _, tt := range []struct{ timeout, want time.Duration }{{0, 5 * time.Second}, {time.Second, time.Second}} {
			began := time.Now()
			_, err := s.Request(t.Context(), Message{Type: "sleep", Target: "adder", Data: 7 * time.Second, Timeout: tt.timeout})
			if took := time.Since(began); !errors.Is(err, ErrTimeout) || took != tt.want {
				t.Errorf("timeout %v: %v after %v, want %v", tt.timeout, err, took, tt.want)
			}
			time.Sleep(10 * time.Second)
		}
		if late := s.Telemetry().RepliesLate; late != 2 {
			t.Errorf("%d late replies, want 2", late)
		}
	})
}

// What becomes of a message that nobody waits for arrives as a signal, once.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		failure := errors.New("no")
		startAgent(t, s, Spec{ID: "server", Behaviour: &scripted{
			action: func(_ context.Context, _ *Agent, action string, params any) (any, error) {
				switch action {
				case "sleep":
					time.Sleep(params.(time.Duration))
				case "fail":
					return nil, failure
				case "panic":
					panic(failure)
				}
				return action, nil
			},
		}})
		var got []Reply
		listener := Spec{Behaviour: &scripted{signal: func(_ *Agent, s Signal) {
			if s.Type == SignalMessageReply {
				got = append(got, s.Data.(Reply))
			}
		}}}
		for _, id := range []string{"asker", "other"} {
			listener.ID = id
			startAgent(t, s, listener)
		}
		for _, tt := range []struct {
			message Message
			data    any
			target  string
			err     error
		}{
			{Message{Type: "echo", Source: "asker", Target: "server"}, "echo", "asker", nil},
			{Message{Type: "echo", Source: "asker", ReplyTo: "other", Target: "server"}, "echo", "other", nil},
			{Message{Type: "fail", Source: "asker", Target: "server"}, nil, "asker", failure},
			{Message{Type: "sleep", Source: "asker", Target: "server", Data: 6 * time.Second}, nil, "asker", ErrTimeout},
			{Message{Type: "panic", Source: "asker", Target: "server"}, nil, "asker", failure},
		} {
			got = nil
			if err := s.Send(tt.message); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if len(got) != 1 || got[0].Data != tt.data || got[0].Target != tt.target || !errors.Is(got[0].Err, tt.err) {
				t.Errorf("%s: got %+v, want one with data %v to %q, error %v", tt.message.Type, got, tt.data, tt.target, tt.err)
			}
		}
		if err := s.Send(Message{Type: "echo", Source: "asker", Target: "server"}); !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("send to an agent that has crashed: %v", err)
		}
		if late := s.Telemetry().RepliesLate; late != 1 {
			t.Errorf("%d late replies, want 1", late)
		}
	})
}

// Replies to a message whose sender is gone are dropped and counted.
func TestSendToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "server", Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { return nil, nil },
		}})
		if err := s.Send(Message{Type: "echo", Source: "nobody", Target: "server"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if late := s.Telemetry().RepliesLate; late != 1 {
			t.Errorf("%d replies dropped, want 1", late)
		}
	})
}

// Replies take part in no rate: they are promised.
func TestRepliesKeepToNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Rates: map[guard.Operation]guard.Rate{OperationSignal: {PerSecond: 0.001, Burst: 1}}})
		startAgent(t, s, Spec{ID: "server", Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { return nil, nil },
		}})
		replies := 0
		startAgent(t, s, Spec{ID: "asker", Behaviour: &scripted{signal: func(*Agent, Signal) { replies++ }}})
		for range 3 {
			if err := s.Send(Message{Type: "echo", Source: "asker", Target: "server"}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if replies != 3 {
			t.Errorf("%d of 3 replies arrived", replies)
		}
	})
}
