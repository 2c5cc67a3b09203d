package mabeam

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
)

// A Service works with a system's agents and has to stop before they do, such as a supervisor.
type Service interface {
	// Stop stops the service. The system calls it when it stops. If ctx ends before the
	// service has stopped, Stop returns an error, and the service continues to stop.
	Stop(ctx context.Context) error
}

// services are the services of a system, in the order in which they were attached. The zero
// value is ready to use.
type services struct {
	mu      sync.Mutex
	list    []Service
	byKey   map[any]Service // those that were made by System.Service
	stopped bool
}

// Service returns the service that is attached under a key; if there is none, it attaches the one
// that begin returns. ErrSystemStopped means that the system is stopping.
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

// Attach makes the system stop a service when it stops; the newest is stopped first.
// ErrSystemStopped means that the system is stopping.
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

// Detach removes a service that has stopped.
func (s *System) Detach(v Service) {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(x Service) bool { return x == v })
}

// Services lists the attached services, the oldest first.
func (s *System) Services() []Service {
	l := &s.services
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// stopServices stops all services, the newest first; no other can be attached from then on.
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

// A RootFailure says what a system does when a supervisor gives up that has no supervisor above
// it.
type RootFailure int

const (
	// Stay keeps the system running. System.Err returns why the last supervisor gave up.
	Stay RootFailure = iota
	// StopSystem stops the system. Agents that have not stopped within Options.WaitTimeout
	// are killed.
	StopSystem
)

// RootFailed tells the system that a supervisor gave up that has no supervisor above it, and
// why. The system reacts as Options.OnRootFailure says.
func (s *System) RootFailed(id string, why error) {
	s.failure.Store(&why)
	if s.options.OnRootFailure != StopSystem {
		return
	}
	s.options.log(slog.LevelError, "system stops because a supervisor gave up", "supervisor", id)
	go func() { // over when Done is closed
		ctx, cancel := context.WithTimeout(context.Background(), s.options.WaitTimeout)
		defer cancel()
		_ = s.Stop(ctx) // a further Stop returns the error
	}()
}

// Done returns a channel that is closed when the system has stopped.
func (s *System) Done() <-chan struct{} { return s.stopped }

// Err returns the reason given to the last RootFailed; nil if there was none.
func (s *System) Err() error {
	if why := s.failure.Load(); why != nil {
		return *why
	}
	return nil
}

// Go runs f on a goroutine of the system. Stop waits for it; after Stop, f never runs.
func (s *System) Go(f func()) { s.scheduler.Schedule(task(f)) }

// A task is a function as a runnable.
type task func()

func (f task) Run() (more bool) {
	f()
	return false
}

// Running returns a context that ends when the system begins to stop. See also Context.
func (s *System) Running() context.Context { return s.running }
