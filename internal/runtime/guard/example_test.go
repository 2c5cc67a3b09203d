package guard_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// Two mails may go at once; a third one exceeds the rate.
func ExampleLimiter() {
	ctx := context.Background()
	const mail = guard.UserPrefix + "mail"
	limiter, err := guard.NewLimiter(ctx, map[guard.Operation]guard.Rate{mail: {PerSecond: 0.001, Burst: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(limiter.Allow(mail))
	}
	// Whoever cannot wait so long need not wait at all.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = limiter.Wait(ctx, mail)
	fmt.Println(errors.Is(err, guard.ErrRateLimited), errors.Is(err, context.DeadlineExceeded))
	// Output:
	// <nil>
	// <nil>
	// rate limited: user.mail: 0.001 a second
	// true true
}

// After two failures in a row, calls fail at once, without being made.
func ExampleBreaker() {
	ctx := context.Background()
	breaker, err := guard.NewBreaker(guard.BreakerOptions{
		Failures: 2,
		OnChange: func(_ context.Context, c guard.StateChange) { fmt.Println(c.Target, "is", c.State) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		err := breaker.Do(ctx, "mail server", func(context.Context) error {
			return errors.New("no answer")
		})
		fmt.Println(err)
	}
	fmt.Println(breaker.State("mail server"), breaker.State("another server"))
	// Output:
	// no answer
	// mail server is open
	// no answer
	// circuit is open: 2 failures in a row
	// open closed
}

// A judge decides what is a failure of the target: here, only that it does not
// answer in time.
func ExampleBreaker_DoJudged() {
	ctx := context.Background()
	breaker, err := guard.NewBreaker(guard.BreakerOptions{Failures: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	isSlow := func(_ context.Context, err error) guard.Verdict {
		if errors.Is(err, context.DeadlineExceeded) {
			return guard.Failure
		}
		return guard.Success
	}
	for _, answer := range []error{errors.New("no such mailbox"), context.DeadlineExceeded} {
		err := breaker.DoJudged(ctx, "mail server", func(context.Context) error { return answer }, isSlow)
		fmt.Println(err, "-", breaker.State("mail server"))
	}
	// Output:
	// no such mailbox - closed
	// context deadline exceeded - open
}
