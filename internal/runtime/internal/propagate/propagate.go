// Package propagate carries context values with what is sent, from the sender to the receiver.
package propagate

import "context"

// A Picker picks the values of a context that are carried; see mabeam.Options.Propagate. A nil Picker
// picks nothing.
type Picker func(ctx context.Context) context.Context

// Pick returns the picked values, to be kept with what is sent; nil if there are none.
func (p Picker) Pick(ctx context.Context) context.Context {
	if p == nil || ctx == nil {
		return nil
	}
	values := p(ctx)
	if values != nil && values.Done() != nil {
		values = context.WithoutCancel(values) // or contexts of the receiver would be tied to it
	}
	return values
}

// An Envelope holds the parameters of an action that nobody waits for, or the data of an event,
// together with the sender's values. It takes the place of the content, so that what is sent without
// values needs no more space.
type Envelope struct {
	Content any
	Values  context.Context
}

// Wrap returns the content in an Envelope with the values picked from ctx, or the content itself if
// there are none.
func (p Picker) Wrap(ctx context.Context, content any) any {
	if values := p.Pick(ctx); values != nil {
		return &Envelope{content, values}
	}
	return content
}

// WithValues returns a context that ends with own and has the values of both contexts, first those of
// own. The values may be nil.
func WithValues(own, values context.Context) context.Context {
	if values == nil {
		return own
	}
	return carried{own, values}
}

// A carried context is the context of a callback together with values of the sender.
type carried struct {
	context.Context
	values context.Context // never ends
}

// A LocalKey is the key of a context value that belongs to one callback, and is never carried from a
// sender.
type LocalKey interface{ Local() }

// Value implements context.Context.
func (c carried) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	if _, local := key.(LocalKey); local {
		return nil
	}
	return c.values.Value(key)
}
