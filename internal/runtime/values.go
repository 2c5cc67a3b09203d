package mabeam

import "context"

// propagated returns what Options.Propagate picks of a context, to be kept with what is
// sent; nil for nothing.
func (o *Options) propagated(ctx context.Context) context.Context {
	if o.Propagate == nil || ctx == nil {
		return nil
	}
	values := o.Propagate(ctx)
	if values != nil && values.Done() != nil {
		values = context.WithoutCancel(values) // else contexts made of the receiver's would be tied to it
	}
	return values
}

// A parcel is the parameters of an action that is told, or the data of an event, with the
// values of who sent it. It takes the place of these on the way, so that what has no values
// is no larger for it.
type parcel struct {
	content any
	values  context.Context
}

// packed returns a parcel with the values that are picked of a context; the content as it is
// if there are none.
func (o *Options) packed(ctx context.Context, content any) any {
	if values := o.propagated(ctx); values != nil {
		return &parcel{content, values}
	}
	return content
}

// packAll packs the data of events that are published together.
func (o *Options) packAll(ctx context.Context, events []Event) {
	values := o.propagated(ctx)
	if values == nil {
		return
	}
	for i := range events {
		events[i].Data = &parcel{events[i].Data, values}
	}
}

// unpacked returns the event as it was published, and a context with the values that came
// with it.
func (e *Event) unpacked(ctx context.Context) (context.Context, *Event) {
	p, ok := e.Data.(*parcel)
	if !ok {
		return ctx, e
	}
	event := *e // that of the bus is shared
	event.Data = p.content
	return withValues(ctx, p.values), &event
}

// unpacking returns a handler that gets events as they were published, with the values that
// came with them.
func (b *Bus) unpacking(handler func(context.Context, Event)) func(context.Context, Event) {
	if !b.propagates || handler == nil {
		return handler
	}
	return func(ctx context.Context, e Event) {
		ctx, unpacked := e.unpacked(ctx)
		handler(ctx, *unpacked)
	}
}

// withValues returns a context that ends with own, and has its values, and those of another
// one besides; nil is none.
func withValues(own, values context.Context) context.Context {
	if values == nil {
		return own
	}
	return valuesContext{own, values}
}

// A valuesContext is the context of a callback with the values of who sent what it handles.
type valuesContext struct {
	context.Context
	values context.Context // which does not end
}

// Value implements context.Context.
func (c valuesContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	switch key {
	case callbackKey{}, messageKey{}:
		return nil // whose callback it is, and for which message, is not the sender's
	}
	return c.values.Value(key)
}
