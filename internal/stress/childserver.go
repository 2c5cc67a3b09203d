package stress

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"mabeam-top/internal/stress/memlimit"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// exitHung is the exit code of a child whose load did not stop.
const exitHung = 3

// ServeChild is the child's side: it reads the plan from in, runs the jobs that follow,
// and writes what happens to out. It returns when in ends, because its parent then has
// no more work or is gone, or when ctx ends. It never outlives that for long: if the
// load does not stop in time, it exits the process.
func ServeChild(ctx context.Context, cat Catalogue, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := readSetup(cat.Descriptions(), lines)
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	e, err := newInProcess(first.Plan, cat, first.Steerable)
	if err != nil {
		return err
	}
	s := &server{executor: e, out: json.NewEncoder(out)}
	s.out.SetEscapeHTML(false)
	if first.Hard > 0 {
		s.limitMemory(first)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	returned := make(chan struct{})
	defer close(returned)
	go exitIfHung(ctx, returned) // ends when ServeChild returns
	jobs := make(chan servedJob, 1)
	go func() { // ends with the input, which belongs to the process
		defer stop()
		defer close(jobs)
		listen(ctx, lines, jobs, s.command)
	}()
	for j := range jobs {
		if err := s.serve(j); err != nil {
			return fmt.Errorf("write to the parent: %w", err)
		}
	}
	return nil
}

// exitIfHung exits the process if ctx has ended and ServeChild has not returned in
// time.
func exitIfHung(ctx context.Context, returned <-chan struct{}) {
	<-ctx.Done()
	select {
	case <-returned:
	case <-time.After(childStopTimeout):
		os.Exit(exitHung)
	}
}

// readSetup reads the first line of a child's input.
func readSetup(cat scenario.Catalogue, lines *bufio.Reader) (setup, error) {
	var first struct {
		setup
		Plan json.RawMessage `json:"plan"`
	}
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return setup{}, err
	}
	if err := json.Unmarshal(line, &first); err != nil {
		return setup{}, err
	}
	first.setup.Plan, err = cat.DecodePlan(first.Plan)
	return first.setup, err
}

// A servedJob is a job with the functions that end it, or the loads of its parts.
type servedJob struct {
	job
	ctx    context.Context
	stop   context.CancelFunc
	aborts []context.CancelFunc
}

func newServedJob(ctx context.Context, j job) servedJob {
	s := servedJob{job: j, aborts: make([]context.CancelFunc, len(j.Parts))}
	s.ctx, s.stop = context.WithCancel(ctx)
	for p := range s.Parts {
		s.Parts[p].aborted, s.aborts[p] = context.WithCancel(context.Background())
	}
	return s
}

// listen reads requests until there are no more.
func listen(ctx context.Context, lines *bufio.Reader, jobs chan<- servedJob, command func(stream.Command)) {
	var now servedJob
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		if json.Unmarshal(line, &r) != nil {
			return // whoever this is, it is not the parent
		}
		switch {
		case r.Job != nil:
			now = newServedJob(ctx, *r.Job)
			select {
			case jobs <- now:
			case <-ctx.Done():
				return
			}
		case r.Abort != nil && *r.Abort < len(now.aborts):
			now.aborts[*r.Abort]()
		case r.Command != nil && r.Command.Do == stream.Stop && now.stop != nil:
			now.stop()
		case r.Command != nil:
			command(*r.Command)
		}
	}
}

// A server runs the jobs of a child and writes messages to its parent.
type server struct {
	executor *inProcess
	first    *stream.Event // sent with the first job; nil is none

	mu    sync.Mutex // one message at a time; guards what follows
	out   *json.Encoder
	err   error     // of the first message that could not be written
	job   int       // number of the current or the latest job
	began time.Time // when that began
}

// serve runs a job. The error says that the parent cannot be written to.
func (s *server) serve(j servedJob) error {
	defer j.stop()
	now := time.Now()
	s.mu.Lock()
	s.job++
	s.began = now
	s.mu.Unlock()
	s.write(now, message{Event: s.first})
	s.first = nil
	outcomes, profiled, err := s.executor.run(j.ctx, j.job, s)
	result := &jobResult{Outcomes: outcomes, Profiled: profiled}
	if err != nil {
		result.Failure = err.Error()
	}
	s.write(time.Now(), message{Result: result})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// limitMemory limits the memory of this process, because no control group does.
func (s *server) limitMemory(first setup) {
	limit, err := memlimit.LimitProcess(first.Hard)
	var event stream.Event
	if err != nil {
		s.executor.missingLimit = fmt.Sprintf("there is no hard limit on memory: %s; %v", first.NoGroup, err)
		event = logged("warn", "%s", s.executor.missingLimit)
	} else {
		event = logged("info", "a process limit of %s of mapped memory limits the memory of the child process to about %s (%s)",
			quantity.Format(float64(limit), "bytes"), quantity.Format(float64(first.Hard), "bytes"), first.NoGroup)
	}
	s.first = &event
}

// write writes a message. A parent that does not read delays the sampler and the end
// of a load, but no operation.
func (s *server) write(at time.Time, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Job, m.At = s.job, at.Sub(s.began)
	if s.err == nil {
		s.err = s.out.Encode(m)
	}
}

// command applies a command of a viewer, or logs why it cannot.
func (s *server) command(c stream.Command) {
	if err := s.executor.command(c); err != nil {
		s.event(time.Now(), logged("warn", "%v", err), false)
	}
}

// event implements observer.
func (s *server) event(at time.Time, e stream.Event, measured bool) {
	m := message{Event: &e, Measured: measured}
	if e.Type == stream.SampleTaken && measured {
		m.Progress = s.executor.loads.progress()
	}
	s.write(at, m)
}

// interval implements observer.
func (s *server) interval(at time.Time, part int, i interval) {
	s.write(at, message{Interval: &partInterval{part, i}})
}

// loadChanged implements observer.
func (s *server) loadChanged(at time.Time, part int, l loadState) {
	s.write(at, message{Load: &partLoadState{part, l}})
}
