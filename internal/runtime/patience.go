package mabeam

import (
	"context"
	"slices"
	"time"
)

// A patience is how long a publisher waits for room in all, from the first time that it
// has to: until its context ends, and if that has no deadline, or the publisher is an
// agent, no longer than the limit.
type patience struct {
	ctx   context.Context
	limit time.Duration
	agent bool
	none  bool // it does not wait at all, and others lose what is oldest for it
	// others says that there are readers of other logs, and queues, which wait too while
	// there is no room in one log.
	others bool

	// late are the subscribers for which it is to be waited once all others have the event,
	// and missed is how many did not get theirs.
	late   []*Subscription
	missed int

	began time.Time // of the first wait
	// limited is ctx with the limit; nil before the second wait, because the first is short.
	limited context.Context
	cancel  context.CancelFunc

	// gaveUp are the subscribers that have been waited for in vain and had no room since: it
	// does not wait for them again. why is the reason.
	gaveUp []*Subscription
	why    error
}

// ofAgent is the patience of an agent that publishes.
func (b *Bus) ofAgent(ctx context.Context) *patience {
	return &patience{ctx: ctx, limit: b.waitTimeout, agent: true}
}

// renew gives the publisher of several events the whole patience again for the next, but for
// those subscribers that it gave up.
func (p *patience) renew() {
	p.end()
	p.began, p.limited, p.cancel = time.Time{}, nil, nil
}

// wasNeeded says whether there was not room for all at once.
func (p *patience) wasNeeded() bool { return p.hasBegun() || len(p.late)+p.missed > 0 }

// miss notes that a subscriber does not get an event.
func (p *patience) miss(s *Subscription) {
	s.dropped.Add(1)
	p.missed++
}

// giveUp notes that a subscriber has had no room for as long as there was patience.
func (p *patience) giveUp(s *Subscription) {
	p.gaveUp = append(p.gaveUp, s)
	p.why = p.err()
}

// waitsFor says whether a subscriber without room is to be waited for.
func (p *patience) waitsFor(s *Subscription) bool { return !slices.Contains(p.gaveUp, s) }

// hasRoom notes that a subscriber has room, so that it is to be waited for again.
func (p *patience) hasRoom(s *Subscription) {
	if i := slices.Index(p.gaveUp, s); i >= 0 {
		p.gaveUp = slices.Delete(p.gaveUp, i, i+1)
	}
}

// isOver says whether there is to be no further wait.
func (p *patience) isOver() bool {
	return p.none || p.limited != nil && p.limited.Err() != nil || p.ctx.Err() != nil
}

// hasBegun says whether it had to wait already.
func (p *patience) hasBegun() bool { return !p.began.IsZero() }

// wait waits for room, as long as there is patience. The caller sees to it that the first
// wait ends soon: most do, and need no timer of their own.
func (p *patience) wait(room <-chan struct{}) {
	ctx := p.ctx
	if !p.hasBegun() {
		p.began = time.Now()
	} else {
		ctx = p.withLimit()
	}
	select {
	case <-room:
	case <-ctx.Done():
	}
}

// withLimit is ctx with the limit, from the first wait on.
func (p *patience) withLimit() context.Context {
	if p.limited == nil {
		p.limited, p.cancel = p.ctx, func() {}
		if _, has := p.ctx.Deadline(); !has || p.agent || callbackOf(p.ctx) != nil {
			p.limited, p.cancel = context.WithDeadline(p.ctx, p.began.Add(p.limit))
		}
	}
	return p.limited
}

// err is why patience is over.
func (p *patience) err() error {
	if p.limited == nil {
		return CallError(p.ctx)
	}
	return CallError(p.limited)
}

// end gives back what the waits have taken. An error of the limit stays.
func (p *patience) end() {
	if p.cancel != nil {
		p.cancel()
	}
}
