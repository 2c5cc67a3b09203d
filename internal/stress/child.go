package stress

import (
	"context"
	"encoding/json"
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
	childStopsWithin = 3 * time.Second
	// silentAfter is how long a child may say nothing before that is told: it
	// takes a sample ten times a second.
	silentAfter = 3 * time.Second
)

// An order is what a child is started with: the first line of its input.
type order struct {
	// Documents are the scenarios of the plan, with every default and override
	// filled in.
	Documents []orderDocument `json:"documents"`
	// Hard is a limit on its memory, in bytes, that it has to keep by itself,
	// and NoGroup says why no control group does; 0 is none.
	Hard      int64  `json:"hard,omitempty"`
	NoGroup   string `json:"no_group,omitempty"`
	Steerable bool   `json:"steerable"`
}

type orderDocument struct {
	File   string `json:"file"`
	Source string `json:"source"`
}

// An instruction is any further line of a child's input. One of its fields is
// set.
type instruction struct {
	// Job is to be carried out; the next comes when its end was told.
	Job *job `json:"job,omitempty"`
	// Abort is the part of the running job whose loads are to end.
	Abort *int `json:"abort,omitempty"`
	// Command is of who watches the run. Stop ends the running job.
	Command *stream.Command `json:"command,omitempty"`
}

// A message is a line of a child's output. The first of a job says that it has begun:
// it has its number and time, and an event at most.
type message struct {
	// Job counts the jobs of the process, from 1; 0 is before the first. An
	// event may come late, after its job has ended.
	Job int `json:"job"`
	// At is the time since the job began.
	At time.Duration `json:"at"`
	// Event is a sample, a fault or a log, to be passed on; of a sample,
	// Measured says whether it is of the measured part.
	Event    *stream.Event `json:"event,omitempty"`
	Measured bool          `json:"measured,omitempty"`
	// Progress is what the job says so far of each of its parts, so that not
	// all is lost if the child dies.
	Progress []outcome    `json:"progress,omitempty"`
	Driving  *drivingPart `json:"driving,omitempty"`
	Took     *tookPart    `json:"took,omitempty"`
	// Done is what the job says at its end.
	Done *done `json:"done,omitempty"`
}

type drivingPart struct {
	Part int `json:"part"`
	loadState
}

type tookPart struct {
	Part int `json:"part"`
	interval
}

type done struct {
	Outcomes []outcome    `json:"outcomes"`
	Profiled profile.Part `json:"profiled"`
	// Failure says why the repetition did not come to its end.
	Failure string `json:"failure,omitempty"`
}

// check says what is wrong with a message of a process that is at that job, with
// so many parts.
func (m message) check(job, parts int) error {
	switch {
	case m.Job != job && m.Event == nil,
		m.Driving != nil && (m.Driving.Part < 0 || m.Driving.Part >= parts),
		m.Took != nil && (m.Took.Part < 0 || m.Took.Part >= parts),
		m.Progress != nil && len(m.Progress) != parts,
		m.Done != nil && len(m.Done.Outcomes) != parts:
		return errors.New("it does not speak of the job that it was given")
	case m.Event != nil && m.Event.Sample == nil && m.Event.Fault == nil && m.Event.Log == nil:
		return fmt.Errorf("it tells an event of type %q, which is not its to tell", m.Event.Type)
	}
	return nil
}

// A child is a rig in a process of its own, which is this program again. If the
// process dies, that costs the job that it was at, and the next job gets a new
// one.
type child struct {
	argv    []string
	limits  scenario.MemoryLimits
	order   order
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
func (r *run) newChild(limits scenario.MemoryLimits) *child {
	c := &child{argv: r.engine.Child, limits: limits, order: order{Steerable: r.engine.Steerable}}
	for _, s := range r.plan.Scenarios {
		c.order.Documents = append(c.order.Documents, orderDocument{File: s.File, Source: string(scenario.Show(s))})
	}
	return c
}

// run implements rig.
func (c *child) run(ctx context.Context, j job, w watcher) (outcomes []outcome, profiled profile.Part, err error) {
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
	if !p.send(instruction{Job: &j}) {
		why = "it did not take what it was told"
		p.kill()
	}
	for i, part := range j.Parts {
		stop := context.AfterFunc(part.aborted, func() { p.send(instruction{Abort: &i}) })
		defer stop()
	}
	var began time.Time
	var tooLate <-chan time.Time
	interrupted := ctx.Done()
	silence, heard := time.NewTimer(silentAfter), time.Now()
	defer silence.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				c.process = nil
				c.listen(nil)
				return outcomes, profiled, p.died(why)
			}
			silence.Reset(silentAfter)
			heard = time.Now()
			if err := m.check(c.jobs, len(j.Parts)); err != nil {
				why = err.Error()
				p.kill()
				continue
			}
			if m.Job != c.jobs {
				w.pass(heard, *m.Event, false)
				continue
			}
			if began.IsZero() {
				began = heard.Add(-m.At)
			}
			m.tell(began, w)
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
			interrupted, tooLate = nil, time.After(childStopsWithin)
			p.send(instruction{Command: &stream.Command{Do: stream.Stop}})
		case <-tooLate:
			why = fmt.Sprintf("it had not stopped %v after it was told to", childStopsWithin)
			p.kill()
		case <-silence.C:
			if time.Since(heard) > silentAfter+time.Second {
				// It was this process that could not hear, because it was
				// suspended.
				silence.Reset(silentAfter)
				heard = time.Now()
				continue
			}
			w.pass(time.Now(), logged("warn", "the child process that runs the load has said nothing for %.0f s", silentAfter.Seconds()), false)
		}
	}
}

// start starts the process.
func (c *child) start(w watcher) (err error) {
	if len(c.argv) == 0 {
		return errors.New("it needs a process of its own, which this run may not start")
	}
	if c.process, err = startProcess(c.argv, c.limits); err != nil {
		c.process = nil
		return fmt.Errorf("start a child process: %w", err)
	}
	o := c.order
	left, why := c.process.cell.Left()
	switch {
	case left > 0:
		o.Hard, o.NoGroup = left, why.Error()
	case c.limits.Hard > 0:
		w.pass(time.Now(), logged("info", "the process of its own may hold %s, kept by a control group", report.Quantity(float64(c.limits.Hard), "bytes")), false)
	}
	c.jobs = 0
	c.process.send(o)
	return nil
}

// logged is a message to the reader.
func logged(level, format string, args ...any) stream.Event {
	return stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: fmt.Sprintf(format, args...)}}
}

// tell passes a message of a job on.
func (m message) tell(began time.Time, w watcher) {
	at := began.Add(m.At)
	if m.Event != nil {
		w.pass(at, *m.Event, m.Measured)
	}
	if m.Driving != nil {
		w.driving(at, m.Driving.Part, m.Driving.loadState)
	}
	if m.Took != nil {
		w.took(at, m.Took.Part, m.Took.interval)
	}
}

// command implements rig.
func (c *child) command(asked stream.Command) error {
	once := asked.Do == stream.InjectFault
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !once && c.asked[asked.Do] == asked:
		return nil
	case c.listener == nil && once:
		return fault.ErrNoLoad
	case c.listener != nil && !c.listener.send(instruction{Command: &asked}):
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
func (c *child) listen(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = p
	if p == nil {
		return
	}
	for _, do := range slices.Sorted(maps.Keys(c.asked)) {
		p.send(instruction{Command: new(c.asked[do])})
	}
}

// close implements rig.
func (c *child) close() error {
	c.listen(nil)
	if c.process == nil {
		return nil
	}
	err := c.process.end()
	c.process = nil
	return err
}

// unmarshalMessage reads a line of a child's output.
func unmarshalMessage(line []byte) (m message, err error) {
	err = json.Unmarshal(line, &m)
	return m, err
}
