package mabeam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"mabeam-top/internal/runtime/internal/failure"
)

// A call is an action that somebody waits for.
type call struct {
	system *System
	params any           // of the action
	answer chan struct{} // gets one value when result and err are set
	result any
	err    error
	// use is what state was when the call began, so that no call has to set it back.
	use   uint32
	state atomic.Uint32
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

// How a call ends, as its state from use on. The caller of one that the agent has answered puts
// it back into the pool; the agent that was late does so with one that the caller has left.
// What was answered instead of the agent is not used again, since the agent may still be at
// it.
const (
	callAnswered = iota + 1 // by the action, or is about to be
	callFailed              // so is this, because the action was not done
	callAnsweredInstead
	callLeft
)

// ends reports whether the call ends so, as far as it had not ended otherwise.
func (c *call) ends(how uint32) bool { return c.state.CompareAndSwap(c.use, c.use+how) }

// newCallPool returns a pool of a system's calls. Each system has its own, so
// that nothing of one system waits on a channel that another has made.
func newCallPool(s *System) *sync.Pool {
	return &sync.Pool{New: func() any { return &call{system: s, answer: make(chan struct{}, 1)} }}
}

// newCall returns a call.
func (s *System) newCall(ctx context.Context, params any) *call {
	c := s.calls.Get().(*call)
	c.params = params
	c.use = c.state.Load()
	if !isSame(c.ctx, ctx) {
		_, has := ctx.Deadline()
		c.ctx, c.hasNoDeadline, c.asker, c.made = ctx, !has, callbackOf(ctx), nil
	}
	return c
}

// isSame reports whether two contexts are one and the same. It does not compare what is in
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
	if asker != nil {
		c.wait, err = asker.waitFor(a)
	}
	if err == nil {
		err = a.sendAwaited(action, c)
	}
	if err != nil {
		c.wait.end()
		c.putBack()
	}
	return err
}

// reply gives the action's answer to the caller. It reports whether that one had left. The call
// is the agent's no longer.
func (c *call) reply(result any, err error) (late bool) {
	if !c.give(callAnswered, result, err) {
		c.putBack()
		return true
	}
	return false
}

// fail is reply for an action that was not done.
func (c *call) fail(err error) {
	if !c.give(callFailed, nil, err) {
		c.putBack()
	}
}

// answerInstead gives the answer to the caller, on behalf of who has ended the agent.
func (c *call) answerInstead(err error) { c.give(callAnsweredInstead, nil, err) }

// give gives the answer to the caller. It returns false if that one had left.
func (c *call) give(how uint32, result any, err error) bool {
	c.wait.end() // before the asker can ask anew
	if c.deliver != nil {
		c.deliver(result, err)
		return true
	}
	if !c.ends(how) {
		return false
	}
	c.result, c.err = result, err
	c.answer <- struct{}{}
	return true
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
// from then on as long as it takes. The id is the asked agent's.
func (c *call) await(id, action string) (any, error) {
	select {
	case <-c.answer: // it counts even if the deadline has passed meanwhile
		return c.collect()
	default:
	}
	if c.hasNoDeadline {
		return c.awaitTurn(id, action)
	}
	select {
	case <-c.answer:
		return c.collect()
	case <-c.ctx.Done():
		return nil, c.leave(failure.ContextError(c.ctx), id, action)
	}
}

// awaitTurn is await for a caller without a deadline.
func (c *call) awaitTurn(id, action string) (any, error) {
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
			return nil, c.leave(failure.ContextError(c.ctx), id, action)
		case <-turn:
			if !c.begun.Load() {
				return nil, c.leave(ErrTimeout, id, action)
			}
			turn = nil
		}
	}
}

// leave gives the call up, and returns why. The agent answers late then, if it has not just
// done so.
func (c *call) leave(why error, id, action string) error {
	c.wait.end()
	if !c.ends(callLeft) {
		<-c.answer // it comes at once
		if c.state.Load() == c.use+callAnswered {
			c.system.lateAnswer(action, id)
		}
		_, _ = c.collect()
	}
	return why
}

func (c *call) collect() (any, error) {
	result, err := c.result, c.err
	if c.state.Load() != c.use+callAnsweredInstead {
		c.putBack()
	}
	return result, err
}

// putBack keeps the call for another one.
func (c *call) putBack() {
	c.params, c.result, c.err, c.wait = nil, nil, nil, nil
	if c.hasNoDeadline {
		c.begun.Store(false)
	}
	c.system.calls.Put(c)
}
