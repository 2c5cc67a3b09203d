package mabeam

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
)

// A Service is something that works with a system's agents, and has to end before they do:
// a supervisor, say.
type Service interface {
	// Stop ends it, when the system stops. If ctx ends before, it says so, and goes on
	// to end.
	Stop(ctx context.Context) error
}

// services are those of a system, in the order in which they came. The zero value is
// ready to use.
type services struct {
	mu      sync.Mutex
	list    []Service
	byKey   map[any]Service // some of them
	stopped bool
}

// Service returns the service that is attached under a key, which is made and attached if
// there is none. ErrSystemStopped means that the system stops already.
func (s *System) Service(key any, begin func() Service) (Service, error) {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.byKey[key]; ok {
		return v, nil
	}
	if l.stopped || s.stopping.Load() {
		return nil, ErrSystemStopped
	}
	if l.byKey == nil {
		l.byKey = map[any]Service{}
	}
	v := begin()
	l.byKey[key] = v
	l.list = append(l.list, v)
	return v, nil
}

// Attach has a service be stopped with the system, the newest first. ErrSystemStopped means
// that it stops already.
func (s *System) Attach(v Service) error {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || s.stopping.Load() {
		return ErrSystemStopped
	}
	l.list = append(l.list, v)
	return nil
}

// Detach forgets a service that has ended.
func (s *System) Detach(v Service) {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(x Service) bool { return x == v })
}

// Services lists what is attached, the oldest first.
func (s *System) Services() []Service {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// stopServices stops all services, the newest first, and lets no other come.
func (s *System) stopServices(ctx context.Context) error {
	s.services.mu.Lock()
	s.services.stopped = true
	s.services.mu.Unlock()
	var errs []error
	for _, v := range slices.Backward(s.Services()) {
		errs = append(errs, v.Stop(ctx))
	}
	return errors.Join(errs...)
}

// A RootFailure says what a system does when a service that has none above it gives up.
type RootFailure int

const (
	// Stay goes on without it. System.Err returns why the last one gave up.
	Stay RootFailure = iota
	// StopSystem stops the system. What has not stopped within Options.WaitTimeout is
	// killed.
	StopSystem
)

// RootFailed informs the system that a service which has none above it gave up, and why.
// What the system does is the concern of Options.OnRootFailure.
func (s *System) RootFailed(id string, why error) {
	s.failure.Store(&why)
	if s.options.OnRootFailure != StopSystem {
		return
	}
	s.options.log(slog.LevelError, "system stops because a supervisor gave up", "supervisor", id)
	go func() { // over when Done is closed
		ctx, cancel := context.WithTimeout(context.Background(), s.options.WaitTimeout)
		defer cancel()
		_ = s.Stop(ctx) // whoever stops it once more gets the error
	}()
}

// Done is closed when the system has stopped.
func (s *System) Done() <-chan struct{} { return s.stopped }

// Err is why the last of those services gave up that have none above them; nil if none did.
func (s *System) Err() error {
	if why := s.failure.Load(); why != nil {
		return *why
	}
	return nil
}

// Go runs f soon on a goroutine of the system's, for which Stop waits; after Stop, never.
func (s *System) Go(f func()) { s.scheduler.schedule(task(f)) }

// A task is a function as something to run.
type task func()

func (f task) run() (more bool) {
	f()
	return false
}

// Running is a context that ends as soon as the system begins to stop.
func (s *System) Running() context.Context { return s.running }
