package mabeam

import (
	"context"
	"fmt"
	"time"
)

// maxRun is how many events of a batch are given to one log before the next has them too.
// More would hardly be cheaper, and make other subscribers wait.
const maxRun = 32

// PublishAll publishes a batch of events in their order, as Publish would one after the
// other. It costs less where events of one type follow each other and there is no rate.
// Events that others publish at the same time may come in between.
//
// A subscriber that blocks and has no room gets its events after all others have theirs. It is
// waited for then, as long as Publish would wait with each of its events, as long as it moves
// on: one that is stuck costs a batch no more time than an event, and misses the rest. When ctx
// ends, the rest is published without waiting for anybody. But if there is a rate, each event
// has to wait for its turn: when ctx ends before that, it and all behind it are not published.
//
// The error, if any, is a *PublishAllError. ErrBadPattern, for the type of any event, means
// that none was published; so does an end of ctx before the call.
func (b *Bus) PublishAll(ctx context.Context, events []Event) error {
	return b.publishAllFor(&publication{ctx: ctx, waitTimeout: b.waitTimeout}, "", events)
}

// PublishAll publishes a batch of events with the agent as their source, as Bus.PublishAll
// does from one of its callbacks.
func (a *Agent) PublishAll(ctx context.Context, events []Event) error {
	b := a.system.bus
	return b.publishAllFor(b.ofAgent(ctx), a.ID(), events)
}

// A PublishAllError says what became of a batch of events that did not reach all.
type PublishAllError struct {
	// Published is how many events were published, from the first on, and Of is how many
	// there were to publish.
	Published, Of int
	// Missed is how many deliveries of those that were published failed because a
	// subscriber had no room.
	Missed int
	// Err is why: as that of Publish for the first event that was not published, or, if all
	// were, ErrTimeout or context.Canceled.
	Err error
}

func (e *PublishAllError) Error() string {
	return fmt.Sprintf("publish %d events: %d published, %d deliveries missed: %v", e.Of, e.Published, e.Missed, e.Err)
}

func (e *PublishAllError) Unwrap() error { return e.Err }

// publishAllFor is PublishAll for a publication. A source that is not empty replaces that of
// each event.
func (b *Bus) publishAllFor(p *publication, source string, events []Event) error {
	done := PublishAllError{Of: len(events), Err: b.checkAll(p.ctx, events)}
	p.others = true // the events to come, which would wait too
	for done.Err == nil && done.Published < len(events) {
		var run []Event
		if run, done.Err = b.admitRun(p.ctx, events[done.Published:]); done.Err == nil {
			b.publishRun(p, source, run)
			done.Published += len(run)
		}
	}
	p.resetWait()
	p.appendDeferred()
	p.release()
	if done.Missed = p.missed; done.Missed > 0 {
		b.drop(uint64(done.Missed))
	}
	if done.Err == nil {
		done.Err = p.why
	}
	if done.Err == nil {
		return nil
	}
	failed := done // a copy, so that no batch without an error allocates one
	return &failed
}

// checkAll says why none of a batch can be published.
func (b *Bus) checkAll(ctx context.Context, events []Event) error {
	if ctx.Err() != nil {
		return CallError(ctx)
	}
	for i := range events {
		if err := checkPattern(events[i].Type); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// admitRun returns the events at the front of a batch that are published together: those of
// one type, or, if there is a rate, the first, for whose turn it waits.
func (b *Bus) admitRun(ctx context.Context, events []Event) ([]Event, error) {
	switch {
	case b.stopped.Load():
		return nil, ErrSystemStopped
	case b.rate != nil:
		return events[:1], awaitTurn(ctx, b.rate, b.waitTimeout)
	}
	n := 1
	for n < min(len(events), maxRun) && events[n].Type == events[0].Type {
		n++
	}
	return events[:n], nil
}

// publishRun publishes events of one type, at most maxRun.
func (b *Bus) publishRun(p *publication, source string, events []Event) {
	t := b.topic(events[0].Type)
	var copies [maxRun]Event // since they are changed, and the caller's are not
	run := copies[:copy(copies[:], events)]
	b.stampRun(source, run)
	if b.propagates {
		b.options.wrapAll(p.ctx, run)
	}
	for len(run) > 0 {
		n := min(t.fits(), len(run))
		b.appendRun(p, t, run[:n])
		run = run[n:]
	}
}

// appendRun appends events to all logs and queues of their topic.
func (b *Bus) appendRun(p *publication, t *topic, run []Event) {
	if t.log.audience.Load() > 0 {
		t.log.appendRun(p, run)
	}
	if o := t.others.Load(); o != nil {
		for _, s := range o.queued {
			for i := range run {
				b.enqueue(s, &run[i])
			}
		}
		for _, l := range o.logs {
			l.appendRun(p, run)
		}
	}
}

// fits is how many events, at least one, are to be appended before the next are looked at:
// as many as no log has to wait for, so that what waits for one subscriber is one event.
func (t *topic) fits() int {
	n := t.log.fits()
	if o := t.others.Load(); o != nil {
		for _, l := range o.logs {
			n = min(n, l.fits())
		}
	}
	return max(n, 1)
}

// stampRun gives events what the bus gives each, and keeps them in its history.
func (b *Bus) stampRun(source string, run []Event) {
	number := b.sequence.Add(uint64(len(run))) - uint64(len(run))
	now := time.Now()
	for i := range run {
		e := &run[i]
		number++
		e.ID = b.ids.of(number)
		if source != "" {
			e.Source = source
		}
		if e.Timestamp.IsZero() {
			e.Timestamp = now
		}
		if b.history != nil {
			b.history.put(number, e)
		}
	}
}

// fits is how many events can be appended without a closer look; maxRun if nobody reads.
func (l *log) fits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.readers) == 0 && len(l.detached) == 0 {
		return maxRun
	}
	return l.fitsLocked()
}

// fitsLocked is fits for one who holds the lock, when somebody reads. Detached
// readers have room of their own, which takes a closer look.
func (l *log) fitsLocked() int {
	if used := l.head.Load() - l.low; len(l.detached) == 0 && used < l.full {
		return int(l.full - used)
	}
	return 0
}

// appendRun is append for several events, with the lock taken once for all that have room.
func (l *log) appendRun(p *publication, events []Event) {
	for len(events) > 0 {
		n := l.appendFitting(events)
		if n == 0 {
			l.append(p, &events[0])
			n = 1
		}
		events = events[n:]
	}
}

// appendFitting adds the events at the front for which there is room without a closer look,
// and returns how many.
func (l *log) appendFitting(events []Event) int {
	l.mu.Lock()
	n := min(len(events), l.fitsLocked())
	if n == 0 || len(l.readers) == 0 {
		l.mu.Unlock()
		return 0
	}
	ring, head := *l.ring.Load(), l.head.Load()
	for i := range uint64(n) {
		ring[(head+i)&uint64(len(ring)-1)] = events[i]
	}
	l.head.Store(head + uint64(n))
	l.wakeParked()
	return n
}
