// Package plain is the UI for screen readers: users type commands as lines, and
// every message is a line of words and numbers.
package plain

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/muesli/cancelreader"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/diagnostic"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// A console reads commands and writes messages.
type console struct {
	cfg       session.Config
	catalogue *session.Catalogue
	// start begins a run, and waits for the one before.
	start func(*session.Run)
	// run is the newest run; nil before the first.
	run     *session.Run
	running bool
	// latest, rows and diagnostics are the state of the run, and reported is what
	// of it was written.
	latest      *fold.Snapshot
	rows        []check.Row
	diagnostics diagnostic.History
	reported    reported
	paused      bool
	// interval is the time between two lines of figures.
	interval time.Duration
	// awaiting writes what the next inspection shows; nil if none was requested.
	awaiting func()
	// outcome is what commands for a report are about: the newest run, or the past
	// run that was opened last.
	outcome session.Outcome
	// past are the runs that were listed last.
	past []session.Past
	// quitting ends the program as soon as no run is in progress.
	quitting bool
}

// The interval of the lines of figures.
const (
	defaultInterval = 5 * time.Second
	minInterval     = time.Second
	maxInterval     = 10 * time.Minute
)

// pollInterval is short enough for an answer to seem immediate.
const pollInterval = 100 * time.Millisecond

// Run reads commands until the user quits, the input ends or ctx ends, whose cause
// it returns. It begins runs with start, which waits for the run before.
func Run(ctx context.Context, cfg session.Config, start func(*session.Run)) error {
	if cfg.Input == nil {
		cfg.Input = os.Stdin
	}
	if cfg.Output == nil {
		cfg.Output = os.Stdout
	}
	lines, end, err := readLines(cfg.Input)
	if err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	defer end()
	c := &console{cfg: cfg, catalogue: session.NewCatalogue(cfg.Scenarios), start: start, interval: defaultInterval}
	c.begin()
	ticks := time.NewTicker(pollInterval)
	defer ticks.Stop()
	for !c.quitting || c.running {
		select {
		case <-ctx.Done():
			c.interrupt()
			return context.Cause(ctx)
		case line, ok := <-lines:
			if !ok { // the end of the input
				lines, line = nil, "quit"
			}
			c.execute(line)
		case <-ticks.C:
			c.poll()
		}
	}
	return nil
}

// readLines reads lines in the background. end stops that and waits for it.
func readLines(input io.Reader) (lines <-chan string, end func(), err error) {
	in, err := cancelreader.NewReader(input)
	if err != nil {
		return nil, nil, err
	}
	out, leave, done := make(chan string), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			select {
			case out <- scanner.Text():
			case <-leave:
				return
			}
		}
	}()
	return out, func() {
		close(leave)
		if in.Cancel() { // otherwise it ends with its input, which belongs to the caller
			<-done
		}
		_ = in.Close() // it was only read from
	}, nil
}

// print writes a line.
func (c *console) print(format string, args ...any) {
	text := theme.Clean(fmt.Sprintf(format, args...))
	if c.cfg.ASCII {
		text = theme.ASCII(text)
	}
	// If the terminal is gone, its input ends as well.
	_, _ = fmt.Fprintln(c.cfg.Output, text)
}

func (c *console) fail(err error) { c.print("Error: %s", theme.FirstLine(err)) }

// begin greets the user, and starts what the configuration says.
func (c *console) begin() {
	c.print("mabeam-top line mode, %d scenarios. Type help for commands, list for scenarios, quit to quit.", len(c.catalogue.Scenarios))
	switch {
	case c.cfg.Replay != nil:
		c.play(c.cfg.Replay, c.cfg.ReplayName)
	case len(c.cfg.Start) > 0:
		c.measure(session.Order{Scenarios: c.cfg.Start})
	}
}

// measure starts a run of scenarios.
func (c *console) measure(o session.Order) {
	c.print("Running %s. Press enter for the current figures, or type help for commands.", strings.Join(o.Scenarios, ", "))
	c.follow(session.New(o, c.cfg.Runner))
}

// play replays a recording.
func (c *console) play(recording *stream.Recording, name string) {
	c.print("Replaying %s, length %s. Type stop to end.", name, quantity.Clock(recording.Length()))
	if recording.Broken != nil {
		c.print("The recording is incomplete: %s.", theme.FirstLine(recording.Broken))
	}
	c.follow(session.NewReplay(recording, name))
}

func (c *console) follow(r *session.Run) {
	c.start(r)
	c.run, c.running, c.paused = r, true, false
	c.latest, c.rows, c.diagnostics, c.reported, c.awaiting = &fold.Snapshot{}, nil, diagnostic.History{}, reported{}, nil
}

// poll takes the newest state of the run, and reports what is new.
func (c *console) poll() {
	if !c.running {
		return
	}
	ended := c.run.Ended() // before the snapshot, which then has everything
	if p := c.run.Replay; p != nil && p.Playback().Ended {
		ended = true
	}
	if s := c.run.Timeline.Snapshot(); s.Events != c.latest.Events {
		c.setSnapshot(s)
		c.reportNews()
	}
	if ended {
		c.conclude()
	}
}

func (c *console) setSnapshot(s *fold.Snapshot) {
	if s.T < c.latest.T {
		c.diagnostics = diagnostic.History{} // a replay went back
	}
	c.latest, c.rows = s, check.Rows(s)
	c.diagnostics.Add(diagnostic.Find(s), s.T)
}

// conclude writes the result of the run.
func (c *console) conclude() {
	c.running, c.awaiting = false, nil
	c.outcome = c.run.Outcome()
	if c.run.Replay != nil {
		c.run.Stop()
		c.outcome.Order, c.outcome.Err = session.Order{}, nil
	}
	if err := c.outcome.Err; err != nil {
		c.print("The run broke off: %s", theme.FirstLine(err))
	}
	if c.outcome.Report == nil {
		return
	}
	if c.run.Replay == nil {
		c.catalogue.Record(c.outcome.Report)
	}
	c.printReport()
	if !c.quitting {
		c.print("Type export, baseline, compare or rerun for this report, run for another run, or quit.")
	}
}

// printReport writes the report as text.
func (c *console) printReport() {
	if err := format.Text.Write(c.cfg.Output, *c.outcome.Report, report.Timeline{}, c.textOptions()); err != nil {
		c.fail(err)
	}
}

// textOptions are the options of text reports, without colours.
func (c *console) textOptions() format.Options {
	return format.Options{Width: 80, ASCII: c.cfg.ASCII}
}

// interrupt ends the run because of a signal, and writes its result.
func (c *console) interrupt() {
	if !c.running || c.run.Replay != nil {
		return
	}
	c.run.Wait()
	c.quitting = true
	c.setSnapshot(c.run.Timeline.Snapshot())
	c.conclude()
}
