package eventbus

import (
	"context"

	"mabeam-top/internal/runtime/guard"
)

// A Control is a bus as its system uses it. Users of the bus have no need of these methods.
type Control Bus

// Control returns the bus as its system uses it.
func (b *Bus) Control() *Control { return (*Control)(b) }

// Stats are the counters of a bus. Dropped counts deliveries, like Delivered.
type Stats struct{ Published, Delivered, Dropped, Subscriptions int64 }

// Stats reads the counters.
func (c *Control) Stats() Stats {
	return Stats{int64(c.sequence.Load()), c.delivered.Load(), c.dropped.Load(), c.subscriptions.Load()}
}

// SetRate sets the rate of publishing; nil means none.
func (c *Control) SetRate(rate *guard.Bucket) { c.rate = rate }

// Pin returns the topic of an event type, which is then never forgotten.
func (c *Control) Pin(eventType string) *Topic {
	b := (*Bus)(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topicLocked(eventType)
	t.pinned = true
	return t
}

// Wanted returns the topic of an event type if an event of it would be kept in the history or
// delivered; otherwise nil.
func (c *Control) Wanted(eventType string) *Topic {
	if t := (*Bus)(c).topic(eventType); c.history != nil || t.Wanted() {
		return t
	}
	return nil
}

// Announce publishes an event of a topic without a rate, and never waits: a subscriber without room
// loses its oldest event instead.
func (c *Control) Announce(t *Topic, source string, data any) {
	p := &publication{ctx: c.config.Context, bus: (*Bus)(c), neverWaits: true}
	_ = p.bus.publish(p, t, &Event{Type: t.name, Source: source, Data: data})
}

// PublishFrom publishes an event of an agent: the wait for room is always limited by WaitTimeout.
func (c *Control) PublishFrom(ctx context.Context, e *Event) error {
	b := (*Bus)(c)
	return b.publishFor(&publication{ctx: ctx, bus: b, fromAgent: true}, e)
}

// PublishAllFrom publishes a batch of events of the agent source, like PublishFrom.
func (c *Control) PublishAllFrom(ctx context.Context, source string, events []Event) error {
	b := (*Bus)(c)
	return b.publishAll(&publication{ctx: ctx, bus: b, fromAgent: true}, source, events)
}

// Subscribe subscribes a subscriber to an event type.
func (c *Control) Subscribe(eventType string, to Subscriber) (*Subscription, error) {
	return (*Bus)(c).subscribe(&Subscription{pattern: eventType, exact: true}, to, SubscribeOptions{})
}

// SubscribePattern subscribes a subscriber to a pattern.
func (c *Control) SubscribePattern(pattern string, to Subscriber) (*Subscription, error) {
	return (*Bus)(c).subscribe(&Subscription{pattern: pattern}, to, SubscribeOptions{})
}

// Topics returns how many topics the bus has.
func (c *Control) Topics() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.names)
}

// Detached reports whether a subscription is detached: it was a whole queue behind while others waited,
// and has not caught up yet.
func (c *Control) Detached(s *Subscription) bool { return s.detached.Load() != nil }

// Subscriptions lists the subscriptions. One with a queue of its own is listed once for each topic that
// its pattern matches, and once more.
func (c *Control) Subscriptions() []*Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (*Bus)(c).membersLocked()
}

// Crash discards what a crash of the bus loses: the history, and the events that subscribers have not
// begun to handle, which count as dropped. The subscriptions stay, and publishers that wait for room
// continue.
func (c *Control) Crash() {
	b := (*Bus)(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.history != nil {
		b.history.lose(b.sequence.Load())
	}
	for _, t := range b.names {
		t.log.lose()
	}
	for _, p := range b.patterns {
		p.log.lose()
	}
	for _, s := range b.membersLocked() {
		if s.queue != nil {
			s.countDropped(s.queue.lose())
		}
	}
}

// membersLocked is Control.Subscriptions for a caller that holds the lock.
func (b *Bus) membersLocked() []*Subscription {
	var subs []*Subscription
	for _, t := range b.names {
		subs = append(subs, t.log.members()...)
		if o := t.others.Load(); o != nil {
			subs = append(subs, o.queued...)
		}
	}
	for _, p := range b.patterns {
		subs = append(subs, p.log.members()...)
		subs = append(subs, p.queued...)
	}
	return subs
}

// Stop lets the subscribers handle what was published, and then ends all subscriptions.
func (c *Control) Stop(ctx context.Context) error {
	c.stopped.Store(true)
	err := c.config.Scheduler.Wait(ctx)
	for _, s := range c.Subscriptions() {
		s.End(nil)
	}
	return err
}
