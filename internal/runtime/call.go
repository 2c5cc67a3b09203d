package runtime

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
	hasNoDeadline bool
	begun         atomic.Bool
	turn          *time.Timer
	// deliver takes the answer instead, for a caller that does not wait.
	deliver func(result any, err error)
}

// newCallPool returns a pool of a system's calls. Each system has its own, so
// that nothing of one system waits on a channel that another has made.
func newCallPool(s *System) *sync.Pool {
	return &sync.Pool{New: func() any { return &call{system: s, answer: make(chan struct{}, 1)} }}
}

func (s *System) newCall(ctx context.Context, params any) *call {
	c := s.calls.Get().(*call)
	c.ctx, c.params = ctx, params
	_, has := ctx.Deadline()
	c.hasNoDeadline = !has
	c.refs.Store(2)
	return c
}

// begin notes that the agent takes the call up.
func (c *call) begin() {
	if c.hasNoDeadline {
		c.begun.Store(true)
	}
}

// reply gives the answer to the caller, who may have left.
func (c *call) reply(result any, err error) {
	if c.deliver != nil {
		c.deliver(result, err)
		return
	}
	c.result, c.err = result, err
	c.answer <- struct{}{}
	c.release()
}

// wait returns the answer, or an error as soon as the caller's context ends. A
// caller without a deadline waits for its turn for Options.WaitTimeout, and
// from then on as long as it takes.
func (c *call) wait() (any, error) {
	if c.hasNoDeadline {
		return c.waitTurn()
	}
	select {
	case <-c.answer:
		return c.collect()
	case <-c.ctx.Done():
		return c.leave(callError(c.ctx))
	}
}

// waitTurn is wait for a caller without a deadline.
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
			return c.leave(callError(c.ctx))
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
	c.ctx, c.params, c.result, c.err = nil, nil, nil, nil
	c.begun.Store(false)
	c.system.calls.Put(c)
}

// refused takes back a call that never reached a mailbox.
func (c *call) refused() {
	c.refs.Store(1)
	c.release()
}

// withPatience gives a context without a deadline one.
func withPatience(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}
