// Package profile writes profiles of the Go runtime that cover the measured
// part of a run and nothing else: neither warm-ups nor what happens between
// repetitions.
package profile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"runtime/pprof"
	"runtime/trace"

	"mabeam-top/internal/atomicfile"

	"github.com/google/pprof/profile"
)

// Files are where profiles are written; an empty name is one that is not
// wanted. The zero value wants none.
type Files struct {
	// CPU is a pprof file of where the processors' time went in all
	// repetitions.
	CPU string `json:"cpu,omitempty"`
	// Memory is a pprof file of what all repetitions allocated, and what more
	// was in use after each than before it.
	Memory string `json:"memory,omitempty"`
	// Trace is an execution trace, for go tool trace, of the first repetition:
	// traces are large, and several are not one.
	Trace string `json:"trace,omitempty"`
	// TracePartial is what the trace's file is called until it is whole. A
	// Collection sets it, so that it can remove what a process leaves that
	// dies while it writes the trace.
	TracePartial string `json:"trace_partial,omitempty"`
}

// A Recorder records profiles while a measured part runs, in the process that
// it runs in; only one can do so at a time. The zero value is ready. It is not
// safe for several goroutines.
type Recorder struct {
	part     Part
	cpu      *bytes.Buffer
	memory   bool
	traceNow *traceFile
}

// A Part is what was recorded of one measured part.
type Part struct {
	// CPU and Memory are profiles, MemoryBefore the memory profile at the
	// part's beginning; each is empty if it was not wanted.
	CPU          []byte `json:"cpu,omitempty"`
	Memory       []byte `json:"memory,omitempty"`
	MemoryBefore []byte `json:"memory_before,omitempty"`
	// Traced says that the trace was written, or why it could not be is told.
	Traced bool `json:"traced,omitempty"`
	// Faults are what went wrong.
	Faults []string `json:"faults,omitempty"`
}

// Begin begins a measured part of which these profiles are wanted.
func (r *Recorder) Begin(wanted Files) {
	*r = Recorder{memory: wanted.Memory != ""}
	if r.memory {
		r.part.MemoryBefore = r.heap()
	}
	if wanted.Trace != "" {
		r.part.Traced = true
		var err error
		if r.traceNow, err = startTrace(wanted); err != nil {
			r.failed(fmt.Errorf("trace: %w", err))
		}
	}
	if wanted.CPU != "" {
		r.cpu = &bytes.Buffer{}
		if err := pprof.StartCPUProfile(r.cpu); err != nil {
			r.cpu = nil
			r.failed(fmt.Errorf("CPU profile: %w", err))
		}
	}
}

// End ends the measured part that was begun, and returns what was recorded.
func (r *Recorder) End() Part {
	if r.cpu != nil {
		pprof.StopCPUProfile()
		r.part.CPU = r.cpu.Bytes()
	}
	if r.traceNow != nil {
		if err := r.traceNow.stop(); err != nil {
			r.failed(fmt.Errorf("trace: %w", err))
		}
	}
	if r.memory {
		r.part.Memory = r.heap()
	}
	return r.part
}

func (r *Recorder) failed(err error) { r.part.Faults = append(r.part.Faults, err.Error()) }

// heap is the memory profile now. It tells what had been allocated when the
// garbage collector last began, and what of it was in use when it last ended.
func (r *Recorder) heap() []byte {
	runtime.GC()
	runtime.GC()
	var b bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&b, 0); err != nil {
		r.failed(fmt.Errorf("memory profile: %w", err))
		return nil
	}
	return b.Bytes()
}

// A Collection puts the parts of a run together. It is not safe for several
// goroutines.
type Collection struct {
	Files Files

	cpu, memory *profile.Profile
	traced      bool   // a part was
	partial     string // what the trace's file of the next part is called until it is whole
	faults      []error
}

// Wanted is what is wanted of the next part.
func (c *Collection) Wanted() Files {
	wanted := c.Files
	switch {
	case c.traced:
		wanted.Trace = ""
	case wanted.Trace != "":
		c.partial = atomicfile.PartialName(wanted.Trace)
		wanted.TracePartial = c.partial
	}
	return wanted
}

// Add adds a part to those before it. A part whose process died has nothing in
// it, and the trace that was begun of it is removed.
func (c *Collection) Add(part Part) {
	switch {
	case part.Traced:
		c.traced = true
	case c.partial != "" && !c.traced:
		if err := atomicfile.RemovePartial(c.Files.Trace, c.partial); err != nil {
			c.failed(err)
		}
	}
	for _, fault := range part.Faults {
		c.failed(errors.New(fault))
	}
	c.add(&c.cpu, part.CPU, nil)
	c.add(&c.memory, part.Memory, part.MemoryBefore)
}

// own are the functions in which taking profiles itself allocates.
var own = regexp.MustCompile(`^runtime/(pprof|trace)\.|/profile\.\(\*Recorder\)\.(Begin|End)$`)

// Write writes the files after the last part, each whole or not at all. The
// error joins everything that went wrong.
func (c *Collection) Write() error {
	if c.memory != nil {
		c.memory.DefaultSampleType = "alloc_space"
		c.memory.FilterSamplesByName(nil, own, nil, nil)
		c.memory = c.memory.Compact()
	}
	for _, one := range []struct {
		path    string
		profile *profile.Profile
	}{{c.Files.CPU, c.cpu}, {c.Files.Memory, c.memory}} {
		switch {
		case one.path == "":
		case one.profile == nil:
			c.failed(fmt.Errorf("write %s: nothing was measured that could be profiled", one.path))
		default:
			if err := atomicfile.Write(one.path, one.profile.Write); err != nil {
				c.failed(err)
			}
		}
	}
	if c.Files.Trace != "" && !c.traced {
		c.failed(fmt.Errorf("write %s: nothing was measured that could be traced", c.Files.Trace))
	}
	return errors.Join(c.faults...)
}

// failed notes an error; the same one of each repetition is told once.
func (c *Collection) failed(err error) {
	for _, known := range c.faults {
		if known.Error() == err.Error() {
			return
		}
	}
	c.faults = append(c.faults, err)
}

// add adds the profile of a part to those before it, less what there was when
// it began.
func (c *Collection) add(to **profile.Profile, part, before []byte) {
	if len(part) == 0 {
		return
	}
	var all []*profile.Profile
	for _, data := range [][]byte{part, before} {
		if len(data) == 0 {
			continue
		}
		p, err := profile.ParseData(data)
		if err != nil {
			c.failed(fmt.Errorf("read a profile that was taken: %w", err))
			return
		}
		all = append(all, p)
	}
	if len(all) == 2 {
		all[1].Scale(-1)
	}
	if *to != nil {
		all = append(all, *to)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		c.failed(fmt.Errorf("put the profiles of the repetitions together: %w", err))
		return
	}
	*to = merged
}

// A traceFile is an execution trace that is being written.
type traceFile struct {
	*atomicfile.File
	err error // of the first write that failed; the runtime does not tell
}

func startTrace(wanted Files) (*traceFile, error) {
	file, err := atomicfile.CreateAs(wanted.Trace, cmp.Or(wanted.TracePartial, atomicfile.PartialName(wanted.Trace)))
	if err != nil {
		return nil, err
	}
	t := &traceFile{File: file}
	if err := trace.Start(t); err != nil {
		return nil, errors.Join(err, file.Discard())
	}
	return t, nil
}

var _ io.Writer = (*traceFile)(nil)

// Write implements io.Writer, for the runtime's own goroutine.
func (t *traceFile) Write(p []byte) (int, error) {
	n, err := t.File.Write(p)
	if t.err == nil {
		t.err = err
	}
	return n, err
}

func (t *traceFile) stop() error {
	trace.Stop() // waits until all is written
	if t.err != nil {
		return errors.Join(t.err, t.Discard())
	}
	return t.Commit()
}
