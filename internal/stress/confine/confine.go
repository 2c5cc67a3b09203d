// Package confine bounds the memory that a child process may hold, by what the
// machine offers for that: the Go runtime's own limit, a control group, or a
// limit on the process.
package confine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits bound the memory of a process, in bytes; 0 is no limit.
type Limits struct {
	// Soft is what the Go runtime is told to stay below. It collects garbage
	// the more often the nearer it is, and goes beyond it rather than stand
	// still.
	Soft int64
	// Hard is where the operating system ends the process.
	Hard int64
}

// A Cell is what a process is confined in.
type Cell struct {
	limits Limits
	group  *group // nil if there is none
	why    error  // there is none
}

// New gets the limits ready for a process that is about to be started. Close
// must be called when it has ended.
func New(l Limits) *Cell {
	c := &Cell{limits: l}
	if l.Hard > 0 {
		c.group, c.why = newGroup(l.Hard)
	}
	return c
}

// Environment is what the process has to be started with besides that of this
// one.
func (c *Cell) Environment() []string {
	if c.limits.Soft == 0 {
		return nil
	}
	return []string{"GOMEMLIMIT=" + strconv.FormatInt(c.limits.Soft, 10)}
}

// Enter confines the process that was started. What it holds by then is not
// counted.
func (c *Cell) Enter(pid int) {
	if c.group == nil {
		return
	}
	if err := c.group.enter(pid); err != nil {
		c.why = errors.Join(err, c.Close())
	}
}

// Left is the hard limit that is not kept by a control group, so that the
// process has to keep it itself, with KeepOwn; 0 if there is none. The error
// says why it is not.
func (c *Cell) Left() (int64, error) {
	if c.group != nil {
		return 0, nil
	}
	return c.limits.Hard, c.why
}

// Usage is what a process that has ended had held.
type Usage struct {
	// PeakBytes is the most memory that it held; 0 if that is not known.
	PeakBytes int64
	// OutOfMemory says that the operating system ended it for want of memory.
	OutOfMemory bool
}

// Usage tells what the process that has ended had held, as far as its control
// group knows.
func (c *Cell) Usage() Usage {
	if c.group == nil {
		return Usage{}
	}
	return c.group.usage()
}

// Close removes what was made for the process, after its end.
func (c *Cell) Close() error {
	if c.group == nil {
		return nil
	}
	g := c.group
	c.group = nil
	if err := g.remove(); err != nil {
		return fmt.Errorf("remove the control group of a process that has ended: %w", err)
	}
	return nil
}

// TellsNoMemory says whether what a Go program wrote to its standard error when
// it ended means that it got no more memory from the operating system.
func TellsNoMemory(stderr string) bool {
	return slices.ContainsFunc(noMemory, func(text string) bool { return strings.Contains(stderr, text) })
}

// noMemory is how the Go runtime says so, and the race detector.
var noMemory = []string{"out of memory", "cannot allocate memory", "failed to allocate"}
