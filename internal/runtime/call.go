package mabeam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A call is an action that somebody waits for.
type call struct {
	system *System
	ctx    context.Context
	params any           // of the action
	answer chan struct{} // gets one value when result and err are set
	result any
	err    error
	// refs is how many of the two, caller and agent, still hold the call. The
	// last to let go puts it back.
	refs atomic.Int32
	// begun says that the agent has taken the call up, and turn is how long a
	// caller without a deadline waits for that; made when needed.
	// callback is the context that the agent's callback has.
	callback      context.Context
	hasNoDeadline bool
	begun         atomic.Bool
	turn          *time.Timer
	// asker is the agent that waits for the answer, and wait says so; nil for who is
	// no agent.
	asker *Agent
	wait  *wait
	// deliver takes the answer instead, for a caller that does not wait.
	deliver func(result any, err error)
}

// newCallPool returns a pool of a system's calls. Each system has its own, so
// that nothing of one system waits on a channel that another has made.
func newCallPool(s *System) *sync.Pool {
	return &sync.Pool{New: func() any { return &call{system: s, answer: make(chan struct{}, 1)} }}
}

// newCall returns a call on behalf of an agent that waits for its answer, or of nobody.
func (s *System) newCall(ctx context.Context, params any, asker *Agent, w *wait) *call {
	c := s.calls.Get().(*call)
	c.ctx, c.params, c.asker, c.wait = ctx, params, asker, w
	_, has := ctx.Deadline()
	c.hasNoDeadline = !has
	c.refs.Store(2)
	return c
}

// begin notes that the agent takes the call up.
func (c *call) begin(a *Agent) {
	c.callback = a.callbackFor(c.ctx)
	if c.hasNoDeadline {
		c.begun.Store(true)
	}
}

// reply gives the answer to the caller, who may have left. The call is the agent's no
// longer.
func (c *call) reply(result any, err error) {
	c.give(result, err)
	c.letGo()
}

// give gives the answer to the caller on behalf of the agent, which still holds the
// call.
func (c *call) give(result any, err error) {
	if c.wait != nil {
		c.asker.endWait(c.wait) // before it can ask anew
	}
	if c.deliver != nil {
		c.deliver(result, err)
		return
	}
	c.result, c.err = result, err
	c.answer <- struct{}{}
}

// letGo ends the agent's hold of the call, and the callback's context.
func (c *call) letGo() {
	endCallback(c.callback)
	if c.deliver == nil {
		c.release()
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
	if c.wait != nil {
		c.asker.endWait(c.wait)
	}
	c.release()
	return nil, why
}

func (c *call) collect() (any, error) {
	result, err := c.result, c.err
	c.release()
	return result, err
}

func (c *call) release() {
	if c.refs.Add(-1) > 0 {
		return
	}
	select {
	case <-c.answer: // the agent answered after the caller had left
		c.system.repliesLate.add(1)
	default:
	}
	c.ctx, c.callback, c.params, c.result, c.err, c.asker, c.wait = nil, nil, nil, nil, nil, nil, nil
	c.begun.Store(false)
	c.system.calls.Put(c)
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
