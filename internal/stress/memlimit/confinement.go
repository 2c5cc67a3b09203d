// Package memlimit limits the memory of a child process: with the soft limit of
// the Go runtime, and with a control group or a limit on the process itself.
package memlimit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits are memory limits of a process in bytes; 0 means no limit.
type Limits struct {
	// Soft is the memory limit of the Go runtime. Near the limit the runtime collects
	// garbage more often, and it exceeds the limit rather than stop the program.
	Soft int64
	// Hard is the limit at which the operating system kills the process.
	Hard int64
}

// A Confinement limits the memory of one process.
type Confinement struct {
	limits Limits
	group  *group // nil if there is none
	err    error  // why there is none
}

// New prepares the limits for a process that is about to start. The caller must call
// Close when the process has ended.
func New(l Limits) *Confinement {
	c := &Confinement{limits: l}
	if l.Hard > 0 {
		c.group, c.err = newGroup(l.Hard)
	}
	return c
}

// Env returns the environment variables that the process must start with, in addition
// to those of this process.
func (c *Confinement) Env() []string {
	if c.limits.Soft == 0 {
		return nil
	}
	return []string{"GOMEMLIMIT=" + strconv.FormatInt(c.limits.Soft, 10)}
}

// Add confines the process, which has started. Memory that it allocated before does not
// count.
func (c *Confinement) Add(pid int) {
	if c.group == nil {
		return
	}
	if err := c.group.add(pid); err != nil {
		c.err = errors.Join(err, c.Close())
	}
}

// SelfLimit returns the hard limit if no control group enforces it, so that the process
// must do so itself, with LimitProcess; otherwise 0. The error says why there is no
// control group.
func (c *Confinement) SelfLimit() (int64, error) {
	if c.group != nil {
		return 0, nil
	}
	return c.limits.Hard, c.err
}

// Usage is the memory usage of a process that has ended.
type Usage struct {
	// PeakBytes is the peak memory; 0 if it is unknown.
	PeakBytes int64
	// OutOfMemory reports whether the operating system killed the process because it
	// was out of memory.
	OutOfMemory bool
}

// Usage returns the memory usage of the process, which has ended, as far as its control
// group knows.
func (c *Confinement) Usage() Usage {
	if c.group == nil {
		return Usage{}
	}
	return c.group.usage()
}

// Close removes the control group of the process, which has ended.
func (c *Confinement) Close() error {
	if c.group == nil {
		return nil
	}
	g := c.group
	c.group = nil
	if err := g.remove(); err != nil {
		return fmt.Errorf("remove the control group of an ended process: %w", err)
	}
	return nil
}

// IsOutOfMemory reports whether the standard error of a Go program that ended says that
// the operating system refused it memory.
func IsOutOfMemory(stderr string) bool {
	return slices.ContainsFunc(outOfMemory, func(text string) bool { return strings.Contains(stderr, text) })
}

// outOfMemory are the messages of the Go runtime and the race detector. A runtime that
// uses cgo fails to create a thread if there is no memory for its stack.
var outOfMemory = []string{"out of memory", "cannot allocate memory", "failed to allocate", "pthread_create failed"}
