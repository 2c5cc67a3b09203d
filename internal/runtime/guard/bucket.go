package guard

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"mabeam-top/internal/runtime/internal/failure"
)

// A Bucket is the token bucket of one operation of a Limiter. A nil Bucket is that
// of an operation without a rate: it allows everything, at the cost of a
// comparison.
type Bucket struct {
	limiter *Limiter
	op      Operation
	rate    Rate
	tokens  *rate.Limiter
	// waiting is how many wait for a token, in the order in which they came. The
	// first of them holds the only place in the channel first, and takes the next
	// token when it is there. Nobody reserves one beforehand: there is nothing
	// to give back when a wait is given up.
	waiting atomic.Int64
	first   chan struct{}
}

// newBucket returns a full bucket. The rate is valid.
func newBucket(l *Limiter, op Operation, r Rate) *Bucket {
	return &Bucket{
		limiter: l, op: op, rate: r, first: make(chan struct{}, 1),
		tokens: rate.NewLimiter(rate.Limit(r.PerSecond), max(r.Burst, 1)),
	}
}

// Allow takes a token, or returns an error that is ErrRateLimited if there is
// none, or if others wait for it.
func (b *Bucket) Allow() error {
	if b == nil {
		return nil
	}
	return b.allow()
}

// allow is Allow for an operation with a rate.
func (b *Bucket) allow() error {
	if b.take() {
		return nil
	}
	return b.refuse(nil)
}

// take takes a token if there is one and nobody waits for it.
func (b *Bucket) take() bool { return b.waiting.Load() == 0 && b.tokens.Allow() }

// Wait takes a token, and waits for it behind those who came before. If ctx has
// ended already, it returns the context's error. If ctx ends during the wait, or
// its deadline is before the turn as things stand, which is not waited for, the error is
// both ErrRateLimited and that of the context. Whoever gets an error has taken no
// token.
func (b *Bucket) Wait(ctx context.Context) error {
	if b == nil {
		return nil
	}
	return b.wait(ctx)
}

// WaitAtMost is Wait with a timeout for a ctx without a deadline. If the deadline of ctx has passed
// already, the error is a timeout of the runtime.
func (b *Bucket) WaitAtMost(ctx context.Context, timeout time.Duration) error {
	if b == nil {
		return nil
	}
	ctx, cancel := failure.WithDefaultTimeout(ctx, timeout)
	defer cancel()
	err := b.wait(ctx)
	if err == context.DeadlineExceeded { //nolint:errorlint // one that is wrapped is a refusal
		return failure.ErrTimeout
	}
	return err
}

// wait is Wait for an operation with a rate.
func (b *Bucket) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.take() {
		return nil
	}
	return b.queue(ctx)
}

// queue waits until it is first, and then for a token.
func (b *Bucket) queue(ctx context.Context) error {
	turns := b.waiting.Add(1)
	defer b.waiting.Add(-1)
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) < b.until(turns) {
		return b.refuse(errTooLate)
	}
	select {
	case b.first <- struct{}{}:
		defer func() { <-b.first }()
		return b.takeNext(ctx)
	case <-ctx.Done():
		return b.refuse(ctx.Err())
	}
}

// takeNext waits for the next token and takes it. The caller is first. When the
// limiter's context ends, it leaves, and so does each of those behind it when it is
// first.
func (b *Bucket) takeNext(ctx context.Context) error {
	for ctx.Err() == nil {
		if b.tokens.Allow() {
			return nil
		}
		next := time.NewTimer(b.until(1))
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
		case <-b.limiter.ctx.Done():
			next.Stop()
			return context.Cause(b.limiter.ctx)
		}
	}
	return b.refuse(ctx.Err())
}

// longest is the longest wait for a token: no rate is so low that it overflows.
const longest = 100 * 365 * 24 * time.Hour

// until is the time until the bucket would have had n tokens to give.
func (b *Bucket) until(n int64) time.Duration {
	seconds := (float64(n) - b.tokens.Tokens()) / b.rate.PerSecond
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
}

var errTooLate = fmt.Errorf("the deadline is before its turn: %w", context.DeadlineExceeded)

// refuse counts an operation that exceeds the rate, and returns its error.
func (b *Bucket) refuse(reason error) error {
	b.limiter.refused.Add(1)
	if reason == nil {
		return fmt.Errorf("%w: %s: %v a second", ErrRateLimited, b.op, b.rate.PerSecond)
	}
	return fmt.Errorf("%w: %s: %v a second: %w", ErrRateLimited, b.op, b.rate.PerSecond, reason)
}
