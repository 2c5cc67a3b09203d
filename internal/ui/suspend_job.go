//go:build linux || darwin

package ui

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// continuesWithin is how long after it was stopped a program looks for the
// signal that let it go on.
const continuesWithin = time.Second

// stops hears of requests to stop that come from outside, and carries out those
// and the UI's own.
type stops struct{ requests chan os.Signal }

func newStops() *stops { return &stops{make(chan os.Signal, 1)} }

// watch calls asked for each request, until the function that it returns is
// called.
func (s *stops) watch(asked func()) (end func()) {
	signal.Notify(s.requests, syscall.SIGTSTP)
	ended, returned := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(returned)
		for {
			select {
			case <-s.requests:
				asked()
			case <-ended:
				return
			}
		}
	}()
	return func() {
		signal.Stop(s.requests)
		close(ended)
		<-returned
	}
}

// errNoShell is why ctrl+z does nothing.
var errNoShell = errors.New("no shell with job control runs this program: nothing could let it go on")

// allowed tells why the process group of this program must not be stopped; nil
// if it may be. A group of its own within the session is one that a shell made
// and watches; in that of whoever leads the session nobody would.
func (s *stops) allowed() error {
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	if errno != 0 || int(session) == syscall.Getpgrp() {
		return errNoShell
	}
	return nil
}

// stop stops this program, or its whole process group, until it is continued. It
// does so with SIGSTOP: once a program of Go has caught SIGTSTP, that never stops
// it again.
func (s *stops) stop(whole bool) {
	process := os.Getpid()
	if whole {
		process = 0
	}
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	_ = syscall.Kill(process, syscall.SIGSTOP) // a process may stop itself
	select {
	case <-continued:
	case <-time.After(continuesWithin):
	}
}
