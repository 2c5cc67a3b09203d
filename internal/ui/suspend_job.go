//go:build linux || darwin

package ui

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// continueTimeout is how long a program waits for SIGCONT after it was stopped.
const continueTimeout = time.Second

// jobControl stops the program at the request of a user or of another process.
type jobControl struct{ requests chan os.Signal }

func newJobControl() *jobControl { return &jobControl{make(chan os.Signal, 1)} }

// watch calls requested for each SIGTSTP, until end is called.
func (j *jobControl) watch(requested func()) (end func()) {
	signal.Notify(j.requests, syscall.SIGTSTP)
	ended, returned := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(returned)
		for {
			select {
			case <-j.requests:
				requested()
			case <-ended:
				return
			}
		}
	}()
	return func() {
		signal.Stop(j.requests)
		close(ended)
		<-returned
	}
}

// errNoShell is why ctrl+z does nothing.
var errNoShell = errors.New("cannot suspend: not started from a job-control shell")

// allowed returns why the process group must not be stopped; nil if it may be. A
// shell with job control gives the program a group of its own, and can continue
// it. Nobody continues the group of the session leader.
func (j *jobControl) allowed() error {
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	if errno != 0 || int(session) == syscall.Getpgrp() {
		return errNoShell
	}
	return nil
}

// stop stops the program, or its whole process group, until it is continued. It
// uses SIGSTOP, because SIGTSTP no longer stops a Go program that has caught it.
func (j *jobControl) stop(whole bool) {
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
	case <-time.After(continueTimeout):
	}
}
