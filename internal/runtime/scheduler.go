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

// A runnable is something with work: an agent, a subscription or a supervisor.
type runnable interface {
	// run handles one batch and says whether there is more to do.
	run() (more bool)
}

// A scheduler puts runnables on goroutines. Each gets one at once while there
// are few; beyond maxRunners they queue, and a runner that is done takes the
// next. Handlers that wait for others in the queue cannot starve them: a queue
// that stands still gets more runners.
type scheduler struct {
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

func newScheduler() *scheduler { return &scheduler{limit: maxRunners} }

// schedule makes r run soon, on another goroutine; after stop, never: what
// wakes up then has ended.
func (s *scheduler) schedule(r runnable) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	if n := len(s.resting); n > 0 {
		w := s.resting[n-1]
		s.resting = s.resting[:n-1]
		s.runners++
		s.mu.Unlock()
		w.next <- r // it has room, and the worker waits
		return
	}
	if s.runners < s.limit {
		s.runners++
		s.mu.Unlock()
		s.begin(r)
		return
	}
	s.queue = append(s.queue, r)
	if !s.watched {
		s.watched = true
		moved := s.moved
		time.AfterFunc(stallAfter, func() { s.watch(moved) })
	}
	s.mu.Unlock()
}

// begin starts a worker with something to run.
func (s *scheduler) begin(r runnable) {
	s.workers.Go(func() {
		w := &worker{next: make(chan runnable, 1)}
		running := true
		defer func() {
			if running { // a handler has ended the goroutine
				s.rest(nil)
			}
		}()
		for ok := true; ok; r, ok = <-w.next {
			running = true
			s.work(r)
			r = nil // while it rests, what it ran may end and go
			running = false
			if !s.rest(w) {
				return
			}
		}
	})
}

// rest lays a worker that is done by for later; nil is one that cannot be used
// again. It says false if there are enough.
func (s *scheduler) rest(w *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runners--
	if s.runners == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	if w == nil || s.closed || len(s.resting) >= maxResting {
		return false
	}
	s.resting = append(s.resting, w)
	return true
}

// watch runs every stallAfter while there is a queue, and adds runners when
// none was taken from it since.
func (s *scheduler) watch(seen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.watched = false
		s.limit = maxRunners
		return
	}
	if s.moved == seen {
		s.limit = s.runners + maxRunners
		for s.runners < s.limit && len(s.queue) > 0 {
			s.runners++
			s.begin(s.next())
		}
	}
	moved := s.moved
	time.AfterFunc(stallAfter, func() { s.watch(moved) })
}

// next takes the first of the queue; the caller holds the lock.
func (s *scheduler) next() runnable {
	r := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.moved++
	return r
}

// work runs r, and then whatever waits.
func (s *scheduler) work(r runnable) {
	for {
		more := r.run()
		s.mu.Lock()
		if more {
			if len(s.queue) == 0 {
				s.mu.Unlock()
				continue
			}
			s.queue = append(s.queue, r) // give way to those that wait
		}
		if len(s.queue) == 0 || s.runners > s.limit {
			s.mu.Unlock()
			return
		}
		r = s.next()
		s.mu.Unlock()
	}
}

// goroutines is how many there are, resting ones too.
func (s *scheduler) goroutines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runners + len(s.resting)
}

// wait returns when nothing runs any more.
func (s *scheduler) wait(ctx context.Context) error {
	s.mu.Lock()
	if s.runners == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop waits until nothing runs any more, and lets all goroutines go.
func (s *scheduler) stop(ctx context.Context) error {
	err := s.wait(ctx)
	s.mu.Lock()
	s.closed = true
	resting := s.resting
	s.resting = nil
	s.mu.Unlock()
	for _, w := range resting {
		close(w.next)
	}
	if err == nil {
		s.workers.Wait()
	}
	return err
}
