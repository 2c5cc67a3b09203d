package mabeam

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// logged returns a logger, and what it was told: a line for each record, without the time,
// and of a stack whether it leads here.
func logged() (*slog.Logger, func() string) {
	var text bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == slog.TimeKey:
			return slog.Attr{}
		case a.Key == "stack":
			return slog.Bool("stack", strings.Contains(a.Value.String(), "logger_test.go"))
		case a.Value.Kind() == slog.KindTime:
			return slog.Duration(a.Key, time.Since(a.Value.Time()))
		}
		return a
	}}))
	return logger, func() string { return strings.TrimSpace(text.String()) }
}

// panics is a behaviour that panics in the callbacks that it is told to.
type panics struct {
	Defaults
	in string
}

func (b panics) at(callback string) {
	if strings.Contains(b.in, callback) {
		panic("on purpose")
	}
}

func (b panics) Init(_ context.Context, self *Agent) error {
	b.at("init")
	if _, err := self.Subscribe("e"); err != nil {
		return err
	}
	if b.in == "error" {
		return errors.New("on purpose")
	}
	return nil
}

func (b panics) HandleAction(_ context.Context, _ *Agent, action string, _ any) (any, error) {
	if action == "end" {
		runtime.Goexit()
	}
	b.at("action")
	return nil, errors.New("no panic")
}
func (b panics) HandleSignal(context.Context, *Agent, Signal)    { b.at("signal") }
func (b panics) HandleEvent(context.Context, *Agent, Event)      { b.at("event") }
func (b panics) HandleAnswer(context.Context, *Agent, AskResult) { b.at("answer") }
func (b panics) Terminate(context.Context, *Agent, error)        { b.at("terminate") }
func startPanics(s *System, in string) (*Agent, error) {
	_, err := s.StartAgent(context.Background(), Spec{ID: "a", Type: "t", Behaviour: panics{in: in}})
	return s.agents.Get("a"), err
}

// Each thing that a person may want to know of is told once, panics with their stacks, and
// what is the normal course of things not at all.
func TestLog(t *testing.T) {
	const crashed = `level=ERROR msg="agent crashed" agent=a type=t error="panic: on purpose" stack=true node=n`
	ctx := context.Background()
	live := func(in string, do func(s *System, a *Agent)) func(*testing.T, *System) {
		return func(t *testing.T, s *System) {
			a, err := startPanics(s, in)
			if err != nil {
				t.Fatal(err)
			}
			do(s, a)
		}
	}
	refuse := func(why error) func(*testing.T, *System) {
		return func(t *testing.T, s *System) {
			if _, err := startPanics(s, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.StartAgent(ctx, Spec{ID: "b", Behaviour: adder{}}); !errors.Is(err, why) {
				t.Errorf("%v, want %v", err, why)
			}
		}
	}
	drop := DropNewest
	for name, c := range map[string]struct {
		options Options
		do      func(*testing.T, *System)
		want    string
	}{
		"an action that is told":              {do: live("action", func(s *System, _ *Agent) { _ = s.Tell(ctx, "a", "x", nil) }), want: crashed},
		"an action on the caller's goroutine": {do: live("action", func(s *System, _ *Agent) { _, _ = s.Execute(ctx, "a", "x", nil) }), want: crashed},
		"an action that is waited for": {do: live("action", func(s *System, _ *Agent) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, _ = s.Execute(ctx, "a", "x", nil)
		}), want: crashed},
		"a goroutine that ends": {
			do:   live("", func(s *System, _ *Agent) { _ = s.Tell(ctx, "a", "end", nil) }),
			want: `level=ERROR msg="agent crashed" agent=a type=t error="goroutine ended" stack=true node=n`,
		},
		"a signal":    {do: live("signal", func(s *System, _ *Agent) { _ = s.Signal(Signal{}, "a") }), want: crashed},
		"an event":    {do: live("event", func(s *System, _ *Agent) { _ = s.Bus().Publish(ctx, Event{Type: "e"}) }), want: crashed},
		"an answer":   {do: live("answer", func(_ *System, a *Agent) { _ = a.Ask(ctx, "a", "x", nil, nil) }), want: crashed},
		"a terminate": {do: live("terminate", func(s *System, _ *Agent) { _ = s.StopAgent(ctx, "a") }), want: crashed},
		"a terminate of an agent that begins anew": {do: live("terminate", func(s *System, _ *Agent) { _ = s.RestartAgent(ctx, "a") }), want: crashed},
		"a terminate after a crash": {
			do:   live("action terminate", func(s *System, _ *Agent) { _ = s.Tell(ctx, "a", "x", nil) }),
			want: crashed + "\n" + strings.Replace(crashed, "agent crashed", "terminate panicked", 1),
		},
		"a panic after a kill": {
			options: Options{Around: func(ctx context.Context, c Callback, next func(context.Context) error) error {
				if c.Kind == ActionCallback {
					<-ctx.Done()
				}
				return next(ctx)
			}},
			do: live("action", func(s *System, _ *Agent) {
				_ = s.Tell(ctx, "a", "x", nil)
				synctest.Wait()
				s.KillAgent("a")
			}),
			want: strings.Replace(crashed, "agent crashed", "callback panicked after its agent's end", 1),
		},
		"an init": {
			do:   func(_ *testing.T, s *System) { _, _ = startPanics(s, "init") },
			want: `level=WARN msg="agent did not start" agent=a type=t error="init: panic: on purpose" stack=true node=n`,
		},
		"an init that fails": {
			do:   func(_ *testing.T, s *System) { _, _ = startPanics(s, "error") },
			want: `level=WARN msg="agent did not start" agent=a type=t error="init: on purpose" node=n`,
		},
		"a terminate after a start that failed": {
			do: func(_ *testing.T, s *System) {
				_, _ = s.StartAgent(ctx, Spec{ID: "a", Type: "t", Behaviour: &scripted{
					init:      func(*Agent) error { return s.Registry().Register(Record{ID: "a"}) },
					terminate: func(*Agent) { panic("on purpose") },
				}})
				s.Registry().Unregister("a")
			},
			want: strings.Replace(crashed, "agent crashed", "terminate panicked", 1) + "\n" +
				`level=WARN msg="agent did not start" agent=a type=t error="register \"a\": already registered" node=n`,
		},
		"an id that is taken": {
			do:   live("", func(s *System, _ *Agent) { _, _ = startPanics(s, "") }),
			want: `level=WARN msg="agent did not start" agent=a type=t error="already registered" node=n`,
		},
		"a limit": {
			options: Options{MaxAgents: 1}, do: refuse(ErrLimitReached),
			want: `level=WARN msg="agent refused" agent=b error="limit reached: agents: 1 of 1" node=n`,
		},
		"a rate": {
			options: Options{Rates: map[guard.Operation]guard.Rate{OperationStartAgent: {PerSecond: 1, Burst: 1}}}, do: refuse(ErrRateLimited),
			want: `level=WARN msg="agent refused" agent=b error="rate limited: start_agent: 1 a second" node=n`,
		},
		"a place over a limit": {
			options: Options{MaxAgents: 1},
			do:      live("", func(s *System, _ *Agent) { _, _ = s.Reserve("b", nil) }),
			want:    `level=WARN msg="agent refused" agent=b error="limit reached: agents: 1 of 1" node=n`,
		},
		"a callback that goes on": {
			do: live("", func(s *System, _ *Agent) {
				release := make(chan struct{})
				startAgent(t, s, Spec{ID: "b", Type: "stuck", Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
					<-release
					return nil, nil
				}}})
				_ = s.Tell(ctx, "b", "x", nil)
				synctest.Wait()
				s.KillAgent("b")
				time.Sleep(time.Minute)
				close(release)
			}),
			want: `level=WARN msg="callback goes on after its agent's end" agent=b type=stuck ended=5s node=n`,
		},
		"a callback that comes back in time": {
			do: live("", func(s *System, _ *Agent) {
				startAgent(t, s, Spec{ID: "b", Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
					time.Sleep(4 * time.Second)
					return nil, nil
				}}})
				_ = s.Tell(ctx, "b", "x", nil)
				synctest.Wait()
				s.KillAgent("b")
				time.Sleep(time.Minute)
			}),
		},
		"a subscriber": {
			do: func(_ *testing.T, s *System) {
				_, _ = s.Bus().Subscribe("e", func(context.Context, Event) { panic("on purpose") }, SubscribeOptions{})
				_ = s.Bus().Publish(ctx, Event{Type: "e"})
			},
			want: `level=ERROR msg="subscriber panicked" pattern=e error="panic: on purpose" stack=true node=n`,
		},
		"a subscriber with a name and a queue": {
			do: func(_ *testing.T, s *System) {
				_, _ = s.Bus().SubscribePattern("e*", func(context.Context, Event) { panic("on purpose") }, SubscribeOptions{Name: "mine", Policy: &drop})
				_ = s.Bus().Publish(ctx, Event{Type: "e1"})
			},
			want: `level=ERROR msg="subscriber panicked" pattern=e* subscriber=mine error="panic: on purpose" stack=true node=n`,
		},
		"a normal life": {do: live("", func(s *System, _ *Agent) {
			_, _ = s.Execute(ctx, "a", "fails", nil)
			_ = s.Signal(Signal{}, "a")
			_ = s.RestartAgent(ctx, "a")
			_ = s.StopAgent(ctx, "a")
			_, _ = startPanics(s, "")
			s.KillAgent("a")
		})},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told func() string
				o := c.options
				o.Node = "n"
				o.Logger, told = logged()
				s := start(t, o)
				c.do(t, s)
				synctest.Wait()
				if got := told(); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		})
	}
}

// What is built on the system tells the same logger, or nobody.
func TestLogger(t *testing.T) {
	s := start(t, Options{})
	s.Logger().Error("nobody hears this")
	logger, told := logged()
	s = start(t, Options{Logger: logger, Node: "n"})
	s.Logger().Info("here", "x", 1)
	if want := "level=INFO msg=here node=n x=1"; told() != want {
		t.Errorf("%s, want %s", told(), want)
	}
}
