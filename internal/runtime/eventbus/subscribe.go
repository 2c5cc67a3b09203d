package eventbus

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"mabeam-top/internal/runtime/internal/failure"
)

// A patternLog is the log that all blocking subscribers of one pattern share.
type patternLog struct {
	log     *log
	readers int
	queued  []*Subscription
}

// SubscribeOptions configure a subscription. The zero value uses the policy and the queue length of the
// bus.
type SubscribeOptions struct {
	// Name is the subscriber's name in an Inspector; empty lets the Inspector number it.
	Name string
	// Policy is the policy for a full queue; nil means that of the bus.
	Policy *Policy
	// Queue is the length of the queue; 0 means that of the bus. A blocking subscription
	// shares its queue, so it cannot have another length.
	Queue int
}

// Subscribe calls handler for every event of the type that is published from now on, one at a time. A
// panic in the handler ends the subscription. ErrBadPattern means that the type is empty or too long,
// and ErrSystemStopped that the system is stopping. An unknown policy, or a queue length that a
// blocking subscription cannot have, is an error too.
func (b *Bus) Subscribe(eventType string, handler func(context.Context, Event), o SubscribeOptions) (*Subscription, error) {
	return b.subscribe(&Subscription{pattern: eventType, exact: true}, b.handler(handler), o)
}

// SubscribePattern is Subscribe for every event whose type matches a pattern. In a pattern, a star
// matches any sequence of characters, even an empty one, and a dot directly before a star matches only
// at the end of a word: "demo.*" matches "demo", "demo.x" and "demo_x", but not "demolition".
// ErrBadPattern means that the pattern is empty or longer than 256 bytes.
func (b *Bus) SubscribePattern(pattern string, handler func(context.Context, Event), o SubscribeOptions) (*Subscription, error) {
	return b.subscribe(&Subscription{pattern: pattern}, b.handler(handler), o)
}

func (b *Bus) subscribe(s *Subscription, to Subscriber, o SubscribeOptions) (*Subscription, error) {
	if err := b.prepare(s, to, o); err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", s.pattern, err)
	}
	b.subscriptions.Add(1)
	if s.exact {
		b.joinTopic(s)
	} else {
		b.joinPattern(s)
	}
	if b.stopped.Load() { // Stop may have listed the subscriptions before
		s.End(nil)
		return nil, fmt.Errorf("subscribe to %q: %w", s.pattern, failure.ErrSystemStopped)
	}
	return s, nil
}

// prepare checks the options of a subscription and fills it in.
func (b *Bus) prepare(s *Subscription, to Subscriber, o SubscribeOptions) error {
	switch err := CheckPattern(s.pattern); {
	case err != nil:
		return err
	case b.stopped.Load():
		return failure.ErrSystemStopped
	case to == nil:
		return errNoHandler
	case o.Policy != nil && !o.Policy.Known():
		return fmt.Errorf("there is no policy %d", int(*o.Policy))
	}
	s.bus, s.to, s.parkedAt = b, to, -1
	if o.Name != "" {
		name := o.Name // a copy, so that no subscription without a name allocates the options
		s.name = &name
	}
	policy := b.config.Policy
	if o.Policy != nil {
		policy = *o.Policy
	}
	switch length := cmp.Or(o.Queue, b.config.Queue); {
	case length <= 0:
		return fmt.Errorf("a queue of %d events", length)
	case policy != Block:
		s.queue = newQueue(policy, length)
	case length != b.config.Queue:
		return fmt.Errorf("a blocking subscription shares the bus's queue of %d events, and cannot have one of %d", b.config.Queue, length)
	}
	return nil
}

func (b *Bus) joinTopic(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topicLocked(s.pattern)
	if s.queue == nil {
		s.log = t.log
		t.log.join(s)
		return
	}
	t.addReceiver(nil, s)
}

func (b *Bus) joinPattern(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.patterns[s.pattern]
	if p == nil {
		p = &patternLog{log: newLog(b.config.Queue)}
		b.patterns[s.pattern] = p
	}
	if s.queue == nil {
		s.log = p.log
		p.log.join(s)
		p.readers++
		if p.readers > 1 {
			return // its topics have the log already
		}
	} else {
		p.queued = append(p.queued, s)
	}
	for _, t := range b.names {
		if Matches(s.pattern, t.name) {
			t.addReceiver(s.log, s)
		}
	}
}

// remove removes a subscription from the bus.
func (b *Bus) remove(s *Subscription) {
	b.subscriptions.Add(-1)
	if s.log != nil {
		s.log.leave(s)
	}
	if s.exact {
		if s.queue != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.topics.Get(s.pattern).removeReceiver(nil, s)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.patterns[s.pattern]
	var gone *log
	if s.queue == nil {
		p.readers--
		if p.readers > 0 {
			return
		}
		gone = p.log
	} else {
		p.queued = slices.DeleteFunc(p.queued, func(q *Subscription) bool { return q == s })
	}
	if p.readers == 0 && len(p.queued) == 0 {
		delete(b.patterns, s.pattern)
	}
	for _, t := range b.names {
		if Matches(s.pattern, t.name) {
			t.removeReceiver(gone, s)
		}
	}
}
