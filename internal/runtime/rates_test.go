package mabeam

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// tenASecond lets three go at once, and one every 100 ms.
var tenASecond = guard.Rate{PerSecond: 10, Burst: 3}

func rates(kinds ...guard.Operation) Options {
	o := Options{Rates: map[guard.Operation]guard.Rate{}}
	for _, kind := range kinds {
		o.Rates[kind] = tenASecond
	}
	return o
}

// Those that refuse do so beyond the burst, count it, and let one more go when
// there is a token again.
func TestOverTheRateRefuses(t *testing.T) {
	const own guard.Operation = guard.UserPrefix + "mail"
	for kind, do := range map[guard.Operation]func(s *System, id string) error{
		OperationStartAgent: func(s *System, _ string) error {
			_, err := s.StartAgent(context.Background(), DemoSpec())
			return err
		},
		OperationAction: func(s *System, id string) error {
			_, err := s.Execute(context.Background(), id, "ping", nil)
			return err
		},
		OperationSignal: func(s *System, _ string) error { return s.Limiter().Allow(OperationSignal) },
		own:             func(s *System, _ string) error { return s.Limiter().Allow(own) },
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, rates(kind))
				id := startAgent(t, s, DemoSpec())
				time.Sleep(time.Minute) // the bucket is full
				var outcome []bool
				for _, pause := range []time.Duration{0, 0, 0, 0, 99 * time.Millisecond, time.Millisecond, 0} {
					time.Sleep(pause)
					err := do(s, id)
					if err != nil && !errors.Is(err, ErrRateLimited) {
						t.Errorf("not the error of a rate: %v", err)
					}
					outcome = append(outcome, err == nil)
				}
				if want := []bool{true, true, true, false, false, true, false}; !slices.Equal(outcome, want) {
					t.Errorf("%v, want %v", outcome, want)
				}
				if n := s.Telemetry().RateLimited; n != 3 {
					t.Errorf("%d counted as refused, want 3", n)
				}
			})
		})
	}
}

// Those that wait get their turns one by one.
func TestOverTheRateWaits(t *testing.T) {
	const own guard.Operation = guard.UserPrefix + "mail"
	for kind, do := range map[guard.Operation]func(ctx context.Context, s *System, id string) error{
		OperationAction:  func(ctx context.Context, s *System, id string) error { return s.Tell(ctx, id, "ping", nil) },
		OperationPublish: func(ctx context.Context, s *System, _ string) error { return s.Bus().Publish(ctx, Event{Type: "x"}) },
		own:              func(ctx context.Context, s *System, _ string) error { return s.Limiter().Wait(ctx, own) },
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, rates(kind))
				id := startAgent(t, s, DemoSpec())
				began := time.Now()
				var after []time.Duration
				for range 6 {
					if err := do(t.Context(), s, id); err != nil {
						t.Error(err)
					}
					after = append(after, time.Since(began).Round(time.Millisecond))
				}
				ms := time.Millisecond
				if want := []time.Duration{0, 0, 0, 100 * ms, 200 * ms, 300 * ms}; !slices.Equal(after, want) {
					t.Errorf("%v, want %v", after, want)
				}

				// One whose deadline is too early does not wait for it.
				ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
				defer cancel()
				began = time.Now()
				if err := do(ctx, s, id); !errors.Is(err, ErrRateLimited) || time.Since(began) != 0 {
					t.Errorf("too early a deadline: %v after %v", err, time.Since(began))
				}
				// One that gives up leaves its turn to the next.
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(50*ms, cancel)
				if err := do(ctx, s, id); !errors.Is(err, ErrRateLimited) || !errors.Is(err, context.Canceled) {
					t.Errorf("given up: %v", err)
				}
				if err := do(t.Context(), s, id); err != nil || time.Since(began).Round(ms) != 100*ms {
					t.Errorf("after one that gave up: %v after %v", err, time.Since(began))
				}
				if n := s.Telemetry().RateLimited; n != 2 {
					t.Errorf("%d counted as refused, want 2", n)
				}
			})
		})
	}
}

// What has no rate is not limited, and neither is what the runtime does itself.
func TestNoRate(t *testing.T) {
	s := start(t, rates(OperationPublish))
	for range 100 {
		id := startAgent(t, s, DemoSpec()) // each publishes that it has started
		if _, err := s.Execute(context.Background(), id, "get_state", nil); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Limiter().Allow("user.x"), s.Limiter().Wait(context.Background(), OperationSignal)); err != nil {
			t.Fatal(err)
		}
	}
}

// When the system has stopped, nobody waits for a turn any more.
func TestStopEndsWaitingForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Rates: map[guard.Operation]guard.Rate{"user.x": {PerSecond: 1e-6}}}
		s := start(t, o)
		if err := s.Limiter().Allow("user.x"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Limiter().Wait(context.Background(), "user.x"); !errors.Is(err, ErrSystemStopped) {
				t.Errorf("waited: %v", err)
			}
		})
		synctest.Wait()
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	})
}

// Tells that are given up while they wait for their turns cost those who come after
// them nothing.
func TestTellsThatAreGivenUpLeaveNoDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{WaitTimeout: time.Minute, Rates: map[guard.Operation]guard.Rate{OperationAction: {PerSecond: 100}}})
		id := startAgent(t, s, DemoSpec())
		if _, err := s.Execute(t.Context(), id, "ping", nil); err != nil { // there is no token left
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var telling sync.WaitGroup
		for range 1000 {
			telling.Go(func() {
				if err := s.Tell(ctx, id, "ping", nil); !errors.Is(err, ErrRateLimited) || !errors.Is(err, context.Canceled) {
					t.Errorf("given up: %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		telling.Wait()
		if _, err := s.Execute(t.Context(), id, "ping", nil); !errors.Is(err, ErrRateLimited) {
			t.Errorf("before its turn: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
		if _, err := s.Execute(t.Context(), id, "ping", nil); err != nil {
			t.Errorf("after one turn: %v", err)
		}
	})
}

// A call whose context has ended before takes no token, and gets the error that it gets
// without a rate.
func TestLateTellsTakeNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, rates(OperationAction, OperationPublish))
		id := startAgent(t, s, DemoSpec())
		late, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		for range 10 {
			if err := s.Tell(late, id, "ping", nil); !errors.Is(err, ErrTimeout) || errors.Is(err, ErrRateLimited) {
				t.Errorf("tell: %v", err)
			}
			if err := s.Bus().Publish(late, Event{Type: "x"}); !errors.Is(err, ErrTimeout) || errors.Is(err, ErrRateLimited) {
				t.Errorf("publish: %v", err)
			}
		}
		if _, err := s.Execute(t.Context(), id, "ping", nil); err != nil {
			t.Error(err)
		}
		if n := s.Telemetry().RateLimited; n != 0 {
			t.Errorf("%d counted as refused by a rate", n)
		}
	})
}

// Who waits for a turn without a deadline does so for Options.WaitTimeout at most, and not
// at all if the turn is known to come later.
func TestTurnIsAwaitedWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, patience = 10, 2 * time.Second
		s := start(t, Options{WaitTimeout: patience, Rates: map[guard.Operation]guard.Rate{
			OperationAction: {PerSecond: rate}, OperationPublish: {PerSecond: rate},
		}})
		id := startAgent(t, s, Spec{Behaviour: adder{}})
		for name, do := range map[string]func() error{
			"tell":    func() error { return s.Tell(t.Context(), id, "x", nil) },
			"publish": func() error { return s.Bus().Publish(t.Context(), Event{Type: "x"}) },
		} {
			began := time.Now()
			var passed atomic.Int64
			var wg sync.WaitGroup
			for range 3 * rate * 2 {
				wg.Go(func() {
					switch err := do(); {
					case err == nil:
						passed.Add(1)
					case !errors.Is(err, ErrRateLimited):
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			if n := passed.Load(); n < rate*2 || n > rate*2+1 {
				t.Errorf("%s: %d passed, want %d or one more", name, n, rate*2)
			}
			if took := time.Since(began); took > patience {
				t.Errorf("%s: the last waited for %v", name, took)
			}
		}
	})
}
