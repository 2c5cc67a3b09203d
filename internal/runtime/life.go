package mabeam

import (
	"context"
	"sync/atomic"
	"time"
)

// A life is the context of an agent's life, made when somebody asks for its end.
type life struct {
	context.Context
	cancel context.CancelCauseFunc
}

// Context is the context of this life of the agent. It ends as soon as the agent is
// killed or has crashed, or has stopped and its Terminate is done, and when the system
// is forced down. If its Done was called before the end, context.Cause returns the reason,
// and else context.Canceled. It is for what goes on beside the agent's callbacks, in
// goroutines that they have begun: a call that is made with it is not taken for one that
// the agent itself waits for.
func (a *Agent) Context() context.Context { return (*lifeContext)(a) }

// A lifeContext is an agent as the context of its life: nothing is made for a life
// whose end nobody waits for.
type lifeContext Agent

// Deadline implements context.Context: there is none.
func (l *lifeContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *lifeContext) Done() <-chan struct{} { return l.made().Done() }

// Err implements context.Context.
func (l *lifeContext) Err() error {
	switch made := l.life.Load(); {
	case made != nil:
		return made.Err()
	case (*Agent)(l).isOver() || l.system.ctx.Err() != nil:
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (l *lifeContext) Value(key any) any {
	made := l.life.Load()
	if made == nil && (*Agent)(l).isOver() {
		made = l.made() // it knows the cause of the end
	}
	if made == nil {
		return nil
	}
	return made.Value(key) // that is how contexts find out that one ends with another, and why
}

// made returns the context that ends with the life.
func (l *lifeContext) made() *life {
	if made := l.life.Load(); made != nil {
		return made
	}
	a := (*Agent)(l)
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if made := a.life.Load(); made != nil {
		return made
	}
	made := &life{}
	made.Context, made.cancel = context.WithCancelCause(a.system.ctx)
	if a.isOver() {
		made.cancel(a.errLocked())
	}
	a.life.Store(made)
	return made
}

// endLife ends the context of a life that is over.
func (a *Agent) endLife(reason error) {
	if made := a.life.Load(); made != nil {
		made.cancel(reason)
	}
}

// A callbackContext is the context of a callback that nobody waits for: that of the
// agent's life, which tells whose callback it is.
type callbackContext struct{ *lifeContext }

// Value implements context.Context.
func (c callbackContext) Value(key any) any {
	if key == (callbackKey{}) {
		return (*Agent)(c.lifeContext)
	}
	return c.lifeContext.Value(key)
}

type callbackKey struct{}

// callbackOf returns the agent whose callback was given a context, or one that was made
// of it; nil if it is none's.
func callbackOf(ctx context.Context) *Agent {
	if ctx == context.Background() {
		return nil
	}
	a, _ := ctx.Value(callbackKey{}).(*Agent)
	return a
}

// callback is the context of a callback that nobody waits for.
func (a *Agent) callback() context.Context { return callbackContext{(*lifeContext)(a)} }

// callbackFor is the context of a callback that somebody waits for, who has given
// ctx: it has its values, and ends with it, with the agent's life, and with endCallback.
func (a *Agent) callbackFor(ctx context.Context) context.Context {
	if ctx == context.Background() {
		return a.callback()
	}
	return &callContext{Context: ctx, agent: a}
}

// endCallback ends the context of a callback that is over, if somebody waited for it:
// nothing of it is left with the caller's context or the agent's life.
func endCallback(ctx context.Context) {
	if c, ok := ctx.(*callContext); ok {
		c.end()
	}
}

// A callContext is the context of a callback that somebody waits for. What it takes to
// end with two others is made when somebody asks for its end.
type callContext struct {
	context.Context // the caller's
	agent           *Agent
	made            atomic.Pointer[callLife]
}

// A callLife ends with the caller's context and the agent's life.
type callLife struct {
	context.Context
	cancel context.CancelFunc
	forget func() bool // the agent's life
}

// overLife is that of each context whose callback was over before somebody asked for its end.
var overLife = func() *callLife {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &callLife{ctx, cancel, func() bool { return false }}
}()

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	if made := c.made.Load(); made != nil {
		return made.Done()
	}
	made := &callLife{}
	made.Context, made.cancel = context.WithCancel(c.Context)
	made.forget = context.AfterFunc((*lifeContext)(c.agent).made(), made.cancel)
	if !c.made.CompareAndSwap(nil, made) { // another goroutine was faster, or the callback is over
		made.end()
	}
	return c.made.Load().Done()
}

// Err implements context.Context.
func (c *callContext) Err() error {
	if made := c.made.Load(); made != nil {
		return made.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	return (*lifeContext)(c.agent).Err()
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (callbackKey{}) {
		return c.agent
	}
	if made := c.made.Load(); made != nil && made != overLife {
		return made.Value(key) // that is how contexts find out that one ends with another
	}
	return c.Context.Value(key)
}

// end gives back what it takes to end with the others, and ends it.
func (c *callContext) end() {
	if !c.made.CompareAndSwap(nil, overLife) {
		c.made.Load().end()
	}
}

func (l *callLife) end() {
	l.forget()
	l.cancel()
}
