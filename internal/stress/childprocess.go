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
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

const (
	// childStopsWithin is how long a child that was told to stop may take
	// before it is killed: it has to end its load and say what it measured.
	childStopTimeout = 3 * time.Second
	// silentAfter is how long a child may say nothing before that is told: it
	// takes a sample ten times a second.
	silenceTimeout = 3 * time.Second
)

// A child is a rig in a process of its own, which is this program again. If the
// process dies, that costs the job that it was at, and the next job gets a new
// one.
type childProcess struct {
	argv    []string
	limits  scenario.MemoryLimits
	setup   setup
	process *process // nil if there is none now
	jobs    int      // that the process was given

	mu sync.Mutex // guards what follows
	// asked is the latest command of each kind, for the next process too.
	asked map[stream.Do]stream.Command
	// listener takes commands now; nil if nothing does.
	listener *process
}

// newChild returns a rig for the plan's repetitions, within limits. The process
// is started with the first of them.
func (r *run) newChildProcess(limits scenario.MemoryLimits) *childProcess {
	c := &childProcess{argv: r.engine.Child, limits: limits, setup: setup{Steerable: r.engine.Steerable}}
	for _, s := range r.plan.Scenarios {
		c.setup.Documents = append(c.setup.Documents, setupDocument{File: s.File, Source: string(scenario.Show(s))})
	}
	return c
}

// run implements rig.
func (c *childProcess) run(ctx context.Context, j job, w observer) (outcomes []outcome, profiled profile.Part, err error) {
	outcomes = make([]outcome, len(j.Parts))
	if c.process == nil {
		if err := c.start(w); err != nil {
			return outcomes, profiled, err
		}
		c.listen(c.process)
	}
	p := c.process
	c.jobs++
	var why string // it was killed
	if !p.send(request{Job: &j}) {
		why = "it did not take what it was told"
		p.kill()
	}
	for i, part := range j.Parts {
		stop := context.AfterFunc(part.aborted, func() { p.send(request{Abort: &i}) })
		defer stop()
	}
	var began time.Time
	var tooLate <-chan time.Time
	interrupted := ctx.Done()
	silence, heard := time.NewTimer(silenceTimeout), time.Now()
	defer silence.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				c.process = nil
				c.listen(nil)
				return outcomes, profiled, p.died(why)
			}
			silence.Reset(silenceTimeout)
			heard = time.Now()
			if err := m.check(c.jobs, len(j.Parts)); err != nil {
				why = err.Error()
				p.kill()
				continue
			}
			if m.Job != c.jobs {
				w.event(heard, *m.Event, false)
				continue
			}
			if began.IsZero() {
				began = heard.Add(-m.At)
			}
			m.deliver(began, w)
			if m.Progress != nil {
				outcomes = m.Progress
			}
			if d := m.Done; d != nil {
				if d.Failure != "" {
					err = errors.New(d.Failure)
				}
				return d.Outcomes, d.Profiled, err
			}
		case <-interrupted:
			interrupted, tooLate = nil, time.After(childStopTimeout)
			p.send(request{Command: &stream.Command{Do: stream.Stop}})
		case <-tooLate:
			why = fmt.Sprintf("it had not stopped %v after it was told to", childStopTimeout)
			p.kill()
		case <-silence.C:
			if time.Since(heard) > silenceTimeout+time.Second {
				// It was this process that could not hear, because it was
				// suspended.
				silence.Reset(silenceTimeout)
				heard = time.Now()
				continue
			}
			w.event(time.Now(), logged("warn", "the child process that runs the load has said nothing for %.0f s", silenceTimeout.Seconds()), false)
		}
	}
}

// start starts the process.
func (c *childProcess) start(w observer) (err error) {
	if len(c.argv) == 0 {
		return errors.New("it needs a process of its own, which this run may not start")
	}
	if c.process, err = startProcess(c.argv, c.limits); err != nil {
		c.process = nil
		return fmt.Errorf("start a child process: %w", err)
	}
	o := c.setup
	left, why := c.process.cell.Left()
	switch {
	case left > 0:
		o.Hard, o.NoGroup = left, why.Error()
	case c.limits.Hard > 0:
		w.event(time.Now(), logged("info", "the process of its own may hold %s, kept by a control group", report.Quantity(float64(c.limits.Hard), "bytes")), false)
	}
	c.jobs = 0
	c.process.send(o)
	return nil
}

// logged is a message to the reader.
func logged(level, format string, args ...any) stream.Event {
	return stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: fmt.Sprintf(format, args...)}}
}

// command implements rig.
func (c *childProcess) command(asked stream.Command) error {
	once := asked.Do == stream.InjectFault
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !once && c.asked[asked.Do] == asked:
		return nil
	case c.listener == nil && once:
		return fault.ErrNoLoad
	case c.listener != nil && !c.listener.send(request{Command: &asked}):
		return errors.New("the process that runs the load does not take it: it has ended, or hangs")
	}
	if !once {
		if c.asked == nil {
			c.asked = map[stream.Do]stream.Command{}
		}
		c.asked[asked.Do] = asked
	}
	return nil
}

// listen says which process takes commands from now on, and tells it what was
// asked for before.
func (c *childProcess) listen(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = p
	if p == nil {
		return
	}
	for _, do := range slices.Sorted(maps.Keys(c.asked)) {
		p.send(request{Command: new(c.asked[do])})
	}
}

// close implements rig.
func (c *childProcess) close() error {
	c.listen(nil)
	if c.process == nil {
		return nil
	}
	err := c.process.end()
	c.process = nil
	return err
}
