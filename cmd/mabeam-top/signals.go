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

// repeatWindow is the time after the first signal in which further signals count as
// repeats of it. A wrapper such as GNU timeout signals the process and then its group,
// so one request arrives twice.
const repeatWindow = 250 * time.Millisecond

// signals cancels a context on the first signal to stop, so that the program can still
// report its results, and ends the program on the second one.
type signals struct {
	received chan os.Signal
	done     chan struct{}
	wg       sync.WaitGroup
	// exit ends the program.
	exit func(code int)

	mu    sync.Mutex
	first os.Signal
}

// watchSignals handles signals until stop is called. On a second signal it calls cleanup
// and ends the program. If cleanup is not nil, it also calls it on SIGQUIT, which ends
// the program with the stacks of all goroutines.
func watchSignals(parent context.Context, cleanup func()) (context.Context, *signals) {
	s := newSignals(os.Exit)
	signal.Notify(s.received, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if cleanup != nil {
		signal.Notify(s.received, syscall.SIGQUIT)
	} else {
		cleanup = func() {}
	}
	return s.watch(parent, cleanup), s
}

func newSignals(exit func(code int)) *signals {
	return &signals{received: make(chan os.Signal, 2), done: make(chan struct{}), exit: exit}
}

// watch handles the received signals, and returns a context that the first one cancels.
func (s *signals) watch(parent context.Context, cleanup func()) context.Context {
	ctx, cancel := context.WithCancel(parent)
	s.wg.Go(func() {
		defer cancel()
		select {
		case sig := <-s.received:
			dump(sig, cleanup)
			s.mu.Lock()
			s.first = sig
			s.mu.Unlock()
		case <-s.done:
			return
		}
		cancel()
		if !s.ignoreRepeats(cleanup) {
			return
		}
		select {
		case sig := <-s.received:
			dump(sig, cleanup)
			cleanup()
			atomicfile.RemoveUnfinished()
			s.exit(signalCode(sig))
		case <-s.done:
		}
	})
	return ctx
}

// ignoreRepeats drops the signals within repeatWindow of the first one. It returns false
// if stop was called.
func (s *signals) ignoreRepeats(cleanup func()) bool {
	over := time.NewTimer(repeatWindow)
	defer over.Stop()
	for {
		select {
		case sig := <-s.received:
			dump(sig, cleanup)
		case <-over.C:
			// On a busy machine this goroutine may be late, and repeats are still in the
			// channel.
			for {
				select {
				case sig := <-s.received:
					dump(sig, cleanup)
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

// dump ends the program with the stacks of all goroutines if the signal is SIGQUIT.
func dump(sig os.Signal, cleanup func()) {
	if sig != syscall.SIGQUIT {
		return
	}
	cleanup()
	signal.Reset(syscall.SIGQUIT)
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(sig) == nil {
		select {} // until the runtime handles it
	}
}

// leaveSignalsToParent makes a child process ignore signals to stop. A terminal or a
// service manager sends them to all processes, but the parent needs the results of the
// child first, and stops it then. If the parent has ended, the child ends with its
// input.
func leaveSignalsToParent() {
	// Not signal.Ignore, because child processes would inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// stop restores the default handling of signals.
func (s *signals) stop() {
	signal.Stop(s.received)
	close(s.done)
	s.wg.Wait()
}

// interruption returns the first signal, or nil if there was none.
func (s *signals) interruption() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// signalCode returns the exit code of a run that a signal ended. SIGHUP, from a closed
// terminal, counts as SIGTERM.
func signalCode(sig os.Signal) int {
	if sig == os.Interrupt {
		return exitInterrupted
	}
	return exitTerminated
}
