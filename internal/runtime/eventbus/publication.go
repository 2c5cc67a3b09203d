package eventbus

import (
	"context"
	"slices"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
)

// A publication is one call of Publish or PublishAll: how long it may wait for room in
// subscribers' queues, and which subscribers it still has to serve.
type publication struct {
	ctx context.Context
	// bus has the WaitTimeout, which limits all waits together, counted from the beginning of the
	// first one, if ctx has no deadline or an agent publishes.
	bus        *Bus
	fromAgent  bool
	neverWaits bool // a subscriber without room loses its oldest event instead
	// others is true if the event also goes to other logs or queues, whose subscribers have to wait
	// while one log has no room.
	others bool

	// deferred are the subscribers without room, with the events that they get once all other
	// subscribers have theirs. missed counts the failed deliveries, and why is the reason.
	deferred []deferral
	missed   int
	why      error

	waitingSince time.Time // the beginning of the first wait; zero before that
	// waitCtx is ctx with waitTimeout; nil before the second wait, because the first is short.
	waitCtx context.Context
	cancel  context.CancelFunc
}

// A deferral has the events that a subscriber without room has still to get, in order.
type deferral struct {
	sub    *Subscription
	events []Event
}

// resetWait allows the whole wait again.
func (p *publication) resetWait() {
	p.release()
	p.waitingSince, p.waitCtx, p.cancel = time.Time{}, nil, nil
}

// hadNoRoom reports whether any subscriber had no room at once.
func (p *publication) hadNoRoom() bool { return p.hasWaited() || len(p.deferred) > 0 }

// deferFor has a subscriber get an event once all others have it.
func (p *publication) deferFor(s *Subscription, e *Event) {
	for i := range p.deferred {
		if p.deferred[i].sub == s {
			p.deferred[i].events = append(p.deferred[i].events, *e)
			return
		}
	}
	s.detached.Load().publishers++
	p.deferred = append(p.deferred, deferral{s, []Event{*e}})
}

// defers reports whether a subscriber has still to get earlier events.
func (p *publication) defers(s *Subscription) bool {
	return slices.ContainsFunc(p.deferred, func(d deferral) bool { return d.sub == s })
}

// miss records that a subscriber does not get n events, because the time is up.
func (p *publication) miss(s *Subscription, n int) {
	s.dropped.Add(uint64(n))
	p.missed += n
	p.why = p.err()
}

// mustNotWait reports whether the time is up, or there was none from the start.
func (p *publication) mustNotWait() bool {
	return p.neverWaits || p.waitCtx != nil && p.waitCtx.Err() != nil || p.ctx.Err() != nil
}

// hasWaited reports whether it has had to wait.
func (p *publication) hasWaited() bool { return !p.waitingSince.IsZero() }

// wait waits for room until the time is up. The caller must make sure that the first wait is
// short: most waits are, and then need no timer of their own.
func (p *publication) wait(room <-chan struct{}) {
	ctx := p.ctx
	if !p.hasWaited() {
		p.waitingSince = time.Now()
	} else {
		ctx = p.limitedCtx()
	}
	select {
	case <-room:
	case <-ctx.Done():
	}
}

// limitedCtx returns ctx with waitTimeout, which counts from the first wait on.
func (p *publication) limitedCtx() context.Context {
	if p.waitCtx == nil {
		p.waitCtx, p.cancel = p.ctx, func() {}
		if _, has := p.ctx.Deadline(); !has || p.fromAgent || p.bus.config.InCallback(p.ctx) {
			p.waitCtx, p.cancel = context.WithDeadline(p.ctx, p.waitingSince.Add(p.bus.config.WaitTimeout))
		}
	}
	return p.waitCtx
}

// err returns why the publication must not wait any longer.
func (p *publication) err() error {
	if p.waitCtx == nil {
		return failure.ContextError(p.ctx)
	}
	return failure.ContextError(p.waitCtx)
}

// release frees the timer of the waits. It does not change what err returns after a timeout.
func (p *publication) release() {
	if p.cancel != nil {
		p.cancel()
	}
}
