package guard

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const mail Operation = UserPrefix + "mail"

// tenth is the time between two tokens at ten a second.
const tenth = 100 * time.Millisecond

// newEmpty returns a limiter that lets ten mails a second go, and whose bucket is
// empty.
func newEmpty(t *testing.T) *Limiter {
	t.Helper()
	l, err := NewLimiter(t.Context(), map[Operation]Rate{mail: {PerSecond: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Allow(mail); err != nil {
		t.Fatal(err)
	}
	return l
}

// limiting returns that the rate was exceeded and, if it is not nil, that cause was
// the reason.
func limiting(err, cause error) bool {
	return errors.Is(err, ErrRateLimited) && (cause == nil || errors.Is(err, cause))
}

// Allow lets the burst go, and one more for each token that comes.
func TestAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLimiter(t.Context(), map[Operation]Rate{mail: {PerSecond: 10, Burst: 3}})
		if err != nil {
			t.Fatal(err)
		}
		var allowed []bool
		for _, pause := range []time.Duration{0, 0, 0, 0, tenth - time.Millisecond, time.Millisecond, 0, time.Minute, 0, 0, 0} {
			time.Sleep(pause)
			err := l.Allow(mail)
			if err != nil && !limiting(err, nil) {
				t.Error(err)
			}
			allowed = append(allowed, err == nil)
		}
		if want := []bool{true, true, true, false, false, true, false, true, true, true, false}; !slices.Equal(allowed, want) {
			t.Errorf("%v, want %v", allowed, want)
		}
		if n := l.Refused(); n != 4 {
			t.Errorf("%d counted as refused, want 4", n)
		}
	})
}

// However many give up waiting, whoever comes next gets every token.
func TestGivenUpWaitsLeaveNoDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEmpty(t)
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range 1000 {
			waiting.Go(func() {
				if err := l.Wait(ctx, mail); !limiting(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		waiting.Wait()
		for i := range 30 {
			if err := l.Allow(mail); !limiting(err, nil) {
				t.Errorf("before token %d: %v", i, err)
			}
			time.Sleep(tenth)
			if err := l.Allow(mail); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
		}
		if n := l.Refused(); n != 1000+30 {
			t.Errorf("%d counted as refused", n)
		}
	})
}

// One after the other gives up while it is first, and the next one that does not still
// gets the first token that comes.
func TestGivenUpTurnsPassOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEmpty(t)
		began := time.Now()
		var waiting sync.WaitGroup
		for i := range 9 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Duration(i+1)*10*time.Millisecond, cancel)
			waiting.Go(func() {
				if err := l.Wait(ctx, mail); !limiting(err, context.Canceled) {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if err := l.Wait(t.Context(), mail); err != nil || time.Since(began) != tenth {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		waiting.Wait()
	})
}

// Turns come in the order of arrival, one for each token, whatever contexts there are
// and whoever gives up in between.
func TestTurnsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEmpty(t)
		began := time.Now()
		background := context.Background()
		deadline, cancel := context.WithDeadline(background, began.Add(time.Minute))
		defer cancel()
		givenUp, giveUp := context.WithCancel(background)
		late, cancelLate := context.WithDeadline(background, began.Add(tenth/2))
		defer cancelLate()
		var (
			mu      sync.Mutex
			turns   []int
			after   []time.Duration
			waiting sync.WaitGroup
		)
		for i, ctx := range []context.Context{background, givenUp, deadline, late, givenUp, background, givenUp, deadline} {
			waiting.Go(func() {
				if l.Wait(ctx, mail) != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				turns, after = append(turns, i), append(after, time.Since(began).Round(time.Millisecond))
			})
			synctest.Wait()
		}
		time.Sleep(tenth / 2)
		giveUp()
		waiting.Wait()
		if want := []int{0, 2, 5, 7}; !slices.Equal(turns, want) {
			t.Errorf("turns of %v, want %v", turns, want)
		}
		if want := []time.Duration{tenth, 2 * tenth, 3 * tenth, 4 * tenth}; !slices.Equal(after, want) {
			t.Errorf("turns after %v, want %v", after, want)
		}
		if n := l.Refused(); n != 4 {
			t.Errorf("%d counted as refused, want 4", n)
		}
	})
}

// Whoever has a deadline before its turn is refused at once, and nobody else is: the
// time since the last token counts.
func TestDeadlineAndTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEmpty(t)
		began := time.Now()
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				if err := l.Wait(t.Context(), mail); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(40 * time.Millisecond)
		// The sixth turn is 600 ms after the beginning.
		for _, deadline := range []time.Duration{50, 590} {
			ctx, cancel := context.WithDeadline(t.Context(), began.Add(deadline*time.Millisecond))
			if err := l.Wait(ctx, mail); !limiting(err, context.DeadlineExceeded) || ctx.Err() != nil {
				t.Errorf("deadline after %d ms: %v, %v", deadline, err, time.Since(began))
			}
			cancel()
		}
		ctx, cancel := context.WithDeadline(t.Context(), began.Add(610*time.Millisecond))
		defer cancel()
		if err := l.Wait(ctx, mail); err != nil || time.Since(began).Round(time.Millisecond) != 600*time.Millisecond {
			t.Errorf("in time: %v after %v", err, time.Since(began))
		}
		waiting.Wait()
	})
}

// A token that has come belongs to those who wait, not to one who does not.
func TestAllowDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEmpty(t)
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if err := l.Wait(t.Context(), mail); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		for range 29 {
			if err := l.Allow(mail); !limiting(err, nil) {
				t.Errorf("overtook: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		waiting.Wait()
		time.Sleep(tenth)
		if err := l.Allow(mail); err != nil {
			t.Errorf("after them: %v", err)
		}
	})
}

// A context that ended before takes no token and is not refused by the rate.
func TestWaitWithAnEndedContext(t *testing.T) {
	l, err := NewLimiter(t.Context(), map[Operation]Rate{mail: {PerSecond: 1e-6}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ctx, mail); !errors.Is(err, context.Canceled) || limiting(err, nil) || l.Refused() != 0 {
		t.Errorf("%v, %d refused", err, l.Refused())
	}
	if err := l.Allow(mail); err != nil {
		t.Errorf("the token: %v", err)
	}
}

// The end of the limiter's context lets go all who wait, the first of them too, with
// its cause.
func TestEndOfALimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		l, err := NewLimiter(ctx, map[Operation]Rate{mail: {PerSecond: 1e-6}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Allow(mail); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if err := l.Wait(context.Background(), mail); !errors.Is(err, errOwn) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel(errOwn)
		waiting.Wait()
		if n := l.Refused(); n != 0 {
			t.Errorf("%d counted as refused by the rate", n)
		}
	})
}

// A rate may be so low that the wait for a token exceeds every time.Duration.
func TestLowestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLimiter(t.Context(), map[Operation]Rate{mail: {PerSecond: math.SmallestNonzeroFloat64}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Wait(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		began := time.Now()
		if err := l.Wait(ctx, mail); !limiting(err, context.DeadlineExceeded) || time.Since(began) != 0 {
			t.Errorf("with a deadline: %v after %v", err, time.Since(began))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(24*time.Hour, cancel)
		if err := l.Wait(ctx, mail); !limiting(err, context.Canceled) || time.Since(began) != 24*time.Hour {
			t.Errorf("without one: %v after %v", err, time.Since(began))
		}
	})
}

// Known operations and users' own are free without a rate; others are mistyped.
func TestOperationsWithoutARate(t *testing.T) {
	l, err := NewLimiter(t.Context(), nil, "publish")
	if err != nil {
		t.Fatal(err)
	}
	for op, known := range map[Operation]bool{"publish": true, mail: true, "publsh": false, UserPrefix: false, "": false} {
		for range 100 {
			allowed, waited := l.Allow(op), l.Wait(t.Context(), op)
			if (allowed == nil) != known || (waited == nil) != known || limiting(allowed, nil) || limiting(waited, nil) {
				t.Fatalf("%q: %v, %v", op, allowed, waited)
			}
		}
	}
	if b := l.Bucket("publish"); b != nil {
		t.Errorf("a bucket without a rate: %v", b)
	}
}

// All that is wrong with rates is in the error.
func TestBadRates(t *testing.T) {
	_, err := NewLimiter(t.Context(), map[Operation]Rate{
		"publsh": {PerSecond: 1}, UserPrefix: {PerSecond: 1}, "user.zero": {}, "user.nan": {PerSecond: math.NaN()},
		"user.inf": {PerSecond: math.Inf(1)}, "user.burst": {PerSecond: 1, Burst: -1}, mail: {PerSecond: 1},
	}, "publish")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`rate of "publsh": unknown operation`, `"user.": unknown operation`, `"user.zero": 0 a second`,
		`"user.nan": NaN a second`, `"user.inf": +Inf a second`, `"user.burst": a burst of -1`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), string(mail)) {
		t.Errorf("a good rate is named: %v", err)
	}
}
