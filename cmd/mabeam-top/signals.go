package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals ends a context with the first signal that asks the program to stop,
// so that what was measured until then can still be told, and the program with
// the second.
type signals struct {
	received chan os.Signal
	done     chan struct{}
	wg       sync.WaitGroup

	mu    sync.Mutex
	first os.Signal
}

// watchSignals begins to listen, until stop is called. If a second signal
// comes, atOnce is called and the program ends. If there is something to do at
// once, it is also done when the program is asked to quit (SIGQUIT), which ends it
// with the stacks of all that it was doing.
func watchSignals(parent context.Context, atOnce func()) (context.Context, *signals) {
	ctx, cancel := context.WithCancel(parent)
	s := &signals{received: make(chan os.Signal, 2), done: make(chan struct{})}
	signal.Notify(s.received, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if atOnce != nil {
		signal.Notify(s.received, syscall.SIGQUIT)
	} else {
		atOnce = func() {}
	}
	s.wg.Go(func() {
		defer cancel()
		select {
		case sig := <-s.received:
			dump(sig, atOnce)
			s.mu.Lock()
			s.first = sig
			s.mu.Unlock()
		case <-s.done:
			return
		}
		cancel()
		select {
		case sig := <-s.received:
			dump(sig, atOnce)
			atOnce()
			os.Exit(signalCode(sig))
		case <-s.done:
		}
	})
	return ctx, s
}

// dump ends the program with its stacks if the signal asks for that.
func dump(sig os.Signal, atOnce func()) {
	if sig != syscall.SIGQUIT {
		return
	}
	atOnce()
	signal.Reset(syscall.SIGQUIT)
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(sig) == nil {
		select {} // until the runtime has heard of it
	}
}

// stop ends the listening: from then on a signal does what it does by itself.
func (s *signals) stop() {
	signal.Stop(s.received)
	close(s.done)
	s.wg.Wait()
}

// interruption is the signal that came; nil if none did.
func (s *signals) interruption() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// signalCode is the exit code of a run that a signal ended. A terminal that
// was closed (SIGHUP) ends a run like a request to terminate.
func signalCode(sig os.Signal) int {
	if sig == os.Interrupt {
		return exitInterrupted
	}
	return exitTerminated
}
