package eventbus

import (
	"slices"
	"sync/atomic"
)

// A Topic is an event type: the log that its own subscribers share, and the other receivers of its
// events.
type Topic struct {
	name      string
	log       *log
	pinned    bool        // it is never forgotten
	forgotten atomic.Bool // it is no longer in Bus.topics
	// others is replaced when a pattern or a queue is added or removed; nil if there are none.
	others atomic.Pointer[receivers]
}

// receivers are the receivers of a topic's events besides its own log.
type receivers struct {
	logs   []*log // of the patterns that match
	queued []*Subscription
}

// Wanted reports whether anybody would get an event of this topic.
func (t *Topic) Wanted() bool {
	return t.log.subscribers.Load() > 0 || t.others.Load() != nil
}

// isSubscribed reports whether anybody has subscribed to just this type. Subscriptions to patterns are
// found again when the topic is made anew.
func (t *Topic) isSubscribed() bool {
	o := t.others.Load()
	return t.log.subscribers.Load() > 0 ||
		o != nil && slices.ContainsFunc(o.queued, func(s *Subscription) bool { return s.exact })
}

// addReceiver adds the log of a pattern, or a subscription with a queue if l is nil. The caller holds
// Bus.mu.
func (t *Topic) addReceiver(l *log, s *Subscription) {
	next := &receivers{}
	if now := t.others.Load(); now != nil {
		*next = *now
	}
	// Appending does not change what publishers see of the old lists.
	if l != nil {
		next.logs = append(next.logs, l)
	} else {
		next.queued = append(next.queued, s)
	}
	t.others.Store(next)
}

// removeReceiver removes a receiver. The caller holds Bus.mu.
func (t *Topic) removeReceiver(l *log, s *Subscription) {
	now := t.others.Load()
	next := &receivers{
		logs:   slices.DeleteFunc(slices.Clone(now.logs), func(x *log) bool { return x == l }),
		queued: slices.DeleteFunc(slices.Clone(now.queued), func(x *Subscription) bool { return x == s }),
	}
	if len(next.logs)+len(next.queued) == 0 {
		next = nil
	}
	t.others.Store(next)
}

// topic returns the topic of an event type. It makes the topic when the type is first seen.
func (b *Bus) topic(name string) *Topic {
	if t := b.recent.get(name); t != nil {
		return t
	}
	t := b.topics.Get(name)
	if t == nil {
		b.mu.Lock()
		t = b.topicLocked(name)
		b.mu.Unlock()
	}
	b.recent.put(name, t)
	return t
}

// topicLocked is topic for a caller that holds the lock, so that the topic is not forgotten meanwhile.
func (b *Bus) topicLocked(name string) *Topic {
	if t := b.topics.Get(name); t != nil {
		return t
	}
	if len(b.names) >= b.sweepAt {
		b.sweep()
	}
	t := &Topic{name: name, log: newLog(b.config.Queue)}
	for pattern, p := range b.patterns {
		if !Matches(pattern, name) {
			continue
		}
		if p.readers > 0 {
			t.addReceiver(p.log, nil)
		}
		for _, s := range p.queued {
			t.addReceiver(nil, s)
		}
	}
	b.names = append(b.names, t)
	b.topics.Add(name, t)
	return t
}

// minSweep is the smallest number of topics from which unused ones are forgotten.
const minSweep = 8192

// sweep forgets the topics that nobody has subscribed to, so that publishers that use a new type for
// each event do not fill the memory.
func (b *Bus) sweep() {
	b.names = slices.DeleteFunc(b.names, func(t *Topic) bool {
		if t.pinned || t.isSubscribed() {
			return false
		}
		b.topics.Remove(t.name, t)
		t.forgotten.Store(true)
		return true
	})
	b.recent.clear()
	b.sweepAt = max(minSweep, 2*len(b.names))
}
