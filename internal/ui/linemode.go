package ui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/muesli/cancelreader"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// A lineMode is the UI for those who have a screen read to them: commands are
// typed as lines, and what is new is told once, in a line of words and figures.
// Nothing is drawn over anything, and nothing is told by a place or a colour.
type lineMode struct {
	cfg Config
	out io.Writer
	// menu knows the scenarios and their changed parameters.
	menu menu
	// start begins a run, and waits for the one before.
	start func(*run)
	// run is the latest, nil before the first, and live what is known of it.
	run     *run
	running bool
	live    live
	told    toldOf
	// every is how often a run tells its figures.
	every time.Duration
	// awaited is what is to be told of the next look inside; nil for nothing.
	awaited func()
	// report is what commands are about that need one: that of the latest run,
	// or of the past one that was opened last. Without a result there is none.
	report reportView
	// past are the runs that were listed last.
	past []pastRun
	// leaving says that the program ends as soon as no run goes on.
	leaving bool
}

// The bounds of how often a run tells its figures.
const (
	usualTelling = 5 * time.Second
	leastTelling = time.Second
	mostTelling  = 10 * time.Minute
)

// converse is the UI without a screen. It returns when its user leaves, at the
// end of the input, or when ctx ends.
func converse(ctx context.Context, cfg Config, start func(*run)) error {
	input, output := cfg.Input, cfg.Output
	if input == nil {
		input = os.Stdin
	}
	if output == nil {
		output = os.Stdout
	}
	lines, end, err := readLines(input)
	if err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	defer end()
	l := &lineMode{cfg: cfg, out: output, menu: newMenu(cfg.Scenarios), start: start, every: usualTelling}
	l.begin()
	// Often enough that an answer does not seem to be late.
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for !l.leaving || l.running {
		select {
		case <-ctx.Done():
			return l.interrupted()
		case line, ok := <-lines:
			if !ok { // the end of the input
				lines, line = nil, "quit"
			}
			l.obey(line)
		case <-ticks.C:
			l.look()
		}
	}
	return nil
}

// readLines reads lines in the background. What it returns ends that, and waits
// for it.
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
		if in.Cancel() { // else it ends with its input, which is its caller's
			<-done
		}
		_ = in.Close() // it was only read from
	}, nil
}

// say writes a line, whatever is in it.
func (l *lineMode) say(format string, args ...any) {
	text := theme.Clean(fmt.Sprintf(format, args...))
	if l.cfg.ASCII {
		text = theme.ASCII(text)
	}
	// If nobody can be told, there is nobody to tell that either: the input
	// ends with the terminal.
	_, _ = fmt.Fprintln(l.out, text)
}

func (l *lineMode) complain(err error) { l.say("Not done: %s", theme.FirstLine(err)) }

// begin tells where one is, and starts what was asked for.
func (l *lineMode) begin() {
	l.say("mabeam-top in lines. There are %d scenarios. Type help for the commands, list for the scenarios, quit to leave.", len(l.menu.all))
	switch {
	case l.cfg.Replay != nil:
		l.play(l.cfg.Replay, l.cfg.ReplayName)
	case len(l.cfg.Start) > 0:
		l.measure(Order{Scenarios: l.cfg.Start})
	}
}

// obey does what a line asks for.
func (l *lineMode) obey(line string) {
	name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
	args = strings.TrimSpace(args)
	if name == "" { // enter alone
		name = "status"
		if !l.running {
			name = "help"
		}
	}
	var meant []verb
	for _, v := range verbs {
		if v.name == name {
			meant = []verb{v}
			break
		}
		if strings.HasPrefix(v.name, strings.ToLower(name)) {
			meant = append(meant, v)
		}
	}
	switch {
	case len(meant) == 0:
		l.say("There is no command %s; help lists them.", name)
	case len(meant) > 1:
		names := make([]string, len(meant))
		for i, v := range meant {
			names[i] = v.name
		}
		l.say("%s could be %s.", name, strings.Join(names, " or "))
	default:
		if err := meant[0].refusal(l); err != nil {
			l.complain(err)
			return
		}
		if err := meant[0].do(l, args); err != nil {
			l.complain(err)
		}
	}
}

// measure starts a run of scenarios.
func (l *lineMode) measure(o Order) {
	l.say("Starts %s. Type help for what can be done meanwhile; enter tells the figures now.", strings.Join(o.Scenarios, ", "))
	l.follow(measured(o, l.cfg.Runner))
}

func (l *lineMode) follow(r *run) {
	l.start(r)
	l.run, l.running = r, true
	l.live, l.told, l.awaited = newLive(), toldOf{}, nil
}

// look takes the newest state of the run, and tells what is new in it.
func (l *lineMode) look() {
	if !l.running {
		return
	}
	ended, err := l.run.ended() // before the snapshot, which then has all
	if p := l.run.replay; p != nil && p.Playback().Ended {
		ended = true
	}
	if s := l.run.timeline.Snapshot(); s.Events != l.live.latest.Events {
		l.live.setData(s)
		l.tellNews()
	}
	if ended {
		l.conclude(err)
	}
}

// conclude tells what the run came to.
func (l *lineMode) conclude(err error) {
	l.running, l.awaited = false, nil
	if l.run.replay != nil {
		l.run.stop()
		l.report = reportView{result: l.run.report, course: fold.CourseOf(l.run.recording)}
	} else {
		l.report = reportView{result: l.run.report, course: l.run.course, order: l.run.order}
	}
	if err != nil {
		l.say("The run broke off: %s", theme.FirstLine(err))
	}
	if l.report.result == nil {
		return
	}
	if l.run.replay == nil {
		l.menu.setVerdicts(l.report.result)
	}
	l.tellReport()
	if !l.leaving {
		l.say("Type export, baseline, compare or again for this report, run for another one, or quit.")
	}
}

// tellReport writes the report as headless runs do.
func (l *lineMode) tellReport() {
	if err := report.Text(l.out, *l.report.result, l.textOptions()); err != nil {
		l.complain(err)
	}
}

// textOptions are those of reports: without colours.
func (l *lineMode) textOptions() report.TextOptions {
	return report.TextOptions{Width: 80, ASCII: l.cfg.ASCII}
}

// interrupted ends a run that a signal ends, and tells what it came to.
func (l *lineMode) interrupted() error {
	if !l.running || l.run.replay != nil {
		return nil
	}
	_, err := l.run.wait()
	l.leaving = true
	l.live.setData(l.run.timeline.Snapshot())
	l.conclude(err)
	return nil
}

// scenario finds what was meant by a name, the beginning of one, or a number of
// the list.
func (l *lineMode) scenario(text string) (Scenario, error) {
	if s, ok := l.menu.find(text); ok {
		return s, nil
	}
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err == nil && n >= 1 && n <= len(l.menu.all) {
		return l.menu.all[n-1], nil
	}
	var found []Scenario
	for _, s := range l.menu.all {
		if text != "" && strings.HasPrefix(s.Name, text) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if text == "" {
			return Scenario{}, errors.New("which scenario? list reads their names")
		}
		return Scenario{}, fmt.Errorf("there is no scenario %s; list reads their names", text)
	}
	names := make([]string, len(found))
	for i, s := range found {
		names[i] = s.Name
	}
	return Scenario{}, fmt.Errorf("%s could be %s", text, strings.Join(names[:min(len(names), 5)], " or "))
}

// number finds which entry of a list was meant.
func number(text string, of int, list string) (int, error) {
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || n < 1 || n > of {
		if of == 0 {
			return 0, fmt.Errorf("there is nothing to choose from; %s reads the list", list)
		}
		return 0, fmt.Errorf("which one, 1 to %d? %s reads the list", of, list)
	}
	return n - 1, nil
}
