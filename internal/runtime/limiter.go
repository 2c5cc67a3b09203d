package mabeam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// An Operation is a kind of operation that a rate can be set for: one of the
// runtime's own, or any other whose name begins with UserOperation.
type Operation string

// The runtime's own operations. What refuses when there is no room in a queue
// refuses over the rate, with ErrRateLimited; what waits for room waits for
// its turn, until its context ends. What the runtime does by itself, such as
// telling of an agent's end, takes part in no rate.
const (
	// OperationStartAgent is the start of an agent. It refuses.
	OperationStartAgent Operation = "start_agent"
	// OperationAction is an action of an agent. Execute refuses, and so do
	// Send and each question of a coordination; Tell waits.
	OperationAction Operation = "action"
	// OperationPublish is the publishing of an event. It waits.
	OperationPublish Operation = "publish"
	// OperationSignal is the sending of a signal. It refuses.
	OperationSignal Operation = "signal"
)

// UserOperation is what the names of operations begin with that are not the
// runtime's own: a name that is mistyped is an error.
const UserOperation = "user."

var operations = []Operation{OperationStartAgent, OperationAction, OperationPublish, OperationSignal}

// A Rate is a token bucket: it holds up to Burst tokens, gets PerSecond new
// ones a second, and is full at first. Each operation takes one.
type Rate struct {
	// PerSecond is how many operations a second may go on; it is above 0.
	PerSecond float64
	// Burst is how many may be done at once after a pause; 0 means 1.
	Burst int
}

// check says what is wrong with the name of an operation.
func (o Operation) check() error {
	own := len(o) > len(UserOperation) && strings.HasPrefix(string(o), UserOperation)
	if own || slices.Contains(operations, o) {
		return nil
	}
	return fmt.Errorf("rate of %q: unknown operation (one of %q, or %s and a name)", o, operations, UserOperation)
}

// checkRates says all that is wrong with rates.
func checkRates(rates map[Operation]Rate) error {
	var errs []error
	for _, kind := range slices.Sorted(maps.Keys(rates)) {
		r := rates[kind]
		if err := kind.check(); err != nil {
			errs = append(errs, err)
		}
		if !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 1) {
			errs = append(errs, fmt.Errorf("rate of %q: %v a second, want a number above 0", kind, r.PerSecond))
		}
		if r.Burst < 0 {
			errs = append(errs, fmt.Errorf("rate of %q: a burst of %d, want 0 or more", kind, r.Burst))
		}
	}
	return errors.Join(errs...)
}

// A Limiter keeps operations to the rates that were set in the options. One
// without a rate is not limited.
type Limiter struct {
	ctx     context.Context // of the system
	buckets map[Operation]*bucket
	refused atomic.Int64
}

// newLimiter takes rates that were checked.
func newLimiter(ctx context.Context, rates map[Operation]Rate) *Limiter {
	l := &Limiter{ctx: ctx, buckets: make(map[Operation]*bucket, len(rates))}
	for kind, r := range rates {
		r.Burst = max(r.Burst, 1)
		l.buckets[kind] = &bucket{limiter: l, kind: kind, rate: r, tokens: rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst), first: make(chan struct{}, 1)}
	}
	return l
}

// Allow takes a token for the operation, or returns ErrRateLimited if there is
// none now. An operation that the runtime does not know and whose name does not
// begin with UserOperation is an error.
func (l *Limiter) Allow(kind Operation) error {
	if err := kind.check(); err != nil {
		return err
	}
	return l.buckets[kind].take()
}

// Wait takes a token for the operation, waiting for one until ctx ends. It
// returns ErrRateLimited if ctx ends before, without waiting if its deadline
// is known to be too early, and ErrSystemStopped when the system has stopped.
// Those who wait get their turns in the order in which they came.
func (l *Limiter) Wait(ctx context.Context, kind Operation) error {
	if err := kind.check(); err != nil {
		return err
	}
	return l.buckets[kind].wait(ctx)
}

// A bucket is the rate of one operation; nil is one without a rate.
type bucket struct {
	limiter *Limiter
	kind    Operation
	rate    Rate
	tokens  *rate.Limiter
	// first is held, by having put a value into it, by the first of those who wait.
	// It alone has a token reserved: one that is given up after others were reserved
	// would be lost.
	first   chan struct{}
	waiting atomic.Int64
}

// take is Limiter.Allow.
func (b *bucket) take() error {
	if b == nil {
		return nil
	}
	return b.takeNow()
}

func (b *bucket) takeNow() error {
	if b.allow() {
		return nil
	}
	return b.refuse(nil)
}

// allow takes a token if there is one and nobody waits for it.
func (b *bucket) allow() bool { return b.waiting.Load() == 0 && b.tokens.Allow() }

// wait is Limiter.Wait.
func (b *bucket) wait(ctx context.Context) error {
	if b == nil || b.allow() {
		return nil
	}
	return b.waitForTurn(ctx)
}

func (b *bucket) waitForTurn(ctx context.Context) error {
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
		return b.refuse(CallError(ctx))
	case waits.Err() != nil:
		return ErrSystemStopped
	}
	return b.refuse(errTooLate)
}

// isTooLate says whether the deadline of one who waits, with so many turns to go, is
// known to be before its turn.
func (b *bucket) isTooLate(ctx context.Context, turns int64) bool {
	deadline, has := ctx.Deadline()
	if !has {
		return false
	}
	seconds := (float64(turns) - max(b.tokens.Tokens(), 0)) / b.rate.PerSecond
	return time.Until(deadline).Seconds() < seconds
}

var errTooLate = errors.New("the caller's deadline is before its turn")

// refuse returns the error of an operation over the rate, and counts it.
func (b *bucket) refuse(why error) error {
	b.limiter.refused.Add(1)
	if why != nil {
		return fmt.Errorf("%w: %s: %v a second: %w", ErrRateLimited, b.kind, b.rate.PerSecond, why)
	}
	return fmt.Errorf("%w: %s: %v a second", ErrRateLimited, b.kind, b.rate.PerSecond)
}
