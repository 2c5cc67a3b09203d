package mabeam

import (
	"context"
	"slices"

	"mabeam-top/internal/runtime/eventbus"
	"mabeam-top/internal/runtime/internal/failure"
)

// Publish sends an event with the agent as its source, like Bus.Publish from one of the agent's
// callbacks.
func (a *Agent) Publish(ctx context.Context, eventType string, data any) error {
	return a.system.bus.PublishFrom(ctx, &Event{Type: eventType, Source: a.ID(), Data: data})
}

// PublishAll publishes a batch of events with the agent as their source, like Bus.PublishAll from one of
// the agent's callbacks.
func (a *Agent) PublishAll(ctx context.Context, events []Event) error {
	return a.system.bus.PublishAllFrom(ctx, a.ID(), events)
}

// Subscribe makes HandleEvent get the events of a type. The errors are those of Bus.Subscribe.
func (a *Agent) Subscribe(eventType string) (*Subscription, error) {
	return a.addSubscription(a.system.bus.Subscribe(eventType, (*subscriber)(a)))
}

// SubscribePattern makes HandleEvent get the events that match a pattern. The errors are those
// of Bus.SubscribePattern.
func (a *Agent) SubscribePattern(pattern string) (*Subscription, error) {
	return a.addSubscription(a.system.bus.SubscribePattern(pattern, (*subscriber)(a)))
}

func (a *Agent) addSubscription(s *Subscription, err error) (*Subscription, error) {
	if err != nil {
		return nil, err
	}
	a.mailbox.mu.Lock()
	a.subs = append(a.subs, s)
	ended := a.isOver()
	a.mailbox.mu.Unlock()
	if ended { // killed meanwhile: nobody else would end the subscription
		s.End(nil)
	}
	return s, nil
}

// A subscriber is an agent as the event bus sees it.
type subscriber Agent

// ID implements eventbus.Subscriber.
func (r *subscriber) ID() string { return (*Agent)(r).ID() }

// Wake implements eventbus.Subscriber.
func (r *subscriber) Wake(s *eventbus.Subscription) { (*Agent)(r).push(s) }

// Ended implements eventbus.Subscriber. It removes the subscription from the agent's list.
func (r *subscriber) Ended(s *eventbus.Subscription) {
	a := (*Agent)(r)
	if a.isOver() {
		return
	}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if i := slices.Index(a.subs, s); i >= 0 {
		// A copy, because whoever drains or ends all of them holds the old list.
		a.subs = slices.Concat(a.subs[:i], a.subs[i+1:])
	}
}

// drain handles the events that wait for a subscription, up to a batch of them. It reports whether there
// are more. A callback that panics, or calls runtime.Goexit, ends the agent.
func (a *Agent) drain(s *Subscription, f *typeFigures) (more bool) {
	var events eventbus.Reader
	if !events.Open(s) {
		return false
	}
	finished := false
	// One recover for the whole batch costs less than one for each event.
	defer func() {
		if !finished {
			err := failure.NewPanicError(recover())
			events.Advance()
			a.crash(err)
		}
		more = events.Close()
	}()
	for a.mayGoOn() {
		if a.mailbox.signalled.Load() {
			a.handleSignals()
			continue // one of them may have ended the agent
		}
		e := events.Next()
		if e == nil {
			break
		}
		a.handleEvent(e, f)
	}
	finished = true
	return more
}

// handleEvent calls the behaviour with an event.
func (a *Agent) handleEvent(e *Event, f *typeFigures) {
	ctx := a.callback()
	if a.system.propagate != nil {
		ctx, e = e.Unwrap(ctx)
	}
	if f == nil {
		a.behaviour.HandleEvent(ctx, a, *e)
		return
	}
	_ = f.work(func() error { a.behaviour.HandleEvent(ctx, a, *e); return nil })
}

// drainSubscriptions handles the events that were published before the agent was asked to stop, because
// they are accepted work too.
func (a *Agent) drainSubscriptions() {
	a.mailbox.mu.Lock()
	subs := a.subs
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		for left := s.Waiting(); left > 0 && a.drain(s, a.figures()); {
			left -= eventbus.ReaderBatch
		}
	}
}
