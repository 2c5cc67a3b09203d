package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"mabeam-top/internal/atomicfile"
)

// sameWish is how long after the first signal another one is taken for the same
// wish to stop. A wrapper such as GNU timeout signals the process and then its
// group, so that one wish arrives twice.
const sameWish = 250 * time.Millisecond

// signals ends a context with the first signal that asks the program to stop,
// so that what was measured until then can still be told, and the program with
// the second.
type signals struct {
	received chan os.Signal
	done     chan struct{}
	wg       sync.WaitGroup
	// exit ends the program at once.
	exit func(code int)

	mu    sync.Mutex
	first os.Signal
}

// watchSignals begins to listen, until stop is called. If a second signal
// comes, atOnce is called and the program ends. If there is something to do at
// once, it is also done when the program is asked to quit (SIGQUIT), which ends it
// with the stacks of all that it was doing.
func watchSignals(parent context.Context, atOnce func()) (context.Context, *signals) {
	s := newSignals(os.Exit)
	signal.Notify(s.received, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if atOnce != nil {
		signal.Notify(s.received, syscall.SIGQUIT)
	} else {
		atOnce = func() {}
	}
	return s.watch(parent, atOnce), s
}

func newSignals(exit func(code int)) *signals {
	return &signals{received: make(chan os.Signal, 2), done: make(chan struct{}), exit: exit}
}

// watch handles the signals that are received, and returns a context that ends
// with the first one.
func (s *signals) watch(parent context.Context, atOnce func()) context.Context {
	ctx, cancel := context.WithCancel(parent)
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
		if !s.ignoreRepeats(atOnce) {
			return
		}
		select {
		case sig := <-s.received:
			dump(sig, atOnce)
			atOnce()
			atomicfile.RemoveUnfinished()
			s.exit(signalCode(sig))
		case <-s.done:
		}
	})
	return ctx
}

// ignoreRepeats takes in what is received within sameWish of the first signal. It
// returns false if the listening ends meanwhile.
func (s *signals) ignoreRepeats(atOnce func()) bool {
	over := time.NewTimer(sameWish)
	defer over.Stop()
	for {
		select {
		case sig := <-s.received:
			dump(sig, atOnce)
		case <-over.C:
			// On a busy machine this goroutine may be late, and what came in
			// time still waits.
			for {
				select {
				case sig := <-s.received:
					dump(sig, atOnce)
					continue
				default:
					return true
				}
			}
		case <-s.done:
			return false
		}
	}
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

// leaveSignalsToParent lets a child process live on when a signal asks it to stop
// that was sent to it as well as to its parent, such as by a service manager
// that stops all processes of a service. The parent tells the child what to do,
// and wants its results first; if the parent is gone, the child ends with its
// input.
func leaveSignalsToParent() {
	// Received and dropped, instead of signal.Ignore: that would be inherited.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
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
