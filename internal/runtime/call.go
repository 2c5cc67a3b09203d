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
	answer chan struct{} // gets a value when result and err are set
	result any
	err    error
	// use is the value of state when the call began, so that a reused call need not reset it.
	use   uint32
	state atomic.Uint32
	// begun is true if the agent has begun the action. turn limits how long a caller without a
	// deadline waits for that; it is made when needed.
	begun atomic.Bool
	turn  *time.Timer
	// wait records that an agent waits for the answer; nil if the caller is no agent.
	wait *wait
	// deliver gets the answer instead, if the caller does not wait.
	deliver func(result any, err error)

	// ctx is the caller's context. What follows is derived from it: whether it has a deadline, the agent
	// whose callback has it, and the context for the callback of the called agent. They are kept for the
	// next call, which often has the same caller and the same agent.
	ctx           context.Context
	hasNoDeadline bool
	asker         *Agent
	callback      context.Context
	made          *callContext
}

// How a call ends: state is use plus one of these. The caller reuses a call that the agent has answered, and the agent one
// that the caller has left. A call that somebody else has answered is not reused, because the agent may still be carrying
// it out.
const (
	callAnswered = iota + 1 // the action has returned
	callFailed              // the action was not carried out
	callAnsweredInstead
	callLeft
)

// ends ends the call. It returns false if the call has ended before.
func (c *call) ends(how uint32) bool { return c.state.CompareAndSwap(c.use, c.use+how) }

// newCallPool returns a pool of a system's calls. Each system has its own, so that no system waits on a channel that
// another one has made.
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

// isSame reports whether two contexts are identical. Unlike ==, it does not panic if their values are not comparable.
func isSame(x, y context.Context) bool {
	return *(*[2]uintptr)(unsafe.Pointer(&x)) == *(*[2]uintptr)(unsafe.Pointer(&y))
}

// begin records that the agent begins the action, and prepares the context of the callback.
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

// send puts the call into an agent's mailbox, and records the wait of the asker, or of the agent whose callback has the
// call's context. After an error the caller must not use the call.
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

// reply gives the result of the action to the caller. It reports whether the caller had left. The agent must not use the
// call afterwards.
func (c *call) reply(result any, err error) (late bool) {
	if !c.give(callAnswered, result, err) {
		c.putBack()
		return true
	}
	return false
}

// fail is reply for an action that was not carried out.
func (c *call) fail(err error) {
	if !c.give(callFailed, nil, err) {
		c.putBack()
	}
}

// answerInstead gives the answer of whoever has ended the agent.
func (c *call) answerInstead(err error) { c.give(callAnsweredInstead, nil, err) }

// give gives an answer to the caller. It returns false if the caller had left.
func (c *call) give(how uint32, result any, err error) bool {
	c.wait.end() // before the asker can ask again
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

// endCallback ends the context of the callback if its Done was called. Otherwise the context can serve the next call.
func (c *call) endCallback() {
	if c.made != nil && c.made.made.Load() != nil {
		c.made.end()
		c.made = nil
	}
}

// await returns the answer, or an error as soon as the caller's context ends. A caller without a deadline waits until the
// action begins, for up to Options.WaitTimeout, and then as long as the action takes. The id is that of the called agent.
func (c *call) await(id, action string) (any, error) {
	select {
	case <-c.answer: // takes precedence over a ctx that has ended too
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
			c.turn.Stop() // before collect, after which another caller may use the call
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

// leave gives up the call and returns why. If the agent is answering just now, leave discards the answer.
func (c *call) leave(why error, id, action string) error {
	c.wait.end()
	if !c.ends(callLeft) {
		<-c.answer // comes at once
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

// putBack keeps the call for reuse.
func (c *call) putBack() {
	c.params, c.result, c.err, c.wait = nil, nil, nil, nil
	if c.hasNoDeadline {
		c.begun.Store(false)
	}
	c.system.calls.Put(c)
}
