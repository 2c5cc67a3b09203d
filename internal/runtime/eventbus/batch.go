package eventbus

import (
	"context"
	"fmt"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
	"mabeam-top/internal/runtime/internal/propagate"
)

// MaxRun is how many events of a batch go to one log before the next log gets them. A larger number
// would hardly be cheaper, and would make other subscribers wait.
const MaxRun = 32

// PublishAll publishes a batch of events in order, like Publish for one after the other. It costs less
// if consecutive events have the same type and there is no rate. Events of other publishers may come in
// between.
//
// A blocking subscriber without room gets its events after all others have theirs. PublishAll waits for
// it as long as Publish would, for each of its events, while it moves on. A stuck subscriber delays a
// batch no longer than a single event, and misses the rest. When ctx ends, the rest is published without
// waiting for anybody. But if there is a rate, each event has to wait for its turn: when ctx ends during
// that wait, the remaining events are not published.
//
// The error, if any, is a *PublishAllError. If the type of any event is an ErrBadPattern, or ctx has
// ended before the call, no event is published.
func (b *Bus) PublishAll(ctx context.Context, events []Event) error {
	return b.publishAll(&publication{ctx: ctx, bus: b}, "", events)
}

// A PublishAllError reports what became of a batch of events that did not reach all subscribers.
type PublishAllError struct {
	// Published is how many events were published, from the first on, and Of is the length of
	// the batch.
	Published, Of int
	// Missed is how many deliveries of the published events failed because a subscriber had
	// no room.
	Missed int
	// Err is the error of Publish for the first event that was not published. If all were
	// published, it is ErrTimeout or context.Canceled.
	Err error
}

func (e *PublishAllError) Error() string {
	return fmt.Sprintf("publish %d events: %d published, %d deliveries missed: %v", e.Of, e.Published, e.Missed, e.Err)
}

func (e *PublishAllError) Unwrap() error { return e.Err }

// publishAll is PublishAll for a publication. A source that is not empty replaces the source of each
// event.
func (b *Bus) publishAll(p *publication, source string, events []Event) error {
	done := PublishAllError{Of: len(events), Err: b.checkAll(p.ctx, events)}
	p.others = true // later events would have to wait too
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
		b.countDropped(uint64(done.Missed))
	}
	if done.Err == nil {
		done.Err = p.why
	}
	if done.Err == nil {
		return nil
	}
	failed := done // a copy, so that a batch without an error allocates nothing
	return &failed
}

// checkAll returns why no event of a batch can be published.
func (b *Bus) checkAll(ctx context.Context, events []Event) error {
	if ctx.Err() != nil {
		return failure.ContextError(ctx)
	}
	for i := range events {
		if err := CheckPattern(events[i].Type); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// admitRun returns the first events of a batch that are published together: those of one type. If there
// is a rate, it waits for the turn of the first event and returns only that.
func (b *Bus) admitRun(ctx context.Context, events []Event) ([]Event, error) {
	switch {
	case b.stopped.Load():
		return nil, failure.ErrSystemStopped
	case b.rate != nil:
		return events[:1], b.rate.WaitAtMost(ctx, b.config.WaitTimeout)
	}
	n := 1
	for n < min(len(events), MaxRun) && events[n].Type == events[0].Type {
		n++
	}
	return events[:n], nil
}

// publishRun publishes up to MaxRun events of one type.
func (b *Bus) publishRun(p *publication, source string, events []Event) {
	t := b.topic(events[0].Type)
	var copies [MaxRun]Event // because the caller's events must not change
	run := copies[:copy(copies[:], events)]
	b.recordAll(source, run)
	if values := b.config.Propagate.Pick(p.ctx); values != nil {
		for i := range run {
			run[i].Data = &propagate.Envelope{Content: run[i].Data, Values: values}
		}
	}
	for len(run) > 0 {
		n := min(t.fits(), len(run))
		b.appendRun(p, t, run[:n])
		run = run[n:]
	}
}

// appendRun appends events to all logs and queues of their topic.
func (b *Bus) appendRun(p *publication, t *Topic, run []Event) {
	if t.log.subscribers.Load() > 0 {
		t.log.appendRun(p, run)
	}
	if o := t.others.Load(); o != nil {
		for _, s := range o.queued {
			for i := range run {
				s.enqueue(&run[i])
			}
		}
		for _, l := range o.logs {
			l.appendRun(p, run)
		}
	}
}

// fits returns how many events, at least one, can be appended before the room is checked again: as many
// as all logs have room for, so that a wait for one subscriber holds up only one event.
func (t *Topic) fits() int {
	n := t.log.fits()
	if o := t.others.Load(); o != nil {
		for _, l := range o.logs {
			n = min(n, l.fits())
		}
	}
	return max(n, 1)
}

// recordAll is record for several events. A source that is not empty replaces that of each event.
func (b *Bus) recordAll(source string, run []Event) {
	number := b.sequence.Add(uint64(len(run))) - uint64(len(run))
	now := time.Now()
	for i := range run {
		e := &run[i]
		if source != "" {
			e.Source = source
		}
		if e.Timestamp.IsZero() {
			e.Timestamp = now
		}
		number++
		b.record(number, e)
	}
}

// fits returns how many events can be appended without makeRoom; MaxRun if there are no readers.
func (l *log) fits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.readers) == 0 && len(l.detached) == 0 {
		return MaxRun
	}
	return l.fitsLocked()
}

// fitsLocked is fits for a caller that holds the lock and has found readers. It returns 0 if there are
// detached readers, whose queues have to be checked one by one.
func (l *log) fitsLocked() int {
	if used := l.head.Load() - l.low; len(l.detached) == 0 && used < l.full {
		return int(l.full - used)
	}
	return 0
}

// appendRun is append for several events. It takes the lock once for all events that have room.
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

// appendFitting appends the first events, as many as fitsLocked allows, and returns how many.
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
