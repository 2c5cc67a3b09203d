package stress

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

const (
	// childStopsWithin is how long a child that was told to stop may take
	// before it is killed: it has to end its load and write its report.
	childStopsWithin = 3 * time.Second
	// silentAfter is how long a child may say nothing before that is told: it
	// takes a sample ten times a second.
	silentAfter = 3 * time.Second
	// overdueAfter is how long after its scenario's timeout a child may still
	// take before it is killed: it should have stopped the scenario itself.
	overdueAfter = 10 * time.Second
	// flushWithin is how long a child waits for a parent that does not read.
	flushWithin = 100 * time.Millisecond
	// keptStderr is how much of a child's standard error is kept, to be told
	// if it dies. The beginning says why; stack traces follow.
	keptStderr = 2 << 10
)

// An order is what the child is started with: the first line of its input.
type order struct {
	// Documents are the scenarios with every default and override filled in.
	Documents []orderDocument `json:"documents"`
	Command   []string        `json:"command"`
	Tool      report.Tool     `json:"tool"`
	Host      report.Host     `json:"host"`
	Interval  time.Duration   `json:"interval"`
}

type orderDocument struct {
	File   string `json:"file"`
	Source string `json:"source"`
}

// A command is any further line of the child's input.
type command struct {
	Command string `json:"command"`
}

// exitHung is the exit code of a child whose load did not stop.
const exitHung = 3

// stopCommand has the child stop its load and end with a partial report.
const stopCommand = "stop"

// Child returns a run of the plan in a child process: `executable args...`,
// which must call ServeChild. The child's stream is passed on as it is. If the
// child dies, its death is the result: the stream is closed with a report in
// which the step that was running is an error.
func (e Engine) Child(plan Plan, executable string, args ...string) stream.Source {
	return &child{engine: e, plan: plan, executable: executable, args: args, overdueAfter: overdueAfter}
}

type child struct {
	engine       Engine
	plan         Plan
	executable   string
	args         []string
	overdueAfter time.Duration
}

// Run starts the child and passes its events on until it ends. It returns an
// error if the child could not be started; one that died is told in the
// report.
func (c *child) Run(ctx context.Context, emit func(stream.Event)) error {
	o := order{Command: c.engine.Command, Tool: c.engine.Tool, Host: c.engine.Host, Interval: c.engine.Interval}
	for _, s := range c.plan.Scenarios {
		o.Documents = append(o.Documents, orderDocument{File: s.File, Source: string(Show(s))})
	}
	first, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("describe the plan to the child process: %w", err)
	}
	var stderr head
	cmd := exec.Command(c.executable, c.args...) // not CommandContext: it is told to stop before it is killed
	cmd.Stderr = &stderr
	ownGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the child process: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the child process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the child process: %w", err)
	}

	// The order may be longer than the pipe holds, so it is written while the
	// child's output is read. A child that takes nothing has died or hangs,
	// which shows below.
	lines := make(chan []byte, 2)
	lines <- append(first, '\n')
	var wg sync.WaitGroup
	wg.Go(func() {
		for line := range lines {
			_, _ = stdin.Write(line)
		}
		_ = stdin.Close()
	})
	ended := make(chan struct{})
	wg.Go(func() {
		defer close(lines)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		line, _ := json.Marshal(command{stopCommand}) // a plain text: cannot fail
		lines <- append(line, '\n')
		select {
		case <-ended:
		case <-time.After(childStopsWithin):
			_ = cmd.Process.Kill() // it may just have ended
		}
	})
	dog := &watchdog{child: c, emit: emit, heard: time.Now(), kill: func() { _ = cmd.Process.Kill() }}
	wg.Go(func() { dog.watch(ended) })
	emit = dog.pass

	var collector stream.Collector
	last := 0.0
	finished, readErr := false, error(nil)
	for reader := stream.NewReader(stdout); ; {
		event, err := reader.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				readErr = err
			}
			break
		}
		collector.Add(event)
		last = event.T
		finished = finished || event.Type == stream.RunFinished
		emit(event)
	}
	if readErr != nil {
		_ = cmd.Process.Kill() // what it says cannot be read, so it must not go on
	}
	close(ended)
	wg.Wait()
	waitErr := cmd.Wait()
	if finished {
		return nil
	}
	died := fmt.Errorf("the child process that ran the load died: %s", obituary(waitErr, readErr, stderr.String()))
	switch {
	case ctx.Err() != nil:
		died = fmt.Errorf("%w, and the child process did not finish its report: %s", context.Canceled, obituary(waitErr, readErr, stderr.String()))
	case dog.bit:
		died = fmt.Errorf("the child process that ran the load was killed, because it had not stopped %v after its scenario's timeout", c.overdueAfter)
	}
	emit(stream.Event{T: last, Type: stream.Logged, Log: &stream.Log{Level: "error", Message: died.Error()}})
	partial := collector.Finish(died)
	partial.Command, partial.Tool, partial.Host = c.engine.Command, c.engine.Tool, c.engine.Host
	emit(stream.Event{T: last, Type: stream.RunFinished, Report: &partial})
	return nil
}

// obituary says how a child ended.
func obituary(waitErr, readErr error, stderr string) string {
	var parts []string
	switch {
	case waitErr != nil:
		parts = append(parts, waitErr.Error())
	default:
		parts = append(parts, "it ended by itself")
	}
	if readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF) {
		parts = append(parts, readErr.Error())
	}
	if stderr = strings.TrimSpace(stderr); stderr != "" {
		parts = append(parts, "it said: "+stderr)
	}
	return strings.Join(parts, "; ")
}

// A head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), keptStderr-len(h.kept))]...)
	return len(p), nil
}

func (h *head) String() string { return string(bytes.ToValidUTF8(h.kept, []byte("?"))) }

// ServeChild is the child's side: it reads the plan from in, runs it, and
// writes the events to out. It stops when it is told to, when ctx ends, or when
// in ends, because then its parent is gone. It never outlives that for long: if
// the load does not stop in time, it ends the process.
func (e Engine) ServeChild(ctx context.Context, cat Catalogue, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	var o order
	if err := json.Unmarshal(first, &o); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	var documents []Document
	for _, d := range o.Documents {
		documents = append(documents, Document{File: d.File, Source: []byte(d.Source)})
	}
	scenarios, err := Parse(cat, e.Baselines.Components(), documents...)
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	e.Command, e.Tool, e.Host, e.Interval, e.Isolated = o.Command, o.Tool, o.Host, o.Interval, true

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with its input, which is the process's own
		defer stop()
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var c command
			if json.Unmarshal(line, &c) == nil && c.Command == stopCommand {
				return
			}
		}
	}()
	w := stream.NewWriter(out)
	// What is written when the load was stopped, such as the report, still has
	// to get through; but a parent that has gone must not hold it up.
	writing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	returned := make(chan struct{})
	defer close(returned)
	go func() { // ends when ServeChild returns
		<-ctx.Done()
		for _, then := range []func(){giveUp, func() { os.Exit(exitHung) }} {
			select {
			case <-returned:
				return
			case <-time.After(childStopsWithin):
				then()
			}
		}
	}()
	runErr := e.Source(Plan{Scenarios: scenarios}).Run(ctx, func(event stream.Event) {
		w.Emit(writing, event)
		if event.Type != stream.SampleTaken {
			// The next step may be this process's last: its parent shall know
			// how far it had got.
			limited, cancel := context.WithTimeout(writing, flushWithin)
			defer cancel()
			w.Flush(limited)
		}
	})
	return errors.Join(runErr, w.Close())
}
