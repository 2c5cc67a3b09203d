package guard

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
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
	// first of them holds the only place in the channel first, and it alone has a
	// token reserved: one that is given up after others were reserved would be lost.
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
	if b.isTooLate(ctx, turns) {
		return b.refuse(errTooLate)
	}
	waits, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.limiter.ctx, cancel)()
	err := errTooLate
	select {
	case b.first <- struct{}{}:
		err = b.tokens.Wait(waits)
		<-b.first
	case <-waits.Done():
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return b.refuse(ctx.Err())
	case waits.Err() != nil:
		return context.Cause(b.limiter.ctx)
	}
	return b.refuse(errTooLate)
}

// isTooLate reports whether the deadline of one who waits, with so many turns to go, is
// before its turn.
func (b *Bucket) isTooLate(ctx context.Context, turns int64) bool {
	deadline, has := ctx.Deadline()
	if !has {
		return false
	}
	seconds := (float64(turns) - max(b.tokens.Tokens(), 0)) / b.rate.PerSecond
	return time.Until(deadline).Seconds() < seconds
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
