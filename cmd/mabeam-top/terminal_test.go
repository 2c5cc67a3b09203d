//go:build unix

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// handRuns are scenarios with a low load, which leaves time for manual actions on any
// machine: one that ends by itself, one that outlasts every test, one that is longer than
// a suspension, and a very short one. Their thresholds do not depend on the speed of the
// machine.
const handRuns = `
name: by-hand
title: By hand
tags: [hand]
steps:
  - measure: system-load
    name: open
    with: {agents: 20, rate: 50/s, duration: 8s}
    baseline: none
    thresholds: {offered_rate: "> 0"}
---
name: ages
title: Ages
tags: [hand]
timeout: 10m
steps:
  - measure: system-load
    name: open
    with: {agents: 20, rate: 50/s, duration: 5m}
    baseline: none
    thresholds: {offered_rate: "> 0"}
---
name: gap
title: Gap
tags: [hand]
steps:
  - measure: system-load
    name: open
    with: {agents: 20, rate: 50/s, duration: 7s}
    baseline: none
    thresholds: {offered_rate: "> 0"}
---
name: moment
title: Moment
tags: [hand]
steps:
  - measure: registry-operations
    with: {lookup: 10, register: 10, unregister: 10, agents: 1, concurrency: 1}
    baseline: none
    thresholds: {concurrent_operations_per_sec: "> 0"}
`

// running matches the header of the live screen.
const running = `● RUN +(\d+:\d+)`

// pastReports returns the reports of the saved runs, the newest first.
func (p *pane) pastReports() []report.Report {
	p.t.Helper()
	store := report.Store{Dir: filepath.Join(p.folder, "mabeam-top", "runs")}
	runs, warnings, err := store.List()
	if err != nil || len(warnings) > 0 {
		p.t.Fatalf("past runs: %v, %v", err, warnings)
	}
	var all []report.Report
	for _, run := range runs {
		r, err := report.Load(run.Path)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// A user starts, steers, compares and replays a run, from the menu to the end.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	p := newPane(t, 120, 40)

	// The run to compare with runs at the same time, to save time. It must start first,
	// however busy the machine is.
	earlier := exec.Command("mabeam-top", "--events", "--quiet", "-f", filepath.Join(p.folder, "hand.yaml"), "by-hand")
	earlier.Env = append(os.Environ(), "XDG_STATE_HOME="+p.folder)
	events, err := earlier.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := earlier.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.NewReader(events).Read(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, events)
		_ = earlier.Wait() // its verdict is this machine's business
		over <- err
	}()

	p.run("mabeam-top --scenarios .")
	p.untilTop(`mabeam-top +\d+ scenarios`)
	p.keys("/")
	p.write("by-hand")
	p.untilTop("1 of [0-9]+ scenarios")
	p.keys("Enter", "Enter")
	p.untilTop("By hand › open.*" + running)

	p.keys("f")
	frozen := p.untilTop(`FROZEN at (\d+:\d+)`).match(`FROZEN at (\d+:\d+) +` + running)
	s := p.await("that the run goes on", func(s sight) bool {
		now := s.match(running)
		return now != nil && now[1] > frozen[2]
	})
	if now := s.match(`FROZEN at (\d+:\d+)`); now == nil || now[1] != frozen[1] {
		t.Errorf("it was frozen at %s, and later at %v", frozen[1], now)
	}
	p.keys("f")
	p.await("what it did before it was frozen", func(s sight) bool { return !s.has("FROZEN") })

	// A paused load does not end too soon for what follows.
	p.keys("p")
	p.untilTop("PAUSED")
	shown := func(s sight) string {
		if m := s.match(`(last|\d+:\d+ to) .*`); m != nil {
			return strings.TrimSpace(m[0])
		}
		return ""
	}
	before := shown(p.look())
	p.keys("+")
	p.await("less time than "+before, func(s sight) bool { return shown(s) != before })
	p.keys("]")
	p.untilTop("load 110 %")
	p.keys("p")
	p.untilTop("load 110 %.*" + running)

	p.keys("k")
	p.until("Inject a fault")
	p.keys("Enter")
	p.until("kill_agents: 10")
	p.keys("Enter", "6")
	p.until(`kill_agents.*\(manual\)`)
	p.until("rate set to 110 % of the plan")
	p.keys("1")

	p.untilTop("Report +By hand")
	p.until("steered")
	p.keys("x")
	p.until("Export the report as")
	p.keys("Down")
	p.until("▸ json")
	p.keys("Enter")
	p.until("Export as json to file")
	p.keys("C-u")
	p.write("exported.json")
	p.keys("Enter")
	p.until("exported the report to .*exported.json")
	exported, err := report.Load(filepath.Join(p.folder, "exported.json"))
	if err != nil {
		t.Fatal(err)
	}
	step := exported.Scenarios[0].Steps[0]
	if !step.Steered || len(step.Faults) != 1 || step.Faults[0].Fault != "kill_agents" || step.Faults[0].Injected != 10 || len(step.Faults[0].Targets) != 10 {
		t.Errorf("exported: steered %v, faults %+v", step.Steered, step.Faults)
	}

	if err := <-over; err != nil {
		t.Fatal(err)
	}
	p.keys("c")
	p.until("Compare with")
	p.until("previous run")
	p.keys("Enter")
	p.untilTop("Comparison +with the run of")
	p.keys("Escape")
	p.untilTop("Report +By hand")
	p.keys("Escape")
	p.untilTop("scenarios")

	p.keys("r")
	p.untilTop("2 past runs")
	p.until("▸ .*rec")
	p.keys("p")
	p.untilTop("By hand.*REPLAY")
	p.keys("G", "6")
	p.untilTop("● END")
	p.until(`kill_agents.*\(manual\)`)
	p.keys("Escape")
	p.untilTop("2 past runs")
	p.keys("q")
	p.ends(exitCode(exported.Verdict, nil))
}

// Every row fits at any size of the terminal, and the load goes on after a resize.
func TestResize(t *testing.T) {
	t.Parallel()
	p := newPane(t, 120, 40)
	p.run("mabeam-top --scenarios .")
	p.untilTop("scenarios")
	const live = `mabeam-top +Ages.*●`
	sizes := [][2]int{{200, 60}, {80, 24}, {60, 20}, {39, 9}, {20, 5}, {120, 40}}
	for _, c := range []struct {
		name string
		// begin opens the screen from the previous one; shows matches it.
		begin func()
		shows string
		// top matches the first row, and small that of a terminal with room for only one
		// row.
		top, small string
	}{
		{"menu", func() {}, "Scenarios", `scenarios`, `^MENU `},
		{"form", func() { p.keys("/"); p.write("ages"); p.keys("Enter", "e") }, `Ages +parameters`, `Ages +parameters`, `: `},
		{"live", func() { p.keys("Escape"); p.untilTop("1 of"); p.keys("Enter") }, running, live, `^RUN `},
		{"agents", func() { p.keys("2") }, "╭▸ Busiest agents", live, `^RUN `},
		{"log", func() { p.keys("6") }, "╭▸ Log", live, `^RUN `},
		{"help", func() { p.keys("?") }, "close help", live, `^RUN `},
		{"question", func() { p.keys("?"); p.until("╭▸ Log"); p.keys("q") }, `Stop it and quit\?`, live, `^stop\?`},
		{"frozen", func() { p.keys("n", "1", "f") }, "FROZEN", "FROZEN", `^FROZEN `},
		{"report", func() { p.keys("f", "C-c") }, "Report", "Report", `^INTERRUPTED `},
		{"past runs", func() { p.keys("Escape"); p.untilTop("scenarios"); p.keys("r") }, "1 past runs", "1 past runs", `^RUNS `},
	} {
		c.begin()
		p.until(c.shows)
		for _, size := range sizes {
			p.resize(size[0], size[1])
			p.await(fmt.Sprintf("%s in %d×%d", c.name, size[0], size[1]), func(s sight) bool { return s.fits(size, c.top, c.small) })
		}
		draw := rand.New(rand.NewPCG(1, 2))
		for range 10 {
			p.resize(1+draw.IntN(150), 1+draw.IntN(50))
		}
		p.resize(120, 40)
		p.await(c.name+" in 120×40", func(s sight) bool { return s.fits([2]int{120, 40}, c.top, c.small) })
	}
	p.keys("q")
	p.ends(exitInterrupted)
}

// fits reports whether the terminal shows a whole screen of that size. A row that is too
// wide would wrap, and so break a frame or displace the footer.
func (s sight) fits(size [2]int, top, small string) bool {
	if len(s) != size[1] {
		return false
	}
	if size[0] < 40 || size[1] < 10 {
		return sight{s.top()}.has(small) && strings.TrimSpace(strings.Join(s[1:], "")) == ""
	}
	for _, row := range s {
		if framed(row, strings.HasPrefix) && (!framed(row, strings.HasSuffix) || ansi.StringWidth(row) != size[0]) {
			return false
		}
	}
	return sight{s.top()}.has(top) && strings.TrimSpace(s[len(s)-1]) != ""
}

// framed reports whether a row begins or ends with a part of a panel's frame.
func framed(row string, at func(row, piece string) bool) bool {
	return slices.ContainsFunc([]string{"│", "╭", "╮", "╰", "╯"}, func(piece string) bool { return at(row, piece) })
}

// However the program ends, it restores the terminal, returns the right exit code, and
// saves what was measured.
func TestTerminalRestored(t *testing.T) {
	t.Parallel()
	send := func(signals ...syscall.Signal) func(*pane) {
		return func(p *pane) {
			program := p.program()
			for _, s := range signals {
				if err := program.SendSignal(s); err != nil {
					p.t.Fatal(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		width, height int
		// do ends a program that shows a load.
		do   func(*pane)
		code int
		// kept is the verdict of the saved run; empty if the program has no time to save
		// it.
		kept report.Verdict
	}{
		"q": {120, 40, func(p *pane) {
			p.keys("q")
			p.until("Stop it and quit")
			p.keys("y")
		}, 130, report.Interrupted},
		"q where there is one row": {20, 5, func(p *pane) {
			p.keys("q")
			p.until(`^stop\?`)
			p.keys("y")
		}, 130, report.Interrupted},
		"ctrl+c once": {120, 40, func(p *pane) {
			p.keys("C-c")
			p.untilTop("Report")
			p.until("INTERRUPTED +Ages")
			p.keys("q")
		}, 130, report.Interrupted},
		"ctrl+c twice": {80, 24, func(p *pane) { p.keys("C-c", "C-c") }, 130, report.Interrupted},
		"interrupted":  {120, 40, send(syscall.SIGINT), 130, report.Interrupted},
		"terminated":   {120, 40, send(syscall.SIGTERM), 143, report.Interrupted},
		"hung up":      {60, 20, send(syscall.SIGHUP), 143, report.Interrupted},
		"terminated twice": {120, 40, func(p *pane) {
			// Two signals of the same kind may arrive as one.
			send(syscall.SIGHUP, syscall.SIGTERM)(p)
		}, 143, ""},
		"asked for its stacks": {120, 40, send(syscall.SIGQUIT), 2, ""},
		"its child killed": {120, 40, func(p *pane) {
			if err := p.child(p.program().Pid).Kill(); err != nil {
				p.t.Fatal(err)
			}
			p.untilTop("Report")
			p.until("the child process died")
			p.keys("q")
		}, 3, report.Broken},
		"terminated while suspended": {120, 40, func(p *pane) {
			p.keys("C-z")
			p.end()
			send(syscall.SIGTERM)(p) // it hears of it when it goes on
			p.run("fg")
		}, 143, report.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, c.width, c.height)
			p.run("mabeam-top -f hand.yaml --isolate always ages")
			p.until(`RUN +0:0[1-9]`)
			c.do(p)
			p.ends(c.code)
			if c.kept == "" {
				return
			}
			past := p.pastReports()
			if len(past) != 1 || past[0].Verdict != c.kept {
				t.Fatalf("past runs: %+v, want one that is %s", past, c.kept)
			}
			if ops := past[0].Scenarios[0].Steps[0].Operations; ops.Attempted == 0 {
				t.Errorf("nothing is kept of what was measured: %+v", ops)
			}
		})
	}
}

// A user quits without a run.
func TestQuitWithoutRun(t *testing.T) {
	t.Parallel()
	p := newPane(t, 80, 24)
	for _, key := range []string{"q", "C-c"} {
		p.run("mabeam-top")
		p.untilTop("scenarios")
		p.keys(key)
		p.ends(exitOK)
	}
	p.run("mabeam-top")
	p.untilTop("scenarios")
	p.keys("C-z")
	p.end()
	p.restored()
	p.run("fg")
	p.until("suspended for")
	p.keys("q")
	p.ends(exitOK)
}

// Closing the terminal ends the program and its child, and the run is saved.
func TestTerminalClosed(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*pane){
		"running":   func(*pane) {},
		"suspended": func(p *pane) { p.keys("C-z"); p.end() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, 120, 40)
			p.run("mabeam-top -f hand.yaml --isolate always ages")
			p.until(`RUN +0:0[1-9]`)
			before(p)
			p.close()
			if past := p.pastReports(); len(past) != 1 || past[0].Verdict != report.Interrupted {
				t.Errorf("past runs: %+v", past)
			}
		})
	}
}

// While the program is suspended, the shell has the terminal and the load is paused: the
// gap is marked, and no metric includes it.
func TestSuspend(t *testing.T) {
	t.Parallel()
	for name, suspend := range map[string]func(*pane){
		"ctrl+z": func(p *pane) { p.keys("C-z") },
		"by a signal": func(p *pane) {
			if err := p.program().SendSignal(syscall.SIGTSTP); err != nil {
				p.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, 120, 40)
			p.run("mabeam-top -f hand.yaml --record run.jsonl gap")
			p.until(`RUN +0:0[1-6]`)
			suspend(p)
			p.end() // the shell goes on with its line
			p.restored()
			// Longer than the load, which would otherwise be over.
			const gap = 8
			p.run(fmt.Sprintf("sleep %d; fg", gap))
			p.untilTop("mabeam-top.*Gap")
			p.until("suspended for")
			if got := p.state("screen #{alternate_on}, mouse #{mouse_any_flag}"); got != "screen 1, mouse 1" {
				t.Errorf("the terminal is taken back with %s", got)
			}
			p.untilTop("Report +Gap")
			p.keys("q")
			past := p.pastReports()
			p.ends(exitCode(past[0].Verdict, nil))

			step := past[0].Scenarios[0].Steps[0]
			if ops := step.Operations; ops.Attempted != 50*7 {
				t.Errorf("operations %+v, want 350: what came in the gap is in no figure", ops)
			}
			if most := step.Metrics["latency_ms"].Distribution.Max; !(most < gap*1000/2) {
				t.Errorf("a latency of %v ms", most)
			}
			recording, err := readRecordingFile(filepath.Join(p.folder, "run.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			marks := map[string]float64{}
			for _, e := range recording.Events {
				if e.Type == stream.Logged && e.Log.ByHand {
					marks[e.Log.Message] = e.T
				}
			}
			if held, on := marks["load paused"], marks["load resumed"]; len(marks) != 2 || on-held < gap {
				t.Errorf("marks: %v", marks)
			}
		})
	}
}

// Without a shell that could resume it, the program does not suspend.
func TestSuspendWithoutShell(t *testing.T) {
	t.Parallel()
	p := newPane(t, 120, 40)
	p.run("exec mabeam-top")
	p.untilTop("scenarios")
	p.keys("C-z")
	p.until("not started from a job-control shell")
	p.keys("?")
	p.until("close help")
}

// Terminals with fewer features get a plainer screen, and without a terminal the UI does
// not start.
func TestPlainTerminal(t *testing.T) {
	t.Parallel()
	colored := regexp.MustCompile(`\x1b\[[0-9;]*[34][0-8][;m]`)
	for name, c := range map[string]struct {
		env            []string
		ascii, colored bool
	}{
		"dumb":      {[]string{"TERM=dumb"}, true, false},
		"no colour": {[]string{"NO_COLOR=1"}, false, false},
		"no UTF-8":  {[]string{"LC_ALL=C"}, true, true},
		"no locale": {[]string{"LC_ALL="}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, 80, 24, c.env...)
			p.run("mabeam-top -f hand.yaml ages")
			p.until(`RUN +0:0[1-9]`)
			shown := p.do("capture-pane", "-p", "-e")
			if ascii := !strings.ContainsFunc(shown, func(r rune) bool { return r > 126 }); ascii != c.ascii {
				t.Errorf("nothing but ASCII: %v, want %v:\n%s", ascii, c.ascii, shown)
			}
			if colored := colored.MatchString(shown); colored != c.colored {
				t.Errorf("colours: %v, want %v:\n%q", colored, c.colored, shown)
			}
			p.keys("C-c")
			p.until("INTERRUPTED")
			p.keys("q")
			p.ends(exitInterrupted)
		})
	}

	t.Run("read aloud", func(t *testing.T) {
		t.Parallel()
		p := newPane(t, 80, 24, "TERM=dumb")
		p.run("mabeam-top -f hand.yaml --screen-reader ages")
		p.until("open begins")
		p.write("status")
		p.keys("Enter")
		p.until(`completed [\d.]+/s`)
		if got := p.state("screen #{alternate_on}, mouse #{mouse_any_flag}"); got != "screen 0, mouse 0" {
			t.Errorf("it has taken %s", got)
		}
		p.keys("C-c")
		p.until("INTERRUPTED")
		p.ends(exitInterrupted)
	})

	t.Run("none", func(t *testing.T) {
		t.Parallel()
		p := newPane(t, 120, 40)
		for _, redirected := range []string{"</dev/null", ">out"} {
			p.clear()
			p.run("mabeam-top -f hand.yaml ages " + redirected)
			p.until("the terminal UI needs a terminal on standard input and output; add --headless")
			p.ends(exitUnusable)
		}
		p.run("mabeam-top -f hand.yaml --headless moment </dev/null >out 2>&1 && cat out")
		p.until("(?m)^PASS|^INFO")
		p.ends(exitOK)
	})
}
