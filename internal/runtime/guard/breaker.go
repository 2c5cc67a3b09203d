package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// BreakerOptions say when a Breaker opens a target's circuit. The zero value is
// usable.
type BreakerOptions struct {
	// Failures is how many calls of a target must fail in a row to open its
	// circuit; 0 means 5.
	Failures int
	// OpenFor is how long a circuit is open before calls are let through on
	// trial; 0 means 30 s. Trials that have not ended within OpenFor of the
	// beginning of the last one no longer count, and others take their places.
	OpenFor time.Duration
	// Trials is how many calls are let through on trial. If all of them
	// succeed, the circuit closes; as soon as one fails, it opens again. 0
	// means 1.
	Trials int
	// OnChange, if not nil, is called for each change of a circuit, by the
	// goroutine whose call has changed it and before that call goes on. It may
	// use the Breaker. Two changes of one circuit at about the same time may be
	// reported in either order: StateChange.Since says which is newer.
	OnChange func(context.Context, StateChange)
}

// check returns all that is wrong with the options.
func (o BreakerOptions) check() error {
	var errs []error
	if o.Failures < 0 {
		errs = append(errs, fmt.Errorf("failures: %d, want 0 or more", o.Failures))
	}
	if o.OpenFor < 0 {
		errs = append(errs, fmt.Errorf("open for: %v, want 0 or more", o.OpenFor))
	}
	if o.Trials < 0 {
		errs = append(errs, fmt.Errorf("trials: %d, want 0 or more", o.Trials))
	}
	return errors.Join(errs...)
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

// A Breaker spares callers the wait for a target that keeps failing, and the
// target their calls: after a number of failures in a row, calls fail at once
// for a while. A target is just a name, and each one has a circuit of its own.
// The methods may be called from several goroutines at once.
//
// A target that does not fail costs no memory. One that failed is forgotten, and
// its circuit closed, when it has neither failed nor been tried for ten minutes,
// or for twice OpenFor if that is longer. A Breaker remembers up to 65,536 failing
// targets; further ones are not guarded until others are forgotten.
type Breaker struct {
	options     BreakerOptions
	forgetAfter time.Duration
	// circuits are those of the targets that failed, by target, and failing is how
	// many there are. Both change under mu only, and are read without it: most
	// calls find that there is no circuit.
	circuits sync.Map // string → *circuit
	failing  atomic.Int64
	refused  atomic.Int64

	mu        sync.Mutex // guards what follows, and what is in a circuit
	lastTrial uint64
	swept     time.Time
}

// maxFailing is how many failing targets a Breaker remembers.
const maxFailing = 1 << 16

// NewBreaker returns a Breaker whose circuits are all closed. An error lists all
// that is wrong with the options.
func NewBreaker(o BreakerOptions) (*Breaker, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return &Breaker{options: o, forgetAfter: max(10*time.Minute, 2*o.OpenFor), swept: time.Now()}, nil
}

// A Verdict is what the end of a call says about its target.
type Verdict int

// The verdicts.
const (
	// Inconclusive says nothing about the target.
	Inconclusive Verdict = iota
	// Success says that the target works.
	Success
	// Failure says that it does not.
	Failure
)

// Do calls f and returns its error. If the target's circuit is open, it does not
// call f, and returns an error that is ErrCircuitOpen. Any error of f and any panic in it
// is a failure of the target, except context.Canceled, which is Inconclusive.
func (b *Breaker) Do(ctx context.Context, target string, f func(context.Context) error) error {
	return b.DoJudged(ctx, target, f, judge)
}

func judge(_ context.Context, err error) Verdict {
	switch {
	case err == nil:
		return Success
	case errors.Is(err, context.Canceled):
		return Inconclusive
	}
	return Failure
}

// DoJudged is Do with a judge of its own, which gets ctx and the error of f. A
// panic in f, or in the judge, is a failure.
func (b *Breaker) DoJudged(ctx context.Context, target string, f func(context.Context) error, judge func(context.Context, error) Verdict) error {
	trial, err := b.admit(ctx, target)
	if err != nil {
		return err
	}
	verdict := Failure // unless f returns
	defer func() { b.report(ctx, target, trial, verdict) }()
	err = f(ctx)
	verdict = judge(ctx, err)
	return err
}

// State returns the state of a target's circuit. One whose OpenFor has passed is
// still Open until the next call.
func (b *Breaker) State(target string) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.circuit(target); c != nil && !b.isStale(c, time.Now()) {
		return c.state
	}
	return Closed
}

// Refused is how many calls were refused so far.
func (b *Breaker) Refused() int64 { return b.refused.Load() }

// admit lets a call through or refuses it. A trial other than 0 is to be given
// to report.
func (b *Breaker) admit(ctx context.Context, target string) (trial uint64, err error) {
	if b.circuit(target) == nil {
		return 0, nil
	}
	var changes []StateChange
	defer func() { b.notify(ctx, changes) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	c := b.current(target, now, &changes)
	if c == nil || c.state == Closed {
		return 0, nil
	}
	if now.Sub(c.changed) >= b.options.OpenFor {
		b.tryAgain(c, now, &changes)
	}
	if c.state == Open || c.begun >= b.options.Trials {
		b.refused.Add(1)
		return 0, fmt.Errorf("%w: %d failures in a row", ErrCircuitOpen, c.failures)
	}
	c.begun++
	c.changed = now
	return c.trial, nil
}

// tryAgain makes room for trials after the pause: in an open circuit, or in one
// whose trials do not end.
func (b *Breaker) tryAgain(c *circuit, now time.Time, changes *[]StateChange) {
	switch {
	case c.state == Open:
		c.succeeded = 0
		c.enter(HalfOpen, now, changes)
	case c.begun < b.options.Trials:
		return // there is room
	}
	b.lastTrial++
	c.trial, c.begun = b.lastTrial, c.succeeded
}

// report records how a call has ended that was let through.
func (b *Breaker) report(ctx context.Context, target string, trial uint64, v Verdict) {
	if v != Failure && b.circuit(target) == nil {
		return
	}
	var changes []StateChange
	defer func() { b.notify(ctx, changes) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	c := b.current(target, now, &changes)
	switch {
	case c == nil || c.state == Closed:
		if trial == 0 { // the end of a former trial says nothing new
			b.reportClosed(c, target, now, v, &changes)
		}
	case c.state == HalfOpen && c.trial == trial:
		b.reportTrial(c, now, v, &changes)
	}
}

// reportClosed is report for a closed circuit; nil is one without failures.
func (b *Breaker) reportClosed(c *circuit, target string, now time.Time, v Verdict, changes *[]StateChange) {
	switch {
	case v == Success && c != nil:
		b.forget(c)
		return
	case v != Failure:
		return
	case c == nil:
		c = b.remember(target, now, changes)
	}
	if c == nil {
		return // there are too many
	}
	c.failures++
	c.changed = now
	if c.failures >= b.options.Failures {
		c.enter(Open, now, changes)
	}
}

// reportTrial is report for one of the present trials.
func (b *Breaker) reportTrial(c *circuit, now time.Time, v Verdict, changes *[]StateChange) {
	switch v {
	case Inconclusive:
		c.begun-- // another may try
	case Failure:
		c.failures++
		c.enter(Open, now, changes)
	case Success:
		c.succeeded++
		if c.succeeded == b.options.Trials {
			b.forget(c)
			c.close(now, changes)
		}
	}
}

// circuit returns the circuit of a target, or nil if the target did not fail.
func (b *Breaker) circuit(target string) *circuit {
	if b.failing.Load() == 0 {
		return nil // as it nearly always is
	}
	c, ok := b.circuits.Load(target)
	if !ok {
		return nil
	}
	return c.(*circuit)
}

// current is circuit, but forgets one that is stale.
func (b *Breaker) current(target string, now time.Time, changes *[]StateChange) *circuit {
	c := b.circuit(target)
	if c != nil && b.isStale(c, now) {
		b.forget(c)
		c.close(now, changes)
		return nil
	}
	return c
}

// remember makes a circuit for a target that fails. It returns nil if there are
// too many.
func (b *Breaker) remember(target string, now time.Time, changes *[]StateChange) *circuit {
	if now.Sub(b.swept) >= b.forgetAfter {
		b.sweep(now, changes)
	}
	if b.failing.Load() >= maxFailing {
		return nil
	}
	c := &circuit{target: target}
	b.circuits.Store(target, c)
	b.failing.Add(1)
	return c
}

// sweep forgets all stale circuits: their targets may never be called again.
func (b *Breaker) sweep(now time.Time, changes *[]StateChange) {
	b.circuits.Range(func(_, value any) bool {
		if c := value.(*circuit); b.isStale(c, now) {
			b.forget(c)
			c.close(now, changes)
		}
		return true
	})
	b.swept = now
}

// isStale reports whether a circuit has not changed for so long that it is to be
// forgotten.
func (b *Breaker) isStale(c *circuit, now time.Time) bool {
	return now.Sub(c.changed) >= b.forgetAfter
}

// forget deletes a circuit.
func (b *Breaker) forget(c *circuit) {
	b.circuits.Delete(c.target)
	b.failing.Add(-1)
}

// notify reports changes. The mutex is free: OnChange may use the Breaker.
func (b *Breaker) notify(ctx context.Context, changes []StateChange) {
	if b.options.OnChange == nil {
		return
	}
	for _, change := range changes {
		b.options.OnChange(ctx, change)
	}
}
