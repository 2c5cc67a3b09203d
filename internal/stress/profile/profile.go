// Package profile writes profiles of the Go runtime that cover only the measured
// parts of a run, without warm-ups and the time between repetitions.
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

// Files are the names of the files to write; an empty name requests no file.
type Files struct {
	// CPU is a CPU profile of all repetitions, in the pprof format.
	CPU string `json:"cpu,omitempty"`
	// Memory is a memory profile in the pprof format: the allocations of all
	// repetitions, and the growth of the memory in use during each of them.
	Memory string `json:"memory,omitempty"`
	// Trace is an execution trace of the first repetition, for go tool trace. Traces are
	// large and cannot be merged.
	Trace string `json:"trace,omitempty"`
	// TracePartial is the name of the trace's file until it is complete. A Collection
	// sets it, so that it can remove the file of a process that dies.
	TracePartial string `json:"trace_partial,omitempty"`
}

// A Recorder records profiles of a measured part in its process. Only one Recorder can
// record at a time. The zero value is ready. It is not safe for concurrent use.
type Recorder struct {
	part     Part
	cpu      *bytes.Buffer
	memory   bool
	traceNow *traceFile
}

// A Part holds the profiles of one measured part.
type Part struct {
	// CPU and Memory are profiles at the end of the part, MemoryBefore is the memory
	// profile at its start; each is empty if it was not requested.
	CPU          []byte `json:"cpu,omitempty"`
	Memory       []byte `json:"memory,omitempty"`
	MemoryBefore []byte `json:"memory_before,omitempty"`
	// Traced says that the trace was written, or that Errors says why not.
	Traced bool `json:"traced,omitempty"`
	// Errors are the errors of the recording.
	Errors []string `json:"errors,omitempty"`
}

// Begin begins to record the requested profiles.
func (r *Recorder) Begin(files Files) {
	*r = Recorder{memory: files.Memory != ""}
	if r.memory {
		r.part.MemoryBefore = r.heap()
	}
	if files.Trace != "" {
		r.part.Traced = true
		var err error
		if r.traceNow, err = startTrace(files); err != nil {
			r.failed(fmt.Errorf("trace: %w", err))
		}
	}
	if files.CPU != "" {
		r.cpu = &bytes.Buffer{}
		if err := pprof.StartCPUProfile(r.cpu); err != nil {
			r.cpu = nil
			r.failed(fmt.Errorf("CPU profile: %w", err))
		}
	}
}

// End ends the recording and returns the profiles.
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

func (r *Recorder) failed(err error) { r.part.Errors = append(r.part.Errors, err.Error()) }

// heap returns the current memory profile. It needs two garbage collections: a profile
// shows the allocations before the start of the last collection, and what was in use at
// its end.
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

// A Collection merges the parts of a run. It is not safe for concurrent use.
type Collection struct {
	Files Files

	cpu, memory *profile.Profile
	traced      bool   // whether a part was traced
	partial     string // name of the trace's file of the next part until it is complete
	errs        []error
}

// Next returns the files that the next part must record.
func (c *Collection) Next() Files {
	files := c.Files
	switch {
	case c.traced:
		files.Trace = ""
	case files.Trace != "":
		c.partial = atomicfile.PartialName(files.Trace)
		files.TracePartial = c.partial
	}
	return files
}

// Add adds a part. The part of a process that died is empty; Add removes its unfinished
// trace.
func (c *Collection) Add(part Part) {
	switch {
	case part.Traced:
		c.traced = true
	case c.partial != "" && !c.traced:
		if err := atomicfile.RemovePartial(c.Files.Trace, c.partial); err != nil {
			c.failed(err)
		}
	}
	for _, message := range part.Errors {
		c.failed(errors.New(message))
	}
	c.add(&c.cpu, part.CPU, nil)
	c.add(&c.memory, part.Memory, part.MemoryBefore)
}

// Write writes the files after the last part, each completely or not at all. It joins
// all errors.
func (c *Collection) Write() error {
	if c.memory != nil {
		c.memory.DefaultSampleType = "alloc_space"
		// The profiling itself allocates, too.
		profiling := regexp.MustCompile(`^runtime/(pprof|trace)\.|/profile\.\(\*Recorder\)\.(Begin|End)$`)
		c.memory.FilterSamplesByName(nil, profiling, nil, nil)
		c.memory = c.memory.Compact()
	}
	for _, one := range []struct {
		path    string
		profile *profile.Profile
	}{{c.Files.CPU, c.cpu}, {c.Files.Memory, c.memory}} {
		switch {
		case one.path == "":
		case one.profile == nil:
			c.failed(fmt.Errorf("write %s: nothing was profiled, because nothing was measured", one.path))
		default:
			if err := atomicfile.Write(one.path, one.profile.Write); err != nil {
				c.failed(err)
			}
		}
	}
	if c.Files.Trace != "" && !c.traced {
		c.failed(fmt.Errorf("write %s: nothing was traced, because nothing was measured", c.Files.Trace))
	}
	return errors.Join(c.errs...)
}

// failed adds an error, unless an equal one is there already.
func (c *Collection) failed(err error) {
	for _, known := range c.errs {
		if known.Error() == err.Error() {
			return
		}
	}
	c.errs = append(c.errs, err)
}

// add adds the profile of a part, minus the profile from before the part.
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
			c.failed(fmt.Errorf("parse a recorded profile: %w", err))
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
		c.failed(fmt.Errorf("merge the profiles of the repetitions: %w", err))
		return
	}
	*to = merged
}

// A traceFile is an execution trace that is being written.
type traceFile struct {
	*atomicfile.File
	err error // of the first failed write, which the runtime ignores
}

func startTrace(files Files) (*traceFile, error) {
	file, err := atomicfile.CreateAs(files.Trace, cmp.Or(files.TracePartial, atomicfile.PartialName(files.Trace)))
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

// Write implements io.Writer.
func (t *traceFile) Write(p []byte) (int, error) {
	n, err := t.File.Write(p)
	if t.err == nil {
		t.err = err
	}
	return n, err
}

func (t *traceFile) stop() error {
	trace.Stop() // waits until everything is written
	if t.err != nil {
		return errors.Join(t.err, t.Discard())
	}
	return t.Commit()
}
