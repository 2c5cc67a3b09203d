package mabeam

import (
	"context"
	"sync"
	"time"
)

const (
	// maxRunners is how many goroutines may run agents and subscriptions at
	// once before the rest has to queue. It is far above the cores of a
	// machine because handlers may block.
	maxRunners = 1024
	// stallAfter is how long the queue may stand still, because every runner
	// is stuck in a handler, before more runners are added.
	stallAfter = time.Millisecond
)

// A runnable is something with work: an agent, a subscription, or a job of a service.
type runnable interface {
	// run handles one batch and reports whether there is more to do.
	run() (more bool)
}

// A scheduler has runnables run, each by one goroutine at a time. It is all that the
// runtime knows of who runs what when, so that a test can decide that by itself.
type scheduler interface {
	// schedule makes r run soon, on another goroutine; after stop, never: what
	// wakes up then has ended.
	schedule(r runnable)
	// goroutines is how many there are, resting ones too.
	goroutines() int
	// wait returns when nothing runs any more, or ctx ends.
	wait(ctx context.Context) error
	// stop is wait, and lets all goroutines go.
	stop(ctx context.Context) error
}

// A pool is the scheduler of a system. Each runnable gets a goroutine at once while there
// are few; beyond maxRunners they queue, and a runner that is done takes the
// next. Handlers that wait for others in the queue cannot starve them: a queue
// that stands still gets more runners.
type pool struct {
	workers sync.WaitGroup // all goroutines, resting ones too

	mu      sync.Mutex
	runners int // goroutines that are running something
	limit   int
	queue   []runnable // each at most once, so no longer than there are runnables
	moved   uint64     // counts what was taken from the queue
	watched bool
	resting []*worker
	closed  bool
	idle    chan struct{} // closed when no runner is left; nil while nobody waits
}

// A worker is a goroutine that rests between runs. It keeps the stack that it
// has grown to: growing a new one costs more than most actions.
type worker struct{ next chan runnable }

// maxResting is how many goroutines are kept for later.
const maxResting = 64

func newPool() *pool { return &pool{limit: maxRunners} }

func (p *pool) schedule(r runnable) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	if n := len(p.resting); n > 0 {
		w := p.resting[n-1]
		p.resting = p.resting[:n-1]
		p.runners++
		p.mu.Unlock()
		w.next <- r // it has room, and the worker waits
		return
	}
	if p.runners < p.limit {
		p.runners++
		p.mu.Unlock()
		p.begin(r)
		return
	}
	p.queue = append(p.queue, r)
	if !p.watched {
		p.watched = true
		moved := p.moved
		time.AfterFunc(stallAfter, func() { p.watch(moved) })
	}
	p.mu.Unlock()
}

// begin starts a worker with something to run.
func (p *pool) begin(r runnable) {
	p.workers.Go(func() {
		w := &worker{next: make(chan runnable, 1)}
		running := true
		defer func() {
			if running { // a handler has ended the goroutine
				p.rest(nil)
			}
		}()
		for ok := true; ok; r, ok = <-w.next {
			running = true
			p.work(r)
			r = nil // while it rests, what it ran may end and go
			running = false
			if !p.rest(w) {
				return
			}
		}
	})
}

// rest lays a worker that is done by for later; nil is one that cannot be used
// again. It returns false if there are enough.
func (p *pool) rest(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runners--
	if p.runners == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
	if w == nil || p.closed || len(p.resting) >= maxResting {
		return false
	}
	p.resting = append(p.resting, w)
	return true
}

// watch runs every stallAfter while there is a queue, and adds runners when
// none was taken from it since.
func (p *pool) watch(seen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.watched = false
		p.limit = maxRunners
		return
	}
	if p.moved == seen {
		p.limit = p.runners + maxRunners
		for p.runners < p.limit && len(p.queue) > 0 {
			p.runners++
			p.begin(p.next())
		}
	}
	moved := p.moved
	time.AfterFunc(stallAfter, func() { p.watch(moved) })
}

// next takes the first of the queue; the caller holds the lock.
func (p *pool) next() runnable {
	r := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.moved++
	return r
}

// work runs r, and then whatever waits.
func (p *pool) work(r runnable) {
	for {
		more := r.run()
		p.mu.Lock()
		if more {
			if len(p.queue) == 0 {
				p.mu.Unlock()
				continue
			}
			p.queue = append(p.queue, r) // give way to those that wait
		}
		if len(p.queue) == 0 || p.runners > p.limit {
			p.mu.Unlock()
			return
		}
		r = p.next()
		p.mu.Unlock()
	}
}

func (p *pool) goroutines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runners + len(p.resting)
}

func (p *pool) wait(ctx context.Context) error {
	p.mu.Lock()
	if p.runners == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) stop(ctx context.Context) error {
	err := p.wait(ctx)
	p.mu.Lock()
	p.closed = true
	resting := p.resting
	p.resting = nil
	p.mu.Unlock()
	for _, w := range resting {
		close(w.next)
	}
	if err == nil {
		p.workers.Wait()
	}
	return err
}
