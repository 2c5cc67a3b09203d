// Package scheduler runs agents and subscriptions on goroutines.
package scheduler

import (
	"context"
	"sync"
	"time"
)

const (
	// MaxRunners is how many runnables may run at once before others have to queue. It is far
	// above the number of cores because handlers may block.
	MaxRunners = 1024
	// stallAfter is how long the queue may be stuck, because every runner is in a handler that
	// blocks, before more runners are added.
	stallAfter = time.Millisecond
)

// A Runnable has work to do: an agent, a subscription, or a task of a service.
type Runnable interface {
	// Run handles one batch and reports whether there is more to do.
	Run() (more bool)
}

// A Scheduler runs runnables, each on one goroutine at a time. The runtime depends on nothing else
// to decide what runs when, so a test can decide it instead.
type Scheduler interface {
	// Schedule runs r soon, on another goroutine. After Stop it does nothing, because whatever
	// wakes up then has ended.
	Schedule(r Runnable)
	// Goroutines returns the number of goroutines, idle ones included.
	Goroutines() int
	// Wait returns when nothing is running, or when ctx ends.
	Wait(ctx context.Context) error
	// Stop waits like Wait, and then ends all goroutines.
	Stop(ctx context.Context) error
}

// A Pool is the scheduler of a system. A runnable gets a goroutine at once while fewer than
// MaxRunners run. Further runnables queue, and a runner that has finished takes the next one. A
// handler may wait for another one that is in the queue: when the queue is stuck, runners are added.
type Pool struct {
	workers sync.WaitGroup // all goroutines, idle ones included

	mu      sync.Mutex
	runners int // the goroutines that run something
	limit   int
	queue   []Runnable // each at most once, so it is bounded by the number of runnables
	moved   uint64     // how many were taken from the queue
	watched bool       // a call of watch is due
	resting []*worker
	closed  bool
	idle    chan struct{} // closed when no runner is left; nil while nobody waits for it
}

// A worker is a goroutine that is kept between runs, because growing the stack of a new one costs
// more than most actions.
type worker struct{ next chan Runnable }

// maxResting is how many idle workers are kept.
const maxResting = 64

// New returns a pool without goroutines.
func New() *Pool { return &Pool{limit: MaxRunners} }

// Schedule implements Scheduler.
func (p *Pool) Schedule(r Runnable) {
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
		w.next <- r // does not block: the worker waits for it
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

// begin starts a worker that runs r first.
func (p *Pool) begin(r Runnable) {
	p.workers.Go(func() {
		w := &worker{next: make(chan Runnable, 1)}
		running := true
		defer func() {
			if running { // a handler called runtime.Goexit
				p.rest(nil)
			}
		}()
		for ok := true; ok; r, ok = <-w.next {
			running = true
			p.work(r)
			r = nil // so that an idle worker does not keep it alive
			running = false
			if !p.rest(w) {
				return
			}
		}
	})
}

// rest keeps a worker that has finished; nil is one whose goroutine ends. It returns false if the
// worker is not needed.
func (p *Pool) rest(w *worker) bool {
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

// watch is called every stallAfter while there is a queue. It adds runners if nothing was taken from
// the queue since the last call.
func (p *Pool) watch(seen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.watched = false
		p.limit = MaxRunners
		return
	}
	if p.moved == seen {
		p.limit = p.runners + MaxRunners
		for p.runners < p.limit && len(p.queue) > 0 {
			p.runners++
			p.begin(p.next())
		}
	}
	moved := p.moved
	time.AfterFunc(stallAfter, func() { p.watch(moved) })
}

// next removes and returns the first of the queue. The caller holds the lock.
func (p *Pool) next() Runnable {
	r := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.moved++
	return r
}

// work runs r, and then what is in the queue.
func (p *Pool) work(r Runnable) {
	for {
		more := r.Run()
		p.mu.Lock()
		if more {
			if len(p.queue) == 0 {
				p.mu.Unlock()
				continue
			}
			p.queue = append(p.queue, r) // others come first
		}
		if len(p.queue) == 0 || p.runners > p.limit {
			p.mu.Unlock()
			return
		}
		r = p.next()
		p.mu.Unlock()
	}
}

// Goroutines implements Scheduler.
func (p *Pool) Goroutines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runners + len(p.resting)
}

// Wait implements Scheduler.
func (p *Pool) Wait(ctx context.Context) error {
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

// Stop implements Scheduler.
func (p *Pool) Stop(ctx context.Context) error {
	err := p.Wait(ctx)
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
