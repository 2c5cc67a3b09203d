package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
)

// An Operation is the name of a kind of operation. It begins with UserPrefix,
// unless it is one that the Limiter was made to know: so a mistyped name is an
// error, not an operation without a rate.
type Operation string

// UserPrefix begins the names of operations that a program defines itself.
const UserPrefix = "user."

// A Rate is the size and speed of a token bucket. The bucket is full at first,
// and each operation takes one token.
type Rate struct {
	// PerSecond is how many tokens are added per second; it is above 0.
	PerSecond float64
	// Burst is how many tokens the bucket holds at most, and so how many
	// operations may begin at once after a pause; 0 means 1.
	Burst int
}

// check returns all that is wrong with the rate.
func (r Rate) check() error {
	var errs []error
	if !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 1) {
		errs = append(errs, fmt.Errorf("%v a second, want a number above 0", r.PerSecond))
	}
	if r.Burst < 0 {
		errs = append(errs, fmt.Errorf("a burst of %d, want 0 or more", r.Burst))
	}
	return errors.Join(errs...)
}

// A Limiter keeps operations to their rates. An operation without a rate is not
// limited. Its methods may be called from several goroutines at once.
type Limiter struct {
	ctx     context.Context // nobody waits any longer when it ends
	known   []Operation
	buckets map[Operation]*Bucket
	refused atomic.Int64
}

// NewLimiter returns a Limiter with these rates, for the known operations and
// those that begin with UserPrefix. When ctx ends, all who wait in the Limiter
// are let go with the cause of its end. An error lists all that is wrong with the
// rates.
func NewLimiter(ctx context.Context, rates map[Operation]Rate, known ...Operation) (*Limiter, error) {
	l := &Limiter{ctx: ctx, known: known, buckets: make(map[Operation]*Bucket, len(rates))}
	var errs []error
	for _, op := range slices.Sorted(maps.Keys(rates)) {
		if err := errors.Join(l.check(op), rates[op].check()); err != nil {
			errs = append(errs, fmt.Errorf("rate of %q: %w", op, err))
			continue
		}
		l.buckets[op] = newBucket(l, op, rates[op])
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return l, nil
}

// check returns an error if the limiter does not know the operation.
func (l *Limiter) check(op Operation) error {
	isUsers := len(op) > len(UserPrefix) && strings.HasPrefix(string(op), UserPrefix)
	if isUsers || slices.Contains(l.known, op) {
		return nil
	}
	return fmt.Errorf("unknown operation (one of %q, or %s and a name)", l.known, UserPrefix)
}

// Bucket returns the token bucket of an operation, which spares its user the
// search for it; nil if the operation has no rate.
func (l *Limiter) Bucket(op Operation) *Bucket { return l.buckets[op] }

// Allow is Bucket.Allow for an operation. An unknown operation is an error.
func (l *Limiter) Allow(op Operation) error {
	if err := l.check(op); err != nil {
		return fmt.Errorf("allow %q: %w", op, err)
	}
	return l.buckets[op].Allow()
}

// Wait is Bucket.Wait for an operation. An unknown operation is an error.
func (l *Limiter) Wait(ctx context.Context, op Operation) error {
	if err := l.check(op); err != nil {
		return fmt.Errorf("wait for %q: %w", op, err)
	}
	return l.buckets[op].Wait(ctx)
}

// Refused is how many operations were refused so far.
func (l *Limiter) Refused() int64 { return l.refused.Load() }
