package mabeam

import (
	"context"
	"sync/atomic"
	"time"
)

// A lifeCancel is the cancelable context behind a lifeContext, made when somebody first asks
// for its end.
type lifeCancel struct {
	context.Context
	cancel context.CancelCauseFunc
}

// Context returns the context of this life of the agent. It ends when the agent is killed or
// crashes, when it has stopped and its Terminate has returned, and when the system is forced
// down. If Done was called before the end, context.Cause returns the reason for it, otherwise
// context.Canceled.
//
// Use it in goroutines that a callback starts: the runtime does not take a call made with it
// for a call that the agent itself waits for.
func (a *Agent) Context() context.Context { return (*lifeContext)(a) }

// A lifeContext is an agent as the context of its life. It allocates nothing until somebody
// asks for the end.
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
		made = l.made() // has the cause of the end
	}
	if made == nil {
		return nil
	}
	return made.Value(key) // package context finds the parent, and the cause, this way
}

// made returns the cancelable context, which it makes if there is none.
func (l *lifeContext) made() *lifeCancel {
	if made := l.life.Load(); made != nil {
		return made
	}
	a := (*Agent)(l)
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if made := a.life.Load(); made != nil {
		return made
	}
	made := &lifeCancel{}
	made.Context, made.cancel = context.WithCancelCause(a.system.ctx)
	if a.isOver() {
		made.cancel(a.errLocked())
	}
	a.life.Store(made)
	return made
}

// endLife cancels the context of a life that is over.
func (a *Agent) endLife(reason error) {
	if made := a.life.Load(); made != nil {
		made.cancel(reason)
	}
}

// A callbackContext is the context of a callback that nobody waits for: the context of the
// agent's life, which also knows the agent.
type callbackContext struct{ *lifeContext }

// Value implements context.Context.
func (c callbackContext) Value(key any) any {
	if key == (callbackKey{}) {
		return (*Agent)(c.lifeContext)
	}
	return c.lifeContext.Value(key)
}

type callbackKey struct{}

// Local implements propagate.LocalKey.
func (callbackKey) Local() {}

// callbackOf returns the agent whose callback got ctx, or a context that ctx is derived from;
// nil if there is none.
func callbackOf(ctx context.Context) *Agent {
	if ctx == context.Background() {
		return nil
	}
	a, _ := ctx.Value(callbackKey{}).(*Agent)
	return a
}

// callback returns the context of a callback that nobody waits for.
func (a *Agent) callback() context.Context { return callbackContext{(*lifeContext)(a)} }

// callbackFor returns the context of a callback for a caller that waits with ctx. It has the
// values of ctx, and ends with it, with the agent's life, and by endCallback.
func (a *Agent) callbackFor(ctx context.Context) context.Context {
	if ctx == context.Background() {
		return a.callback()
	}
	return &callContext{Context: ctx, agent: a}
}

// endCallback ends the context of a callback that has returned, if somebody waited for it, and
// detaches it from the caller's context and the agent's life.
func endCallback(ctx context.Context) {
	if c, ok := ctx.(*callContext); ok {
		c.end()
	}
}

// A callContext is the context of a callback that somebody waits for. Its callCancel is made
// when somebody first asks for its end.
type callContext struct {
	context.Context // the caller's
	agent           *Agent
	made            atomic.Pointer[callCancel]
}

// A callCancel is a context that ends with the caller's context and with the agent's life.
type callCancel struct {
	context.Context
	cancel context.CancelFunc
	forget func() bool // stops waiting for the end of the agent's life
}

// canceledCall is used by every context whose callback returned before somebody asked for its
// end.
var canceledCall = func() *callCancel {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &callCancel{ctx, cancel, func() bool { return false }}
}()

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	if made := c.made.Load(); made != nil {
		return made.Done()
	}
	made := &callCancel{}
	made.Context, made.cancel = context.WithCancel(c.Context)
	made.forget = context.AfterFunc((*lifeContext)(c.agent).made(), made.cancel)
	if !c.made.CompareAndSwap(nil, made) { // another goroutine was faster, or the callback has returned
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
	if made := c.made.Load(); made != nil && made != canceledCall {
		return made.Value(key) // package context finds the parent this way
	}
	return c.Context.Value(key)
}

// end cancels the context and releases what it holds of the others.
func (c *callContext) end() {
	if !c.made.CompareAndSwap(nil, canceledCall) {
		c.made.Load().end()
	}
}

func (l *callCancel) end() {
	l.forget()
	l.cancel()
}
