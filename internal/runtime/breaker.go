package mabeam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A CircuitState is what a breaker does with the calls of a target.
type CircuitState int

// The states.
const (
	// CircuitClosed lets all calls through.
	CircuitClosed CircuitState = iota
	// CircuitOpen refuses all calls.
	CircuitOpen
	// CircuitHalfOpen lets a few calls through on trial.
	CircuitHalfOpen
)

var circuitStateNames = []string{"closed", "open", "half-open"}

func (s CircuitState) String() string { return nameOf(circuitStateNames, int(s)) }

// BreakerOptions say when a breaker opens a target's circuit. The zero value is
// usable.
type BreakerOptions struct {
	// Failures is how many calls of a target must fail in a row to open its
	// circuit; 0 means 5.
	Failures int
	// OpenFor is how long it is open before calls are let through on trial; 0
	// means 30 s. Trials that have not ended as long after the last of them
	// began do not count any more, and others take their places.
	OpenFor time.Duration
	// Trials is how many calls are let through on trial. If all of them
	// succeed, the circuit is closed; as soon as one fails, it is open again.
	// 0 means 1.
	Trials int
	// OnChange is told each change of a circuit by the goroutine whose call
	// has changed it, before that call goes on. Two changes of one circuit
	// that come at the same time may be told in either order: Since tells
	// which is newer. Nil tells nobody.
	OnChange func(context.Context, CircuitChange)
}

func (o BreakerOptions) withDefaults() BreakerOptions {
	if o.Failures == 0 {
		o.Failures = 5
	}
	if o.OpenFor == 0 {
		o.OpenFor = 30 * time.Second
	}
	if o.Trials == 0 {
		o.Trials = 1
	}
	return o
}

// check says all that is wrong with the options.
func (o BreakerOptions) check() error {
	return errors.Join(
		atLeastZero("failures", o.Failures), atLeastZero("open for", o.OpenFor), atLeastZero("trials", o.Trials),
	)
}

// A CircuitChange is the data of the circuit_breaker events.
type CircuitChange struct {
	Target string
	State  CircuitState
	// Failures is how many calls have failed in a row; 0 when it is closed.
	Failures int
	// Since is when the circuit came into this state.
	Since time.Time
}

// A Breaker spares callers the wait for a target that keeps failing, and the
// target their calls: after a number of failures in a row, calls fail at once
// for a while. Each target, which is just a name, has a circuit of its own.
//
// A target that does not fail costs no memory. One is forgotten after it has
// neither failed nor been tried for ten minutes, or twice OpenFor if that is
// longer; an open circuit then is closed. A breaker knows up to 65,536 failing
// targets: while there are as many, others are not guarded.
type Breaker struct {
	options     BreakerOptions
	forgetAfter time.Duration
	targets     *table[circuit] // changed under mu, read without
	refused     atomic.Int64    // calls that met an open circuit

	mu        sync.Mutex // guards what follows, and what is in a circuit
	known     int        // targets
	lastTrial uint64
	swept     time.Time
}

// maxCircuits is how many failing targets a breaker knows.
const maxCircuits = 1 << 16

// A circuit is a target that has failed of late.
type circuit struct {
	target   string
	state    CircuitState
	failures int // in a row
	// changed is when it came into its state, failed last, or was tried last.
	changed time.Time
	// trial tells the calls of these trials from those of earlier ones. Of
	// these, begun have begun and succeeded have succeeded.
	trial            uint64
	begun, succeeded int
}

// NewBreaker returns a breaker whose circuits are all closed. An error says
// what is wrong with the options.
func NewBreaker(o BreakerOptions) (*Breaker, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("new breaker: %w", err)
	}
	return newBreaker(o), nil
}

// newBreaker takes options that were checked.
func newBreaker(o BreakerOptions) *Breaker {
	o = o.withDefaults()
	return &Breaker{
		options: o, forgetAfter: max(10*time.Minute, 2*o.OpenFor),
		targets: newTable[circuit](), swept: time.Now(),
	}
}

// A verdict is what the end of a call says about its target.
type verdict int

const (
	inconclusive verdict = iota
	success
	failure
)

// Do calls f and returns its error, or ErrCircuitOpen without calling it if the
// target's circuit is open. Any error of f and any panic in it is a failure of
// the target, but for context.Canceled, which says nothing about it.
func (b *Breaker) Do(ctx context.Context, target string, f func(context.Context) error) error {
	return b.do(ctx, target, f, func(err error) verdict {
		switch {
		case err == nil:
			return success
		case errors.Is(err, context.Canceled):
			return inconclusive
		}
		return failure
	})
}

// State is the state of a target's circuit. One that has been open long enough
// is still open until the next call.
func (b *Breaker) State(target string) CircuitState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.targets.get(target); c != nil && time.Since(c.changed) < b.forgetAfter {
		return c.state
	}
	return CircuitClosed
}

// do is Do with a judgement of one's own.
func (b *Breaker) do(ctx context.Context, target string, f func(context.Context) error, judge func(error) verdict) error {
	trial, err := b.admit(ctx, target)
	if err != nil {
		return err
	}
	ended := failure // of an f that panics
	defer func() { b.report(ctx, target, trial, ended) }()
	err = f(ctx)
	ended = judge(err)
	return err
}

// admit lets a call through or refuses it. A trial other than 0 is to be given
// to report.
func (b *Breaker) admit(ctx context.Context, target string) (trial uint64, err error) {
	if b.targets.get(target) == nil {
		return 0, nil
	}
	var told changes
	defer func() { b.tell(ctx, told) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	c := b.remembered(target, now, &told)
	if c == nil || c.state == CircuitClosed {
		return 0, nil
	}
	if now.Sub(c.changed) >= b.options.OpenFor {
		b.tryAnew(c, now, &told)
	}
	if c.state == CircuitOpen || c.begun >= b.options.Trials {
		b.refused.Add(1)
		return 0, fmt.Errorf("%w: %d failures in a row", ErrCircuitOpen, c.failures)
	}
	c.begun++
	c.changed = now
	return c.trial, nil
}

// tryAnew makes room for trials after the pause: in an open circuit, or in one
// whose trials do not end.
func (b *Breaker) tryAnew(c *circuit, now time.Time, told *changes) {
	switch {
	case c.state == CircuitOpen:
		c.succeeded = 0
		c.enter(CircuitHalfOpen, now, told)
	case c.begun < b.options.Trials:
		return // there is room
	}
	b.lastTrial++
	c.trial, c.begun = b.lastTrial, c.succeeded
}

// report notes how a call has ended that was let through.
func (b *Breaker) report(ctx context.Context, target string, trial uint64, v verdict) {
	if v != failure && b.targets.get(target) == nil {
		return
	}
	var told changes
	defer func() { b.tell(ctx, told) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	c := b.remembered(target, now, &told)
	switch {
	case c == nil || c.state == CircuitClosed:
		if trial == 0 { // the end of a former trial says nothing new
			b.reportClosed(c, target, now, v, &told)
		}
	case c.state == CircuitHalfOpen && c.trial == trial:
		b.reportTrial(c, now, v, &told)
	}
}

// reportClosed is report for a closed circuit; nil is one without failures.
func (b *Breaker) reportClosed(c *circuit, target string, now time.Time, v verdict, told *changes) {
	switch v {
	case success:
		b.forget(c)
	case failure:
		if c == nil {
			if c = b.remember(target, now, told); c == nil {
				return
			}
		}
		c.failures++
		c.changed = now
		if c.failures >= b.options.Failures {
			c.enter(CircuitOpen, now, told)
		}
	}
}

// reportTrial is report for one of the trials that are on.
func (b *Breaker) reportTrial(c *circuit, now time.Time, v verdict, told *changes) {
	switch v {
	case inconclusive:
		c.begun-- // another may try
	case failure:
		c.failures++
		c.enter(CircuitOpen, now, told)
	case success:
		c.succeeded++
		if c.succeeded == b.options.Trials {
			b.forget(c)
			c.close(now, told)
		}
	}
}

// remembered returns the circuit of a target that has failed, forgetting one
// that has not been heard of for long.
func (b *Breaker) remembered(target string, now time.Time, told *changes) *circuit {
	c := b.targets.get(target)
	if c != nil && b.isOld(c, now) {
		b.forget(c)
		c.close(now, told)
		return nil
	}
	return c
}

// remember makes a circuit for a target that fails. It returns nil if there are
// too many.
func (b *Breaker) remember(target string, now time.Time, told *changes) *circuit {
	if now.Sub(b.swept) >= b.forgetAfter {
		b.sweep(now, told)
	}
	if b.known >= maxCircuits {
		return nil
	}
	c := &circuit{target: target}
	b.targets.add(target, c)
	b.known++
	return c
}

// sweep forgets the targets that were not heard of for long: nobody may ever
// ask for them again.
func (b *Breaker) sweep(now time.Time, told *changes) {
	var old []*circuit
	b.targets.each(func(c *circuit) {
		if b.isOld(c, now) {
			old = append(old, c)
		}
	})
	for _, c := range old {
		b.forget(c)
		c.close(now, told)
	}
	b.swept = now
}

func (b *Breaker) isOld(c *circuit, now time.Time) bool { return now.Sub(c.changed) >= b.forgetAfter }

// forget drops a circuit; nil is one that there is none of.
func (b *Breaker) forget(c *circuit) {
	if c != nil {
		b.targets.remove(c.target)
		b.known--
	}
}

// changes are those that are to be told once the lock is let go: who is told
// may call the breaker.
type changes []CircuitChange

// enter moves the circuit to a state, to be told.
func (c *circuit) enter(state CircuitState, now time.Time, told *changes) {
	c.state, c.changed = state, now
	*told = append(*told, CircuitChange{Target: c.target, State: state, Failures: c.failures, Since: now})
}

// close ends the circuit of a target that failed no more, which is told unless
// it was closed.
func (c *circuit) close(now time.Time, told *changes) {
	if c.state != CircuitClosed {
		c.failures = 0
		c.enter(CircuitClosed, now, told)
	}
}

func (b *Breaker) tell(ctx context.Context, told changes) {
	if b.options.OnChange == nil {
		return
	}
	for _, change := range told {
		b.options.OnChange(ctx, change)
	}
}
