package fault

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A target is one agent or subscriber that faults can hit.
type target struct {
	name string // guarded by the targets' lock
	at   int    // its index among the targets; -1 if it is not among them
	held atomic.Pointer[hold]
}

// A hold makes its target wait before everything that it does.
type hold struct {
	by   time.Duration // at most; 0 is until it is over
	over chan struct{}
}

// wait is called by the target.
func (t *target) wait(ctx context.Context) {
	h := t.held.Load()
	if h == nil {
		return
	}
	var late <-chan time.Time
	if h.by > 0 {
		timer := time.NewTimer(h.by)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-h.over:
	case <-late:
	case <-ctx.Done():
	}
}

// targets are what a kind of fault can hit now.
type targets struct {
	mu    sync.Mutex
	all   []*target
	named map[string]*target
}

// add adds a target, unless it is there already. It replaces a target of the same
// name: the previous life of an agent that crashed by itself.
func (s *targets) add(t *target, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.at >= 0 {
		return
	}
	if before := s.named[name]; before != nil {
		s.drop(before)
	}
	if s.named == nil {
		s.named = make(map[string]*target)
	}
	t.name, t.at, s.named[name] = name, len(s.all), t
	s.all = append(s.all, t)
}

func (s *targets) remove(t *target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(t)
}

// drop puts the last target in the place of one. The lock is held.
func (s *targets) drop(t *target) {
	if t.at < 0 {
		return
	}
	last := s.all[len(s.all)-1]
	s.all[t.at], last.at = last, t.at
	s.all[len(s.all)-1] = nil
	s.all, t.at = s.all[:len(s.all)-1], -1
	delete(s.named, t.name)
}

// take draws a living target and removes it; false if there is none.
func (s *targets) take(draw *rand.Rand, alive func(name string) bool) (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) > 0 {
		t := s.all[draw.IntN(len(s.all))]
		s.drop(t)
		if alive(t.name) {
			return t.name, true
		}
	}
	return "", false
}

// hold draws a living target that is not held, and holds it; nil if there is none.
func (s *targets) hold(draw *rand.Rand, alive func(string) bool, h *hold) (*target, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return nil, ""
	}
	first := draw.IntN(len(s.all))
	for i := range s.all {
		t := s.all[(first+i)%len(s.all)]
		if alive(t.name) && t.held.CompareAndSwap(nil, h) {
			return t, t.name
		}
	}
	return nil, ""
}
