package ui

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
)

func TestTabs(t *testing.T) {
	for i, name := range tabNames {
		for _, size := range [][2]int{{200, 60}, {120, 40}, {80, 24}, {60, 20}, {39, 9}} {
			t.Run(fmt.Sprintf("tab-%s-%dx%d", strings.ToLower(name), size[0], size[1]), func(t *testing.T) {
				st, _ := steered(t)
				st.size(size[0], size[1]).feed(22).press(string(rune('1' + i)))
				golden(t, filepath.Base(t.Name()), st.m.View())
			})
		}
	}
	for name, keys := range map[string][]string{
		"agent-120x40": {"2", "j", "enter"},
		"agent-80x24":  {"2", "enter"},
		"faults":       {"k"},
		"fault":        {"k", "j", "enter"},
		"paused":       {"p", "]"},
		"scrolled":     {"+", "+", "left", "left", "m", "left"},
		"help-list":    {"2", "?"},
	} {
		t.Run(name, func(t *testing.T) {
			st, _ := steered(t)
			if strings.HasSuffix(name, "80x24") {
				st.size(80, 24)
			}
			st.feed(22).press(keys...)
			golden(t, name, st.m.View())
		})
	}
}

func TestListKeys(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []string
		// shown must be on the screen, and hidden must not.
		shown, hidden string
	}{
		{"the cursor begins at the busiest", []string{"2"}, "▸a_0042", ""},
		{"down", []string{"2", "j", "down"}, "▸a_0913", ""},
		{"up stops at the top", []string{"2", "j", "k", "up", "up"}, "▸a_0042", ""},
		{"end and home", []string{"2", "G", "g", "end"}, "▸a_0004", ""},
		{"a filter", []string{"2", "/", "0", "9", "1", "enter"}, "a_0913", "a_0042"},
		{"a filter takes letters that are keys", []string{"2", "/", "q", "k", "esc"}, "a_0042", "/qk"},
		{"a filter that matches nothing", []string{"2", "/", "zzz", "enter"}, "none of these agents matches the filter", ""},
		{"escape clears a kept filter", []string{"2", "/", "zzz", "enter", "esc"}, "▸a_0042", "zzz"},
		{"one agent", []string{"2", "enter"}, "Agent a_0042", ""},
		{"with its state", []string{"2", "enter"}, `{"count": 1711, "last": "increment"}`, ""},
		{"with its last events", []string{"2", "enter"}, "100 ms ago  load.burst  from a_0042", ""},
		{"and back", []string{"2", "enter", "esc"}, "▸a_0042", "Agent a_0042"},
		{"one that is not told of", []string{"2", "j", "enter"}, "waiting for a look inside", ""},
		{"from the overview", []string{"tab", "tab", "tab", "tab", "tab", "tab", "enter"}, "Agent a_0042", "Verdicts ─"},
		{"subscriptions", []string{"3"}, "sub_17", ""},
		{"by what was dropped", []string{"3", "s"}, "12 of 100 by dropped", ""},
		{"subscriptions that match", []string{"3", "/", "sub_2", "enter"}, "9 of 100 by queue", "sub_19"},
		{"verdicts in the order of the run", []string{"5"}, "Verdicts", "worst first"},
		{"the worst first", []string{"5", "s"}, "worst first", ""},
		{"verdicts that match", []string{"5", "/", "burst", "enter"}, "burst_event_rate", "stability_score"},
		{"no verdicts that match", []string{"5", "/", "zzz", "enter"}, "no verdict matches the filter", ""},
		{"the log", []string{"6"}, "throughput ends: WARN", ""},
		{"the log's trouble only", []string{"6", "s"}, "kill_agents", "throughput ends"},
		{"the log filtered", []string{"6", "/", "repetition", "enter"}, "repetition 2", "kill_agents, "},
		{"the log's beginning", []string{"6", "g"}, "0:00.0  step   throughput begins", ""},
	} {
		st, _ := steered(t)
		st.size(120, 30).feed(22).press(test.keys...)
		v := st.m.View()
		if !strings.Contains(v, test.shown) || test.hidden != "" && strings.Contains(v, test.hidden) {
			t.Errorf("%s: %q should be in, and %q not\n%s", test.name, test.shown, test.hidden, v)
		}
	}
	t.Run("the cursor stays on its agent when the order changes", func(t *testing.T) {
		st, _ := steered(t)
		st.press("2", "j")
		in := fakeInspection(23, 0)
		in.Agents[1], in.Agents[4] = in.Agents[4], in.Agents[1]
		st.run.timeline.Add(stream.Event{T: 23, Type: stream.SampleTaken, Sample: healthy(23), Inspection: in})
		st.tick()
		if v := st.m.View(); !strings.Contains(v, "▸a_0007") {
			t.Errorf("the cursor went away:\n%s", v)
		}
	})
	t.Run("worst first is the worst first", func(t *testing.T) {
		st := newStage(t, Config{Start: []string{"event-storm"}}).size(120, 40).feed(35.2)
		st.press("5", "s")
		rows := st.m.live.verdicts.rows()
		if rows[0].word != "FAIL" || rows[len(rows)-1].word != "EXCEED" {
			t.Errorf("from %s to %s", rows[0].word, rows[len(rows)-1].word)
		}
	})
	t.Run("an agent that is gone", func(t *testing.T) {
		st, _ := steered(t)
		st.press("2", "enter")
		in := fakeInspection(28, 0)
		in.Agent = nil
		st.run.timeline.Add(stream.Event{T: 28, Type: stream.SampleTaken, Sample: healthy(28), Inspection: in})
		st.tick()
		if v := st.m.View(); !strings.Contains(v, "there is no such agent any more") {
			t.Errorf("not told:\n%s", v)
		}
	})
	t.Run("what was seen long ago is told as such", func(t *testing.T) {
		st, _ := steered(t)
		st.press("2")
		st.run.timeline.Add(stream.Event{T: 28, Type: stream.SampleTaken, Sample: healthy(28)})
		st.tick()
		if v := st.m.View(); !strings.Contains(v, "as of 0:20") {
			t.Errorf("not told:\n%s", v)
		}
	})
}

func click(x, y int) tea.MouseMsg {
	return tea.MouseMsg{X: x, Y: y, Button: tea.MouseButtonLeft, Action: tea.MouseActionPress}
}

func wheel(x, y int, up bool) tea.MouseMsg {
	button := tea.MouseButtonWheelDown
	if up {
		button = tea.MouseButtonWheelUp
	}
	return tea.MouseMsg{X: x, Y: y, Button: button, Action: tea.MouseActionPress}
}

// find returns where a text is on the screen.
func (st *stage) find(text string) (x, y int) {
	st.t.Helper()
	for y, line := range strings.Split(ansi.Strip(st.m.View()), "\n") {
		if before, _, ok := strings.Cut(line, text); ok {
			return ansi.StringWidth(before), y
		}
	}
	st.t.Fatalf("%q is not on the screen:\n%s", text, st.m.View())
	return 0, 0
}

func TestMouse(t *testing.T) {
	t.Run("a click opens a tab", func(t *testing.T) {
		for _, size := range [][2]int{{120, 40}, {60, 20}} {
			st, _ := steered(t)
			st.size(size[0], size[1])
			for i, name := range tabNames {
				x, y := st.find(name)
				st.send(click(x, y))
				if st.m.live.tab != tab(i) {
					t.Errorf("%v: %s is not opened", size, name)
				}
			}
		}
	})
	t.Run("a click puts the focus on a panel, another expands it", func(t *testing.T) {
		st, _ := steered(t)
		x, y := st.find("Memory")
		st.send(click(x, y+3))
		if st.m.live.focus() != memoryChart || st.m.live.expanded {
			t.Fatalf("focus on %v, expanded %v", st.m.live.focus(), st.m.live.expanded)
		}
		st.send(click(x, y+3))
		if !st.m.live.expanded {
			t.Error("not expanded")
		}
		st.send(click(20, 20))
		if st.m.live.expanded {
			t.Error("not shrunk")
		}
		st.send(click(st.find("Verdicts ─")))
		if st.m.live.focus() != verdictPanel {
			t.Error("no focus on the verdicts")
		}
	})
	t.Run("the wheel zooms a chart and scrolls a list", func(t *testing.T) {
		st, _ := steered(t)
		x, y := st.find("Latency")
		st.send(wheel(x, y+3, true))
		if at := st.m.live.span(); at != (chart.Span{From: 5, To: 20}) {
			t.Errorf("zoomed to %v", at)
		}
		st.send(wheel(x, y+3, false))
		if at := st.m.live.span(); at != (chart.Span{From: 0, To: 20}) {
			t.Errorf("zoomed to %v", at)
		}
		st.size(80, 24)
		x, y = st.find("Verdicts ─")
		before := st.m.live.verdicts.scroll.Offset
		st.send(wheel(x, y+1, true))
		if after := st.m.live.verdicts.scroll.Offset; after >= before {
			t.Errorf("scrolled from %d to %d", before, after)
		}
	})
	t.Run("a click selects an agent, another opens it", func(t *testing.T) {
		st, _ := steered(t)
		st.press("2")
		x, y := st.find("a_0007")
		st.send(click(x, y))
		if !strings.Contains(st.m.View(), "▸a_0007") {
			t.Fatalf("not selected:\n%s", st.m.View())
		}
		st.send(click(x, y))
		if st.m.live.agents.detail != "a_0007" {
			t.Error("not opened")
		}
	})
	t.Run("elsewhere the wheel is the arrow keys", func(t *testing.T) {
		st := newStage(t, Config{}).size(120, 40)
		st.send(wheel(5, 5, false))
		if st.m.menu.cursor != 1 {
			t.Errorf("the cursor is at %d", st.m.menu.cursor)
		}
		st.send(wheel(5, 5, true))
		if st.m.menu.cursor != 0 {
			t.Errorf("the cursor is at %d", st.m.menu.cursor)
		}
	})
}

// A frame of the live screen has exactly as many rows as its terminal, each no
// wider than it, whatever the size, the keys, and what the run tells.
func TestAnyLiveFrame(t *testing.T) {
	keys := []string{
		"1", "2", "3", "4", "5", "6", "tab", "shift+tab", "e", "enter", "esc", "up", "down", "j", "k", "K", "pgup", "pgdown", "home", "end", "g", "G",
		"+", "-", "left", "right", "f", "m", "l", "s", "/", "a", "宽", "?", "t", "p", "[", "]", "n", "backspace",
	}
	odd := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1e6), rapid.SampledFrom([]float64{0, 1e-9, 1e18, -1}))
	word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "宽字符", "é́́", strings.Repeat("long ", 40), "\x1b[31mred", "a\tb\nc"}))
	rapid.Check(t, func(rt *rapid.T) {
		st := stageFor(rt, Config{Start: []string{"event-storm"}, ASCII: rapid.Bool().Draw(rt, "ascii"), Color: rapid.SampledFrom([]string{"never", "always"}).Draw(rt, "color"), Faults: []FaultKind{{Name: "kill_agents", Example: "kill_agents: 10"}}})
		var s stream.Steerable = &helm{}
		st.run.steer.Store(&s)
		events := script()
		next, now := 0, 0.0
		for range rapid.IntRange(1, 12).Draw(rt, "moves") {
			switch rapid.SampledFrom([]string{"size", "key", "key", "key", "mouse", "events", "odd"}).Draw(rt, "move") {
			case "size":
				st.size(rapid.IntRange(0, 230).Draw(rt, "width"), rapid.IntRange(0, 70).Draw(rt, "height"))
			case "key":
				st.press(rapid.SampledFrom(keys).Draw(rt, "key"))
			case "mouse":
				x, y := rapid.IntRange(-1, 230).Draw(rt, "x"), rapid.IntRange(-1, 70).Draw(rt, "y")
				if rapid.Bool().Draw(rt, "wheel") {
					st.send(wheel(x, y, rapid.Bool().Draw(rt, "up")))
				} else {
					st.send(click(x, y))
				}
			case "events":
				for range rapid.IntRange(1, 200).Draw(rt, "events") {
					e := events[next%len(events)]
					if e.Type != stream.RunFinished {
						now = max(now, e.T)
						st.run.timeline.Add(e)
					}
					next++
				}
				st.tick()
			case "odd":
				limit := stream.Limit{Metric: word.Draw(rt, "metric"), Source: "threshold", Op: "<", Value: odd.Draw(rt, "limit"), Unit: "ms", Probe: "action_p99_ms"}
				st.run.timeline.Add(stream.Event{T: now, Type: stream.StepStarted, Step: &stream.Step{Name: word.Draw(rt, "step"), Limits: []stream.Limit{limit}}})
				st.run.timeline.Add(stream.Event{T: now, Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: word.Draw(rt, "message"), ByHand: rapid.Bool().Draw(rt, "by hand")}})
				sample := probe.Sample{}
				for name := range healthy(0) {
					sample[name] = odd.Draw(rt, string(name))
				}
				in := &stream.Inspection{
					AgentsTotal:   1,
					Agents:        []stream.AgentState{{ID: word.Draw(rt, "id"), Type: word.Draw(rt, "type"), Mailbox: rapid.Int().Draw(rt, "mailbox"), MailboxCapacity: rapid.Int().Draw(rt, "room"), ActionsPerSecond: odd.Draw(rt, "rate")}},
					Agent:         &stream.AgentDetail{Summary: stream.AgentState{ID: "a_0042"}, State: word.Draw(rt, "state"), Events: []stream.BusEvent{{Type: word.Draw(rt, "event"), AgoSeconds: odd.Draw(rt, "ago")}}},
					Subscriptions: []stream.SubscriptionState{{Subscriber: word.Draw(rt, "subscriber"), Pattern: word.Draw(rt, "pattern"), Queued: rapid.Int().Draw(rt, "queued"), Capacity: rapid.Int().Draw(rt, "room")}},
				}
				now += rapid.Float64Range(0, 4000).Draw(rt, "later")
				st.run.timeline.Add(stream.Event{T: now, Type: stream.SampleTaken, Sample: sample, Inspection: in})
				st.tick()
			}
			lines := strings.Split(st.m.View(), "\n")
			if want := st.m.height; st.m.size() != lineSize && len(lines) != want {
				rt.Fatalf("%d rows in a terminal of %d×%d", len(lines), st.m.width, st.m.height)
			}
		}
	})
}

// An hour of a run takes no more memory than a few minutes of it, and neither
// does what the screen keeps.
func TestMemoryIsFlat(t *testing.T) {
	st, _ := steered(t)
	st.size(80, 24)
	sample := func(i int) {
		now := 30 + float64(i)/10
		s := healthy(now)
		s["mailbox_depth"] = float64(i % 700) // lints come and go
		st.run.timeline.Add(stream.Event{T: now, Type: stream.SampleTaken, Sample: s, Inspection: fakeInspection(now, float64(i/300%2))})
		if i%100 == 0 {
			st.run.timeline.Add(stream.Event{T: now, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "kill_agents"}})
			st.run.timeline.Add(stream.Event{T: now, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "a message"}})
			st.tick()
			st.press("m")
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const minute = 600
	for i := range 5 * minute {
		sample(i)
	}
	before := heap()
	for i := 5 * minute; i < 60*minute; i++ {
		sample(i)
	}
	if after := heap(); after > before+before/5 {
		t.Errorf("%d bytes after five minutes, %d after an hour", before, after)
	}
	if s := st.m.live.latest; s.T < 3600 || s.Points("goroutines", 0)[0].T > 1 || len(st.m.live.marks) > maxBookmarks {
		t.Errorf("at %v, from %v on, %d marks", s.T, s.Points("goroutines", 0)[0].T, len(st.m.live.marks))
	}
	// And all of it can be looked at.
	for range 20 {
		st.press("-")
	}
	if at := st.m.live.span(); at.From > 0 || len(st.m.live.points(line{probe: "goroutines"}, at)) < 500 {
		t.Errorf("from %v, %d points", at.From, len(st.m.live.points(line{probe: "goroutines"}, at)))
	}
	if v := st.m.View(); !strings.Contains(v, " 30:00 ") && !strings.Contains(v, " 0:00 ") {
		t.Errorf("no hour on the axis:\n%s", v)
	}
}

// Who looks back sees beside whom a fault had just hit then, and not what came later.
func TestStruck(t *testing.T) {
	var tl fold.Timeline
	for _, hit := range []struct {
		at     float64
		target string
	}{{10, "a_1"}, {20, "a_2"}, {30, ""}} {
		tl.Add(stream.Event{T: hit.at, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "slow_actions", Target: hit.target}})
	}
	l := newLive()
	l.setData(tl.Snapshot())
	for at, want := range map[float64]string{9: "", 10: "a_1", 12.9: "a_1", 13.1: "", 21: "a_2", 30: ""} {
		l.zoom = chart.Zoom{Length: 5, Fixed: true, End: at}
		got := slices.Collect(maps.Keys(l.struck()))
		if strings.Join(got, " ") != want {
			t.Errorf("at %v: %v, want %q", at, got, want)
		}
	}
}
