package mabeam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A call is an action that somebody waits for.
type call struct {
	system *System
	params any           // of the action
	answer chan struct{} // gets one value when result and err are set
	result any
	err    error
	// refs is how many of the two, caller and agent, still hold the call. The
	// last to let go puts it back.
	refs atomic.Int32
	// begun says that the agent has taken the call up, and turn is how long a
	// caller without a deadline waits for that; made when needed.
	begun atomic.Bool
	turn  *time.Timer
	// wait says that the asker waits for the answer; nil for who is no agent.
	wait *wait
	// deliver takes the answer instead, for a caller that does not wait.
	deliver func(result any, err error)

	// ctx is the caller's, and what follows is known of it: whether it has a deadline,
	// the agent whose callback it is, and the context that was made of it for the
	// callback of the agent that was called. They are kept for the next call, which
	// mostly is from and to the same.
	ctx           context.Context
	hasNoDeadline bool
	asker         *Agent
	callback      context.Context
	made          *callContext
}

// newCallPool returns a pool of a system's calls. Each system has its own, so
// that nothing of one system waits on a channel that another has made.
func newCallPool(s *System) *sync.Pool {
	return &sync.Pool{New: func() any { return &call{system: s, answer: make(chan struct{}, 1)} }}
}

// newCall returns a call.
func (s *System) newCall(ctx context.Context, params any) *call {
	c := s.calls.Get().(*call)
	c.params = params
	c.refs.Store(2)
	if !isSame(c.ctx, ctx) {
		_, has := ctx.Deadline()
		c.ctx, c.hasNoDeadline, c.asker, c.made = ctx, !has, callbackOf(ctx), nil
	}
	return c
}

// isSame says whether two contexts are one and the same. It does not compare what is in
// them, which may be what cannot be compared.
func isSame(x, y context.Context) bool {
	return *(*[2]uintptr)(unsafe.Pointer(&x)) == *(*[2]uintptr)(unsafe.Pointer(&y))
}

// begin notes that the agent takes the call up.
func (c *call) begin(a *Agent) {
	if c.hasNoDeadline {
		c.begun.Store(true)
	}
	switch made := c.made; {
	case c.ctx == context.Background():
		c.callback = a.callback()
	case made != nil && made.agent == a && made.made.Load() == nil:
		c.callback = made
	default:
		c.made = &callContext{Context: c.ctx, agent: a}
		c.callback = c.made
	}
}

// send puts the call into an agent's mailbox, on behalf of the agent whose callback asks, if
// one does. It notes who waits for whom. After an error the call is the caller's no longer.
func (c *call) send(a, asker *Agent, action string) (err error) {
	if asker == nil {
		asker = c.asker
	}
	if c.wait, err = asker.waitFor(a); err == nil {
		err = a.sendAwaited(action, c)
	}
	if err != nil {
		c.refused()
	}
	return err
}

// reply gives the answer to the caller. It says whether that one had left. The call is the
// agent's no longer.
func (c *call) reply(result any, err error) (late bool) {
	c.give(result, err)
	return c.letGo()
}

// give gives the answer to the caller on behalf of the agent, which still holds the
// call.
func (c *call) give(result any, err error) {
	c.wait.end() // before the asker can ask anew
	if c.deliver != nil {
		c.deliver(result, err)
		return
	}
	c.result, c.err = result, err
	c.answer <- struct{}{}
}

// letGo ends the agent's hold of the call. One whose answer who has ended the agent has given
// is never let go: that one may still be at it.
func (c *call) letGo() (late bool) {
	c.endCallback()
	return c.deliver == nil && c.release()
}

// endCallback ends the context of the callback if somebody has asked when it ends. One that
// nobody has can serve the next call.
func (c *call) endCallback() {
	if c.made != nil && c.made.made.Load() != nil {
		c.made.end()
		c.made = nil
	}
}

// await returns the answer, or an error as soon as the caller's context ends. A
// caller without a deadline waits for its turn for Options.WaitTimeout, and
// from then on as long as it takes.
func (c *call) await() (any, error) {
	select {
	case <-c.answer: // it counts even if the deadline has passed meanwhile
		return c.collect()
	default:
	}
	if c.hasNoDeadline {
		return c.waitTurn()
	}
	select {
	case <-c.answer:
		return c.collect()
	case <-c.ctx.Done():
		return c.leave(CallError(c.ctx))
	}
}

// waitTurn is await for a caller without a deadline.
func (c *call) waitTurn() (any, error) {
	if c.turn == nil {
		c.turn = time.NewTimer(c.system.options.WaitTimeout)
	} else {
		c.turn.Reset(c.system.options.WaitTimeout)
	}
	turn := c.turn.C
	for {
		select {
		case <-c.answer:
			c.turn.Stop() // first: once let go, the call may be another caller's
			return c.collect()
		case <-c.ctx.Done():
			c.turn.Stop()
			return c.leave(CallError(c.ctx))
		case <-turn:
			if !c.begun.Load() {
				return c.leave(ErrTimeout)
			}
			turn = nil
		}
	}
}

// leave gives the call up.
func (c *call) leave(why error) (any, error) {
	c.wait.end()
	c.release()
	return nil, why
}

func (c *call) collect() (any, error) {
	result, err := c.result, c.err
	c.release()
	return result, err
}

// release is the end of one of the two holds of the call. It says whether the answer was for
// nobody any longer, because the caller had left.
func (c *call) release() (late bool) {
	if c.refs.Add(-1) > 0 {
		return false
	}
	select {
	case <-c.answer:
		late = true
	default:
	}
	c.params, c.result, c.err, c.wait = nil, nil, nil, nil
	c.begun.Store(false)
	c.system.calls.Put(c)
	return late
}

// refused takes back a call that never reached a mailbox.
func (c *call) refused() {
	c.refs.Store(1)
	_, _ = c.leave(nil)
}

// withPatience gives a context without a deadline one.
func withPatience(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}
