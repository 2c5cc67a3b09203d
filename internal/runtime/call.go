package runtime

import (
	"context"
	"sync"
	"sync/atomic"
)

// A call is an action that somebody waits for.
type call struct {
	pool   *sync.Pool // where it goes back to
	ctx    context.Context
	answer chan struct{} // gets one value when result and err are set
	result any
	err    error
	// refs is how many of the two, caller and agent, still hold the call. The
	// last to let go puts it back.
	refs atomic.Int32
}

// newCallPool returns a pool of calls. Each system has its own, so that nothing
// of one system waits on a channel that another has made.
func newCallPool() *sync.Pool {
	pool := &sync.Pool{}
	pool.New = func() any { return &call{pool: pool, answer: make(chan struct{}, 1)} }
	return pool
}

func newCall(ctx context.Context, pool *sync.Pool) *call {
	c := pool.Get().(*call)
	c.ctx = ctx
	c.refs.Store(2)
	return c
}

// reply gives the answer to the caller, who may have left.
func (c *call) reply(result any, err error) {
	c.result, c.err = result, err
	c.answer <- struct{}{}
	c.release()
}

// wait returns the answer, or an error as soon as the caller's context ends.
func (c *call) wait() (any, error) {
	done := c.ctx.Done()
	if done == nil {
		<-c.answer
		return c.collect()
	}
	select {
	case <-c.answer:
		return c.collect()
	case <-done:
		err := callError(c.ctx)
		c.release()
		return nil, err
	}
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
	case <-c.answer: // of an agent that answered after the caller had left
	default:
	}
	c.ctx, c.result, c.err = nil, nil, nil
	c.pool.Put(c)
}

// refused takes back a call that never reached a mailbox.
func (c *call) refused() {
	c.refs.Store(1)
	c.release()
}
