package stress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

const (
	// childStopTimeout is how long a child can take to end its load and to report
	// what it measured, before it is killed.
	childStopTimeout = 3 * time.Second
	// silenceTimeout is how long a child can send nothing before a warning is
	// logged: it sends a sample ten times a second.
	silenceTimeout = 3 * time.Second
)

// A childProcess carries out repetitions in a process of their own, which is this
// program again. If the process dies, its current job is lost, and the next job gets a
// new process.
type childProcess struct {
	argv    []string
	limits  scenario.MemoryLimits
	setup   setup
	process *process // nil if there is none now
	jobs    int      // that the process got

	mu sync.Mutex // guards what follows
	// settings has the latest command of each kind, also for the next process.
	settings map[stream.Do]stream.Command
	// listener gets commands now; nil if there is no process.
	listener *process
}

// newChildProcess returns an executor for the plan's repetitions, within limits. It
// starts its process with the first repetition.
func (r *run) newChildProcess(limits scenario.MemoryLimits) *childProcess {
	return &childProcess{
		argv: r.engine.Child, limits: limits,
		setup: setup{Plan: r.plan, Steerable: r.engine.Steerable},
	}
}

// run implements executor.
func (c *childProcess) run(ctx context.Context, j job, o observer) ([]outcome, profile.Part, error) {
	r := &childJob{process: c.process, observer: o, parts: len(j.Parts), outcomes: make([]outcome, len(j.Parts)), heard: time.Now()}
	if c.process == nil {
		if err := c.start(o); err != nil {
			return r.outcomes, profile.Part{}, err
		}
		r.process = c.process
		c.listen(c.process)
	}
	c.jobs++
	r.number = c.jobs
	if !r.process.send(request{Job: &j}) {
		r.kill("it did not accept its job")
	}
	for i, part := range j.Parts {
		stop := context.AfterFunc(part.aborted, func() { r.process.send(request{Abort: &i}) })
		defer stop()
	}
	if result := r.wait(ctx); result != nil {
		var err error
		if result.Failure != "" {
			err = errors.New(result.Failure)
		}
		return result.Outcomes, result.Profiled, err
	}
	c.process = nil
	c.listen(nil)
	return r.outcomes, profile.Part{}, r.process.died(r.killed)
}

// A childJob is a job that runs in a child process.
type childJob struct {
	process       *process
	observer      observer
	number, parts int
	outcomes      []outcome // so far
	began         time.Time
	heard         time.Time // of the latest message
	killed        string    // why the process was killed; empty if it was not
}

// wait passes the messages of the process on until the job has a result. It returns
// nil if the process died.
func (r *childJob) wait(ctx context.Context) *jobResult {
	var tooLate <-chan time.Time
	interrupted := ctx.Done()
	silence := time.NewTimer(silenceTimeout)
	defer silence.Stop()
	for {
		select {
		case m, ok := <-r.process.messages:
			if !ok {
				return nil
			}
			silence.Reset(silenceTimeout)
			if result := r.receive(m); result != nil {
				return result
			}
		case <-interrupted:
			interrupted, tooLate = nil, time.After(childStopTimeout)
			r.process.send(request{Command: &stream.Command{Do: stream.Stop}})
		case <-tooLate:
			r.kill(fmt.Sprintf("it did not stop within %v", childStopTimeout))
		case <-silence.C:
			if time.Since(r.heard) > silenceTimeout+time.Second {
				// This process was suspended and could not hear.
				silence.Reset(silenceTimeout)
				r.heard = time.Now()
				continue
			}
			r.observer.event(time.Now(), logged("warn", "the child process that runs the load has sent nothing for %.0f s", silenceTimeout.Seconds()), false)
		}
	}
}

// receive passes a message on. It returns the result of the job if the message has
// it.
func (r *childJob) receive(m message) *jobResult {
	r.heard = time.Now()
	if err := m.check(r.number, r.parts); err != nil {
		r.kill(err.Error())
		return nil
	}
	if m.Job != r.number {
		r.observer.event(r.heard, *m.Event, false)
		return nil
	}
	if r.began.IsZero() {
		r.began = r.heard.Add(-m.At)
	}
	m.deliver(r.began, r.observer)
	if m.Progress != nil {
		r.outcomes = m.Progress
	}
	return m.Result
}

// kill kills the process.
func (r *childJob) kill(why string) {
	r.killed = why
	r.process.kill()
}

// start starts the process.
func (c *childProcess) start(o observer) (err error) {
	if len(c.argv) == 0 {
		return errors.New("it needs its own process, and this run cannot start any")
	}
	if c.process, err = startProcess(c.argv, c.limits); err != nil {
		c.process = nil
		return fmt.Errorf("start a child process: %w", err)
	}
	s := c.setup
	left, why := c.process.confinement.SelfLimit()
	switch {
	case left > 0:
		s.Hard, s.NoGroup = left, why.Error()
	case c.limits.Hard > 0:
		o.event(time.Now(), logged("info", "a control group limits the memory of the child process to %s", quantity.Format(float64(c.limits.Hard), "bytes")), false)
	}
	c.jobs = 0
	c.process.send(s)
	return nil
}

// logged returns a log event.
func logged(level, format string, args ...any) stream.Event {
	return stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: fmt.Sprintf(format, args...)}}
}

// command implements executor.
func (c *childProcess) command(asked stream.Command) error {
	once := asked.Do == stream.InjectFault
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !once && c.settings[asked.Do] == asked:
		return nil
	case c.listener == nil && once:
		return fault.ErrNoLoad
	case c.listener != nil && !c.listener.send(request{Command: &asked}):
		return errors.New("the child process that runs the load does not accept the command: it has ended or hangs")
	}
	if !once {
		if c.settings == nil {
			c.settings = map[stream.Do]stream.Command{}
		}
		c.settings[asked.Do] = asked
	}
	return nil
}

// listen sets the process that gets commands, and sends it the settings that were made
// before.
func (c *childProcess) listen(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = p
	if p == nil {
		return
	}
	for _, do := range slices.Sorted(maps.Keys(c.settings)) {
		p.send(request{Command: new(c.settings[do])})
	}
}

// close implements executor.
func (c *childProcess) close() error {
	c.listen(nil)
	if c.process == nil {
		return nil
	}
	err := c.process.end()
	c.process = nil
	return err
}
