package mabeam

import "context"

// propagated returns the context values that Options.Propagate picks, to be kept with what
// is sent; nil if it picks none.
func (o *Options) propagated(ctx context.Context) context.Context {
	if o.Propagate == nil || ctx == nil {
		return nil
	}
	values := o.Propagate(ctx)
	if values != nil && values.Done() != nil {
		values = context.WithoutCancel(values) // else contexts derived from the receiver's would be tied to it
	}
	return values
}

// An envelope holds the parameters of an action that nobody waits for, or the data of an
// event, together with context values of the sender. It replaces the content on its way, so
// that what is sent without values takes no more space.
type envelope struct {
	content any
	values  context.Context
}

// wrapped returns the content in an envelope with the values picked from ctx, or the content
// itself if there are none.
func (o *Options) wrapped(ctx context.Context, content any) any {
	if values := o.propagated(ctx); values != nil {
		return &envelope{content, values}
	}
	return content
}

// wrapAll wraps the data of events that are published together.
func (o *Options) wrapAll(ctx context.Context, events []Event) {
	values := o.propagated(ctx)
	if values == nil {
		return
	}
	for i := range events {
		events[i].Data = &envelope{events[i].Data, values}
	}
}

// unwrapped returns the event as it was published, and ctx with the values that came with it.
func (e *Event) unwrapped(ctx context.Context) (context.Context, *Event) {
	p, ok := e.Data.(*envelope)
	if !ok {
		return ctx, e
	}
	event := *e // that of the bus is shared
	event.Data = p.content
	return withValues(ctx, p.values), &event
}

// unwrapping returns a handler that calls another one with the events as they were published,
// and with the values that came with them.
func (b *Bus) unwrapping(handler func(context.Context, Event)) func(context.Context, Event) {
	if !b.propagates || handler == nil {
		return handler
	}
	return func(ctx context.Context, e Event) {
		ctx, unwrapped := e.unwrapped(ctx)
		handler(ctx, *unwrapped)
	}
}

// withValues returns a context that ends with own, and has the values of both contexts; those
// of own come first. values may be nil.
func withValues(own, values context.Context) context.Context {
	if values == nil {
		return own
	}
	return valuesContext{own, values}
}

// A valuesContext is the context of a callback, with values of the sender.
type valuesContext struct {
	context.Context
	values context.Context // never ends
}

// Value implements context.Context.
func (c valuesContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	switch key {
	case callbackKey{}, messageKey{}:
		return nil // they belong to this callback, not to the sender
	}
	return c.values.Value(key)
}
