package ui

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/uitest"
)

// A stage is a model whose run is fed by hand.
type stage struct {
	t interface {
		Helper()
		Fatalf(string, ...any)
	}
	m *model
	// feed is the newest run, unless it is a replay. replay is the newest replay.
	feed   *uitest.Feed
	replay *session.Run
	// at is the time up to which the run was fed.
	at       float64
	commands *uitest.Commands
	store    *report.Store
	orders   []session.Order
}

func newStage(t *testing.T, cfg Config) *stage { return stageFor(t, cfg) }

func stageFor(t interface {
	Helper()
	Fatalf(string, ...any)
}, cfg Config,
) *stage {
	st := &stage{t: t, commands: &uitest.Commands{}, store: cfg.Store}
	cfg.Scenarios = uitest.Scenarios()
	var source *uitest.FeedSource // of the next run
	if cfg.Runner == nil {
		cfg.Runner = runnerFunc(func() stream.Source {
			if cfg.Faults != nil {
				return uitest.Steered{Source: source, Commands: st.commands}
			}
			return source
		})
	}
	st.m = newModel(cfg, theme.All(io.Discard, cmp.Or(cfg.Color, "never"), cfg.ASCII), func(r *session.Run) {
		if r.Replay != nil {
			st.replay = r
			r.Start(context.Background()) // until the test leaves it
			return
		}
		st.orders = append(st.orders, r.Order)
		source = uitest.NewFeedSource()
		st.feed, st.at = uitest.Start(r, source), -1
	})
	return st
}

// runnerFunc is a runner whose sources the test makes.
type runnerFunc func() stream.Source

func (r runnerFunc) Start(session.Order) (stream.Source, error) { return r(), nil }

func (r runnerFunc) Check(name string, s session.Settings) map[string]error {
	return uitest.Runner{}.Check(name, s)
}

func (st *stage) send(msg tea.Msg) tea.Cmd {
	st.t.Helper()
	_, cmd := st.m.Update(msg)
	st.checkFrame()
	return cmd
}

func (st *stage) size(width, height int) *stage {
	st.t.Helper()
	st.send(tea.WindowSizeMsg{Width: width, Height: height})
	return st
}

// started are the scenarios of the orders.
func (st *stage) started() [][]string {
	var out [][]string
	for _, o := range st.orders {
		out = append(out, o.Scenarios)
	}
	return out
}

func (st *stage) tick() tea.Cmd { return st.send(tickMsg{st.m.tag}) }

// until feeds the script up to a time.
func (st *stage) until(t float64) *stage {
	st.t.Helper()
	st.feed.Script(st.at, t)
	st.at = t
	st.tick()
	return st
}

// end ends the run.
func (st *stage) end(err error) tea.Cmd {
	st.t.Helper()
	st.feed.End(err)
	return st.tick()
}

func (st *stage) press(keys ...string) tea.Cmd {
	st.t.Helper()
	var cmd tea.Cmd
	for _, k := range keys {
		cmd = st.send(keyMsg(k))
	}
	return cmd
}

// act presses keys and does the work that they ask for, as Bubble Tea would.
func (st *stage) act(keys ...string) {
	st.t.Helper()
	for _, k := range keys {
		for cmd := st.send(keyMsg(k)); cmd != nil; {
			msg, ok := cmd().(screen.Result)
			if !ok {
				break // a tick, or the end
			}
			cmd = st.send(msg)
		}
	}
}

// shows fails the test unless all of the texts are on the screen.
func (st *stage) shows(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(st.m.View(), text) {
			t.Errorf("%q is not shown:\n%s", text, st.m.View())
		}
	}
}

func keyMsg(k string) tea.KeyMsg {
	named := map[string]tea.KeyType{
		"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp, "down": tea.KeyDown,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "ctrl+c": tea.KeyCtrlC, "backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd,
		"left": tea.KeyLeft, "right": tea.KeyRight, "ctrl+r": tea.KeyCtrlR, "ctrl+u": tea.KeyCtrlU,
	}
	if k == " " {
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	if kind, ok := named[k]; ok {
		return tea.KeyMsg{Type: kind}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

// checkFrame holds for every frame: it covers the terminal, and no more.
func (st *stage) checkFrame() {
	st.t.Helper()
	lines := strings.Split(st.m.View(), "\n")
	want := max(st.m.host.Height, 1)
	if st.m.host.Width < 1 {
		want = 1
	}
	if len(lines) != want {
		st.t.Fatalf("%d lines in a terminal of %d×%d", len(lines), st.m.host.Width, st.m.host.Height)
	}
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > max(st.m.host.Width, 0) {
			st.t.Fatalf("a line of %d columns in a terminal of %d×%d: %q", w, st.m.host.Width, st.m.host.Height, line)
		}
	}
}

func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, ok := cmd().(tea.QuitMsg)
	return ok
}

func TestScreens(t *testing.T) {
	sizes := [][2]int{{200, 60}, {120, 40}, {80, 24}, {79, 24}, {60, 20}, {40, 10}, {30, 8}, {1, 1}}
	run := Config{Start: []string{"event-storm"}}
	for name, show := range map[string]func(*testing.T) *stage{
		"menu": func(t *testing.T) *stage { return newStage(t, Config{}) },
		"live": func(t *testing.T) *stage { return newStage(t, run).until(26) },
		"report": func(t *testing.T) *stage {
			st := newStage(t, run).until(1000)
			st.end(nil)
			return st
		},
	} {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				uitest.Golden(t, filepath.Base(t.Name()), show(t).size(size[0], size[1]).m.View())
			})
		}
	}
}

func TestOtherViews(t *testing.T) {
	run := Config{Start: []string{"event-storm"}}
	for name, show := range map[string]func(*testing.T) *stage{
		"waiting":    func(t *testing.T) *stage { return newStage(t, run) },
		"quiet":      func(t *testing.T) *stage { return newStage(t, run).until(0) },
		"live-ascii": func(t *testing.T) *stage { return newStage(t, Config{Start: run.Start, ASCII: true}).until(26) },
		"menu-filter": func(t *testing.T) *stage {
			st := newStage(t, Config{})
			st.size(120, 40).press(" ", "/", "age")
			return st
		},
		"menu-none": func(t *testing.T) *stage { st := newStage(t, Config{}); st.size(120, 40).press("/", "zzz"); return st },
		"help":      func(t *testing.T) *stage { st := newStage(t, run).until(26).size(120, 40); st.press("?"); return st },
		"ask":       func(t *testing.T) *stage { st := newStage(t, run).until(26).size(120, 40); st.press("q"); return st },
		"frozen": func(t *testing.T) *stage {
			st := newStage(t, run).until(20).size(120, 40)
			st.press("f")
			return st.until(26)
		},
		"expanded": func(t *testing.T) *stage {
			st := newStage(t, run).until(26).size(120, 40)
			st.press("tab", "enter")
			return st
		},
		"died": func(t *testing.T) *stage { st := newStage(t, run).until(12); st.end(uitest.ErrChildDied); return st },
	} {
		t.Run(name, func(t *testing.T) { uitest.Golden(t, name, show(t).size(120, 40).m.View()) })
	}
}

func TestASCIIOnly(t *testing.T) {
	for _, size := range [][2]int{{200, 60}, {120, 40}, {80, 24}, {60, 20}, {30, 5}} {
		st := newStage(t, Config{ASCII: true, Start: []string{"event-storm"}}).size(size[0], size[1])
		look := func() {
			t.Helper()
			if i := strings.IndexFunc(ansi.Strip(st.m.View()), func(r rune) bool { return r > 0x7e }); i >= 0 {
				t.Errorf("%v: %q is not ASCII", size, st.m.View()[i:min(i+20, len(st.m.View()))])
			}
		}
		st.until(26)
		look()
		st.press("?")
		look()
		st.press("esc")
		st.until(1000).end(nil)
		look()
		st.press("esc")
		look()
	}
}

func TestMenuKeys(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []string
		want []string
	}{
		{"enter starts what is under the cursor", []string{"enter"}, []string{"event-storm"}},
		{"down", []string{"down", "enter"}, []string{"event-throughput"}},
		{"j and k", []string{"j", "j", "k", "enter"}, []string{"event-throughput"}},
		{"up stops at the top", []string{"up", "up", "enter"}, []string{"event-storm"}},
		{"end and home", []string{"G", "g", "end", "enter"}, []string{"memory-pressure"}},
		{"page down", []string{"pgdown", "pgup", "pgdown", "enter"}, []string{"memory-pressure"}},
		{"space marks several", []string{" ", "j", " ", "G", "enter"}, []string{"event-storm", "agent-creation"}},
		{"space twice unmarks", []string{" ", "k", " ", "k", "enter"}, []string{"event-storm"}},
		{"escape unmarks all", []string{" ", " ", "esc", "enter"}, []string{"agent-creation"}},
		{"filter", []string{"/", "creation", "enter", "enter"}, []string{"agent-creation"}},
		{"filter by tag and measurement", []string{"/", "stress", " ", "lifecycle", "enter", "enter"}, []string{"agent-lifecycle"}},
		{"backspace", []string{"/", "creationx", "backspace", "enter", "enter"}, []string{"agent-creation"}},
		{"escape clears the filter", []string{"/", "creation", "esc", "g", "enter"}, []string{"event-storm"}},
		{"escape clears a kept filter", []string{"/", "creation", "enter", "esc", "g", "enter"}, []string{"event-storm"}},
		{"the cursor stays on its entry", []string{"j", "/", "event", "enter", "esc", "enter"}, []string{"event-throughput"}},
		{"a filter takes letters that are keys", []string{"/", "q", "backspace", "j", "backspace", "enter", "enter"}, []string{"event-storm"}},
		{"marks outlive a filter", []string{" ", "/", "memory", "enter", " ", "enter"}, []string{"event-storm", "memory-pressure"}},
		{"nothing matches, nothing starts", []string{"/", "zzz", "enter", "enter"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := newStage(t, Config{}).size(80, 24)
			st.press(test.keys...)
			var got []string
			if len(st.started()) > 0 {
				got = st.started()[0]
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) || len(st.started()) > 1 {
				t.Errorf("started %v, want %v", st.started(), test.want)
			}
			if (st.m.current == st.m.live) != (test.want != nil) {
				t.Errorf("on screen %v", st.m.current)
			}
		})
	}
}

func running(t *testing.T) *stage {
	return newStage(t, Config{Start: []string{"event-storm"}}).size(120, 40).until(20)
}

func TestReportKeys(t *testing.T) {
	st := running(t).size(80, 24).until(1000)
	st.end(nil)
	top := st.m.View()
	st.press("j")
	if st.m.View() == top {
		t.Error("j does not scroll")
	}
	st.press("k")
	if st.m.View() != top {
		t.Error("k does not scroll back")
	}
	st.press("G")
	if !strings.Contains(st.m.View(), "cool-down") {
		t.Errorf("the end is not visible:\n%s", st.m.View())
	}
	st.press("pgup", "pgdown", "g")
	if st.m.View() != top {
		t.Error("g does not go to the top")
	}
	st.press("tab")
	if st.m.current != st.m.live || !strings.Contains(st.m.View(), "FAIL") {
		t.Error("tab does not show the charts")
	}
	st.press("esc", "esc")
	if st.m.current != st.m.menu {
		t.Error("escape does not lead to the menu")
	}
	if got := st.m.catalogue.Scenarios[0].LastRun; !got.Equal(uitest.FinalReport().Scenarios[0].StartedAt) {
		t.Errorf("the menu does not know of the run: %v", got)
	}
	if !quits(st.press("q")) {
		t.Error("q does not quit")
	}
}

// Every key in the footer does something, on every screen.
func TestFooterKeysWork(t *testing.T) {
	for name, show := range map[string]func() *stage{
		"menu":   func() *stage { return newStage(t, Config{}).size(120, 40) },
		"live":   func() *stage { return running(t) },
		"report": func() *stage { st := running(t).size(80, 24).until(1000); st.end(nil); st.press("j"); return st },
	} {
		for _, a := range show().m.actions() {
			st := show()
			before, current := st.m.View(), st.m.current
			if k := a.Key.Name(); name == "menu" && strings.HasPrefix(k, "↑") || k == screen.Top.Name() || k == screen.PageUp.Name() {
				st.press("G")
				before = st.m.View()
			}
			if name == "live" {
				// Somewhere in the middle of the run, on another tab.
				st.press("+", "+", "left", "left")
				if k := a.Key.Keys()[0]; k == "1" {
					st.press("2")
				}
				before = st.m.View()
			}
			cmd := st.press(a.Key.Keys()[0])
			if st.m.View() == before && st.m.current == current && cmd == nil {
				t.Errorf("%s: %s (%s) does nothing", name, a.Key.Name(), a.Key.Short())
			}
		}
	}
}

// A tick of an earlier run starts no second series of ticks.
func TestTicksAreTagged(t *testing.T) {
	st := newStage(t, Config{}).size(80, 24)
	st.press("enter")
	old := st.m.tag
	st.until(1000).end(nil)
	st.press("esc", "enter")
	if cmd := st.send(tickMsg{old}); cmd != nil {
		t.Error("an old tick was answered")
	}
	if cmd := st.tick(); cmd == nil {
		t.Error("a tick was not answered")
	}
}

// A frame fits its terminal after any sequence of keys, sizes and events.
func TestAnySequence(t *testing.T) {
	keys := []string{"enter", "esc", "tab", "shift+tab", "up", "down", "pgup", "pgdown", "ctrl+c", "backspace", "home", "end", " ", "?", "q", "y", "n", "f", "/", "j", "k", "g", "G", "x", "宽"}
	events := uitest.Script()
	rapid.Check(t, func(t *rapid.T) {
		st := stageFor(t, Config{ASCII: rapid.Bool().Draw(t, "ascii")})
		next := 0
		for range rapid.IntRange(1, 15).Draw(t, "moves") {
			switch rapid.SampledFrom([]string{"size", "key", "key", "key", "events", "events", "odd", "end"}).Draw(t, "move") {
			case "size":
				st.size(rapid.IntRange(0, 210).Draw(t, "width"), rapid.IntRange(0, 65).Draw(t, "height"))
			case "key":
				st.press(rapid.SampledFrom(keys).Draw(t, "key"))
			case "events":
				if st.feed == nil {
					continue
				}
				for range rapid.IntRange(1, 150).Draw(t, "events") {
					st.feed.Emit(events[next%len(events)])
					next++
				}
				st.tick()
			case "odd":
				if st.feed == nil {
					continue
				}
				value := rapid.Float64().Draw(t, "value")
				limit := stream.Limit{
					Metric: rapid.String().Draw(t, "metric"), Source: rapid.SampledFrom([]report.CheckKind{report.KindBaseline, report.KindThreshold, ""}).Draw(t, "source"),
					Op: "<", Value: rapid.Float64().Draw(t, "limit"), Unit: rapid.SampledFrom([]string{"ms", "bytes", "1/s", "text", ""}).Draw(t, "unit"),
					Probe: "completed_per_second", ProbeScale: rapid.Float64().Draw(t, "scale"),
				}
				st.feed.Emit(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: rapid.String().Draw(t, "step"), Limits: []stream.Limit{limit, limit}}})
				st.feed.Emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "error", Message: rapid.String().Draw(t, "message")}})
				st.feed.Emit(stream.Event{T: value, Type: stream.SampleTaken, Sample: probe.Sample{
					"completed_per_second": value, "action_p99_ms": value, "heap_bytes": -value, "goroutines": value, "events_dropped": value,
				}})
				st.tick()
			case "end":
				if st.feed != nil && st.m.live.Running() {
					st.end(rapid.SampledFrom([]error{nil, uitest.ErrChildDied}).Draw(t, "error"))
				}
			}
		}
	})
}

// play runs the whole program in a bubble: keys are typed at their times.
func play(ctx context.Context, t *testing.T, cfg Config, keys map[time.Duration]string) (*report.Report, string, error) {
	t.Helper()
	in, typist := io.Pipe()
	var out bytes.Buffer
	go uitest.Type(ctx, typist, keys)
	cfg.Scenarios, cfg.Input, cfg.Output, cfg.Color = uitest.Scenarios(), in, &out, "never"
	r, err := show(ctx, cfg, tea.WindowSizeMsg{Width: 120, Height: 40})
	_ = typist.Close()
	_ = in.Close()
	return r, out.String(), err
}

func TestWholeProgram(t *testing.T) {
	names := []string{"event-storm"}
	cause := errors.New("terminated")
	for _, test := range []struct {
		name    string
		source  uitest.Source
		runErr  error
		keys    map[time.Duration]string
		stop    time.Duration
		verdict report.Verdict
		err     error
		message string
		// shown is what must have been on the screen.
		shown string
	}{
		{name: "to the end", keys: map[time.Duration]string{40 * time.Second: "q"}, verdict: report.Fail, shown: "4 of 13 checks failed"},
		{name: "quit while it runs", keys: map[time.Duration]string{5 * time.Second: "q", 6 * time.Second: "y"}, verdict: report.Interrupted, shown: "Stop it and quit?"},
		{name: "ctrl+c twice", keys: map[time.Duration]string{5 * time.Second: "\x03", 6 * time.Second: "\x03"}, verdict: report.Interrupted, shown: "INTERRUPTED"},
		{name: "ended from outside", stop: 5 * time.Second, verdict: report.Interrupted, err: cause, shown: "RUN"},
		{name: "the child dies", source: uitest.Source{DieAt: 3}, keys: map[time.Duration]string{40 * time.Second: "q"}, verdict: report.Broken, err: uitest.ErrChildDied, shown: "the child process died: signal: killed"},
		{name: "the source panics", source: uitest.Source{PanicAt: 3}, keys: map[time.Duration]string{40 * time.Second: "q"}, verdict: report.Broken, message: "panic: index out of range", shown: "panic: index out of range"},
		{name: "it cannot start", runErr: uitest.ErrChildDied, keys: map[time.Duration]string{4 * time.Second: "q"}, err: uitest.ErrChildDied, shown: "start event-storm: the child process died"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if test.stop > 0 {
					stop := time.AfterFunc(test.stop, func() { cancel(cause) })
					defer stop.Stop()
				}
				r, out, err := play(ctx, t, Config{Runner: uitest.Runner{Source: test.source, Err: test.runErr}, Start: names}, test.keys)
				if (r == nil) != (test.verdict == "") || r != nil && r.Verdict != test.verdict {
					t.Errorf("report %+v, want verdict %q", r, test.verdict)
				}
				if r != nil && strings.Contains(fmt.Sprint(r.Scenarios), "goroutine ") {
					t.Error("the report has a stack in it")
				}
				if test.message == "" && !errors.Is(err, test.err) || test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)) {
					t.Errorf("err = %v, want %v %s", err, test.err, test.message)
				}
				if !strings.Contains(out, test.shown) {
					t.Errorf("%q was never shown", test.shown)
				}
				if shown, hidden := strings.LastIndex(out, "\x1b[?1049h"), strings.LastIndex(out, "\x1b[?1049l"); shown < 0 || hidden < shown {
					t.Error("the terminal was not restored")
				}
				// What the program left behind: a tick under way, and the typist.
				cancel(nil)
				time.Sleep(time.Second)
			})
		})
	}
}

// Keys that are typed faster than they are read arrive together, and each counts.
func TestKeysThatArriveTogether(t *testing.T) {
	st := newStage(t, Config{}).size(80, 24)
	st.press("jj")
	st.shows(t, "▸   Agent creation")
	st.press("/zzz")
	st.shows(t, "/zzz")
	// What a filter hides is not started.
	st.press("enter", "enter")
	if len(st.started()) > 0 {
		t.Errorf("started %v", st.started())
	}
}
