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

	"mabeam-top/internal/stress/confine"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// exitHung is the exit code of a child whose load did not stop.
const exitHung = 3

// ServeChild is the child's side: it reads the plan from in, carries out the
// jobs that it is told to, and writes what goes on to out. It returns when in
// ends, because then its parent has no more work or is gone, or when ctx ends.
// It never outlives that for long: if the load does not stop in time, it ends
// the process.
func ServeChild(ctx context.Context, cat Catalogue, components []string, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	o, plan, err := readSetup(cat.Descriptions(), components, lines)
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	b, err := newInProcess(plan, cat, o.Steerable)
	if err != nil {
		return err
	}
	s := &server{bench: b, out: json.NewEncoder(out)}
	s.out.SetEscapeHTML(false)
	if o.Hard > 0 {
		s.limit(o)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	returned := make(chan struct{})
	defer close(returned)
	go func() { // ends when ServeChild returns
		<-ctx.Done()
		select {
		case <-returned:
		case <-time.After(childStopTimeout):
			os.Exit(exitHung)
		}
	}()
	jobs := make(chan servedJob, 1)
	go func() { // ends with its input, which is the process's own
		defer stop()
		defer close(jobs)
		listen(ctx, lines, jobs, s.command)
	}()
	for j := range jobs {
		if err := s.serve(j); err != nil {
			return fmt.Errorf("tell the parent: %w", err)
		}
	}
	return nil
}

// readOrder reads the first line of a child's input.
func readSetup(cat scenario.Catalogue, components []string, lines *bufio.Reader) (o setup, _ scenario.Plan, _ error) {
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return o, scenario.Plan{}, err
	}
	if err := json.Unmarshal(first, &o); err != nil {
		return o, scenario.Plan{}, err
	}
	var documents []scenario.Document
	for _, d := range o.Documents {
		documents = append(documents, scenario.Document{File: d.File, Source: []byte(d.Source)})
	}
	scenarios, err := scenario.ParseShown(cat, components, documents...)
	return o, scenario.Plan{Scenarios: scenarios}, err
}

// A servedJob is a job with what ends it, or the loads of its parts.
type servedJob struct {
	job
	ctx    context.Context
	stop   context.CancelFunc
	aborts []context.CancelFunc
}

// listen reads instructions until there are no more.
func listen(ctx context.Context, lines *bufio.Reader, jobs chan<- servedJob, command func(stream.Command)) {
	var now servedJob
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var i request
		if json.Unmarshal(line, &i) != nil {
			return // whoever this is, it is not the parent
		}
		switch {
		case i.Job != nil:
			now = servedJob{job: *i.Job}
			now.ctx, now.stop = context.WithCancel(ctx)
			now.aborts = make([]context.CancelFunc, len(now.Parts))
			for p := range now.Parts {
				now.Parts[p].aborted, now.aborts[p] = context.WithCancel(context.Background())
			}
			select {
			case jobs <- now:
			case <-ctx.Done():
				return
			}
		case i.Abort != nil && *i.Abort < len(now.aborts):
			now.aborts[*i.Abort]()
		case i.Command != nil && i.Command.Do == stream.Stop && now.stop != nil:
			now.stop()
		case i.Command != nil:
			command(*i.Command)
		}
	}
}

// A server carries out the jobs of a child and tells its parent what goes on.
type server struct {
	bench *inProcess
	first *stream.Event // is told with the first job; nil is nothing

	mu    sync.Mutex // one message at a time; guards what follows
	out   *json.Encoder
	err   error     // of the first that could not be written
	job   int       // the number of the running job, or of the last
	began time.Time // when that began
}

// serve carries out a job. The error says that the parent could not be told.
func (s *server) serve(j servedJob) error {
	defer j.stop()
	now := time.Now()
	s.mu.Lock()
	s.job++
	s.began = now
	s.mu.Unlock()
	s.write(now, message{Event: s.first})
	s.first = nil
	outcomes, profiled, err := s.bench.run(j.ctx, j.job, s)
	d := &jobResult{Outcomes: outcomes, Profiled: profiled}
	if err != nil {
		d.Failure = err.Error()
	}
	s.write(time.Now(), message{Done: d})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// limit limits the memory of this process, as no control group does.
func (s *server) limit(o setup) {
	limit, err := confine.KeepOwn(o.Hard)
	var told stream.Event
	if err != nil {
		s.bench.missingLimit = fmt.Sprintf("there is no hard limit on memory: %s; %v", o.NoGroup, err)
		told = logged("warn", "%s", s.bench.missingLimit)
	} else {
		told = logged("info", "the process of its own may hold about %s, kept by a limit on the process, which ends it at %s of mapped memory (%s)",
			report.Quantity(float64(o.Hard), "bytes"), report.Quantity(float64(limit), "bytes"), o.NoGroup)
	}
	s.first = &told
}

// write writes a message. A parent that does not read holds up whoever has
// something to tell: the sampler, and the end of a load, but no operation.
func (s *server) write(at time.Time, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Job, m.At = s.job, at.Sub(s.began)
	if s.err == nil {
		s.err = s.out.Encode(m)
	}
}

// command does what a viewer asks of the load, or logs why not.
func (s *server) command(c stream.Command) {
	if err := s.bench.command(c); err != nil {
		s.event(time.Now(), logged("warn", "%v", err), false)
	}
}

// pass implements watcher.
func (s *server) event(at time.Time, e stream.Event, measured bool) {
	m := message{Event: &e, Measured: measured}
	if e.Type == stream.SampleTaken && measured {
		m.Progress = s.bench.load.progress()
	}
	s.write(at, m)
}

// took implements watcher.
func (s *server) interval(at time.Time, part int, i interval) {
	s.write(at, message{Took: &partInterval{part, i}})
}

// driving implements watcher.
func (s *server) loadChanged(at time.Time, part int, l loadState) {
	s.write(at, message{Driving: &partLoadState{part, l}})
}
