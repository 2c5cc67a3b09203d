package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asker asks others without waiting, and notes the answers and when they came.
type asker struct {
	Defaults
	mu      sync.Mutex
	answers []AskResult
	last    time.Time
}

// ask is the parameter of the action that has an asker ask.
type ask struct {
	to, action string
	within     time.Duration // 0: without a deadline
	about      any
}

func (b *asker) HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error) {
	if action != "ask" {
		return fmt.Sprint("answer to ", action), nil
	}
	a := params.(ask)
	if a.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.within)
		defer cancel() // which ends no question
	} else {
		ctx = context.WithoutCancel(ctx)
	}
	return nil, self.Ask(ctx, a.to, a.action, nil, a.about)
}

func (b *asker) HandleAnswer(_ context.Context, _ *Agent, answer AskResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers, b.last = append(b.answers, answer), time.Now()
}

func (b *asker) got() []AskResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.answers)
}

// An answer comes to the asker's mailbox with what it belongs to: the result, or why there
// is none, in time.
func TestAskIsAnswered(t *testing.T) {
	slow := func(ctx context.Context, _ *Agent, action string, _ any) (any, error) {
		switch action {
		case "fail":
			return nil, errOwn
		case "panic":
			panic(errOwn)
		case "hang":
			<-ctx.Done()
			time.Sleep(time.Minute)
		}
		return "result", nil
	}
	for _, c := range []struct {
		action    string
		within    time.Duration
		meanwhile func(s *System)
		want      error
		after     time.Duration
	}{
		{action: "succeed"},
		{action: "fail", want: errOwn},
		{action: "panic", want: errOwn},
		{action: "hang", want: ErrTimeout, after: messageTimeout},
		{action: "hang", within: time.Second, want: ErrTimeout, after: time.Second},
		{action: "hang", want: ErrKilled, meanwhile: func(s *System) { s.KillAgent("asked") }},
	} {
		t.Run(fmt.Sprint(c.action, c.within, c.want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				b := &asker{}
				startAgent(t, s, Spec{ID: "asker", Behaviour: b})
				startAgent(t, s, Spec{ID: "asked", Behaviour: &scripted{action: slow}})
				began := time.Now()
				do(t, s, "asker", "ask", ask{"asked", c.action, c.within, "about this"})
				if took := time.Since(began); took != 0 {
					t.Errorf("asking took %v", took)
				}
				synctest.Wait()
				if c.meanwhile != nil {
					c.meanwhile(s)
				}
				time.Sleep(c.after)
				synctest.Wait()
				got := b.got()
				if len(got) != 1 {
					t.Fatalf("%d answers", len(got))
				}
				a := got[0]
				if a.Agent != "asked" || a.Action != c.action || a.About != "about this" || !errors.Is(a.Err, c.want) || (a.Err == nil) != (c.want == nil) {
					t.Errorf("%+v", a)
				}
				var why *ActionError
				if c.want == nil && a.Value != "result" || c.want != nil && !errors.As(a.Err, &why) {
					t.Errorf("%v, %v", a.Value, a.Err)
				}
				if took := b.last.Sub(began); took != c.after {
					t.Errorf("after %v, want %v", took, c.after)
				}
				time.Sleep(2 * time.Minute)
				if n, want := s.Telemetry().RepliesLate, len(b.got()); want != 1 || n != 0 && c.want == nil {
					t.Errorf("%d late, %d answers in the end", n, want)
				}
			})
		})
	}
}

// What is not accepted has no answer.
func TestAskIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 2})
		b := &asker{}
		startAgent(t, s, Spec{ID: "asker", Behaviour: b})
		startAgent(t, s, Spec{ID: "asked", Behaviour: &asker{}})
		try := func(to string, want error) {
			t.Helper()
			_, err := s.Execute(t.Context(), "asker", "ask", ask{to: to, action: "x"})
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		try("nobody", ErrUnknownAgent)
		if err := s.SuspendAgent("asked"); err != nil {
			t.Fatal(err)
		}
		try("asked", nil)
		try("asked", nil)
		try("asked", ErrMailboxFull)
		startAgent(t, s, Spec{ID: "other", Behaviour: &asker{}})
		try("other", ErrMailboxFull) // two of its own are under way
		if err := s.ResumeAgent("asked"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		try("other", nil)
		synctest.Wait()
		if got := b.got(); len(got) != 3 {
			t.Errorf("%d answers: %+v", len(got), got)
		}
	})
}

// Agents that ask each other without waiting are no ring.
func TestAskIsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		a, b := &asker{}, &asker{}
		startAgent(t, s, Spec{ID: "a", Behaviour: a})
		startAgent(t, s, Spec{ID: "b", Behaviour: b})
		for _, q := range [][2]string{{"a", "b"}, {"b", "a"}, {"a", "a"}} {
			do(t, s, q[0], "ask", ask{to: q[1], action: "from " + q[0]})
		}
		synctest.Wait()
		for id, want := range map[string]int{"a": 2, "b": 1} {
			got := map[string]*asker{"a": a, "b": b}[id].got()
			if len(got) != want {
				t.Errorf("%s: %+v", id, got)
			}
			for _, answer := range got {
				if answer.Err != nil || answer.Value != "answer to from "+id {
					t.Errorf("%s: %+v", id, answer)
				}
			}
		}
	})
}

// The end of an asker ends its questions: what the asked agent does for them is told to end,
// and nothing is left of them.
func TestEndOfAnAskerEndsItsQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		ended := make(chan time.Time, 1)
		startAgent(t, s, Spec{ID: "asker", Behaviour: &asker{}})
		startAgent(t, s, Spec{ID: "asked", Behaviour: &scripted{
			action: func(ctx context.Context, _ *Agent, _ string, _ any) (any, error) {
				<-ctx.Done()
				ended <- time.Now()
				return nil, nil
			},
		}})
		do(t, s, "asker", "ask", ask{to: "asked", action: "hang"})
		synctest.Wait()
		began := time.Now()
		s.KillAgent("asker")
		if took := (<-ended).Sub(began); took != 0 {
			t.Errorf("it went on for %v", took)
		}
		synctest.Wait()
		if n := s.DeadLetters(DeadLate); n != 1 {
			t.Errorf("%d late answers", n)
		}
	})
}

// An answer that its asker has no handler for is a dead letter.
func TestUnwantedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "asked", Behaviour: &asker{}})
		startAgent(t, s, Spec{ID: "asker", Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
				return nil, self.Ask(ctx, "asked", "x", nil, nil)
			},
		}})
		do(t, s, "asker", "ask", nil)
		synctest.Wait()
		if n := s.DeadLetters(DeadUnwanted); n != 1 {
			t.Errorf("%d unwanted", n)
		}
	})
}

// Code outside waits on a future; who gives up leaves the answer to others.
func TestFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		hold := make(chan struct{})
		startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { <-hold; return "result", nil },
		}})
		f := s.Ask(t.Context(), "a", "do", nil)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Await(soon); !errors.Is(err, ErrTimeout) {
			t.Errorf("%v", err)
		}
		select {
		case <-f.Done():
			t.Error("done before the answer")
		default:
		}
		close(hold)
		for range 2 {
			if v, err := f.Await(t.Context()); v != "result" || err != nil {
				t.Errorf("%v, %v", v, err)
			}
		}
		if v, err := s.Ask(t.Context(), "nobody", "do", nil).Await(t.Context()); v != nil || !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("%v, %v", v, err)
		}
	})
}

// Who waits for a future in a callback is found in a ring.
func TestFutureInARing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		told := make(chan error, 1)
		startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
				if action != "begin" {
					return nil, nil
				}
				_, err := self.System().Ask(ctx, "b", "ask back", nil).Await(ctx)
				return nil, err
			},
		}})
		startAgent(t, s, Spec{ID: "b", Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
				_, err := self.System().Ask(ctx, "a", "x", nil).Await(ctx)
				told <- err
				return nil, err
			},
		}})
		began := time.Now()
		_, err := s.Execute(t.Context(), "a", "begin", nil)
		var ring *DeadlockError
		// Who of the two closes the ring is told, and the other one goes on.
		if inner := <-told; !errors.As(errors.Join(inner, err), &ring) || time.Since(began) != 0 {
			t.Errorf("%v, and %v, after %v", inner, err, time.Since(began))
		}
	})
}
