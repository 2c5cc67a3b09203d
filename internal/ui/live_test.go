package ui

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"
)

func TestLiveKeys(t *testing.T) {
	t.Run("a frozen screen is not taken away at the end", func(t *testing.T) {
		st := running(t)
		st.press("f")
		st.until(1000).end(nil)
		if st.m.current != st.m.live {
			t.Error("left the frozen screen")
		}
		st.press("esc")
		if st.m.current != st.m.report {
			t.Error("escape did not show the report")
		}
	})
	t.Run("escape asks before it stops the load", func(t *testing.T) {
		st := running(t)
		st.press("esc")
		if st.m.host.Dialog == nil || st.feed.Stopped() {
			t.Fatal("not asked")
		}
		st.press("n")
		if st.m.host.Dialog != nil || st.feed.Stopped() {
			t.Fatal("stopped though the answer was no")
		}
		st.press("esc", "y")
		if !st.feed.Stopped() || !strings.Contains(st.m.View(), "STOPPING") {
			t.Fatalf("not stopping:\n%s", st.m.View())
		}
		st.until(1000)
		if cmd := st.end(nil); quits(cmd) || st.m.current != st.m.report {
			t.Error("the report is not shown")
		}
	})
	t.Run("q asks while a load runs, and quits when it has ended", func(t *testing.T) {
		st := running(t)
		if quits(st.press("q")) || st.m.host.Dialog == nil || st.feed.Stopped() {
			t.Fatal("not asked")
		}
		if quits(st.press("y")) || !st.feed.Stopped() {
			t.Fatal("did not stop the load first")
		}
		if quits(st.tick()) {
			t.Fatal("quit before the load had ended")
		}
		if !quits(st.end(nil)) {
			t.Fatal("did not quit")
		}
	})
	t.Run("q while stopping quits after the load without asking", func(t *testing.T) {
		st := running(t)
		st.press("ctrl+c", "q")
		if st.m.host.Dialog != nil || !quits(st.end(nil)) {
			t.Error("did not quit")
		}
	})
	t.Run("a question is withdrawn when the run ends by itself", func(t *testing.T) {
		st := running(t)
		st.press("q")
		if quits(st.end(nil)) || st.m.host.Dialog != nil || st.m.current != st.m.report {
			t.Error("the question is still there")
		}
	})
	t.Run("ctrl+c stops and reports, again ends", func(t *testing.T) {
		st := running(t)
		if quits(st.press("ctrl+c")) || !st.feed.Stopped() {
			t.Fatal("the first ctrl+c did not stop the load")
		}
		if !quits(st.press("ctrl+c")) {
			t.Fatal("the second ctrl+c did not end")
		}
	})
	t.Run("ctrl+c works from a question and from help", func(t *testing.T) {
		for _, key := range []string{"q", "?"} {
			st := running(t)
			st.press(key, "ctrl+c")
			if !st.feed.Stopped() {
				t.Errorf("not after %q", key)
			}
			st.end(nil)
			if st.m.current != st.m.report {
				t.Errorf("no report after %q", key)
			}
		}
	})
	t.Run("help", func(t *testing.T) {
		st := running(t)
		st.press("?")
		if !strings.Contains(st.m.View(), "Focus previous panel") {
			t.Error("no help")
		}
		st.press("?")
		if strings.Contains(st.m.View(), "Focus previous panel") || st.m.current != st.m.live {
			t.Error("help does not close")
		}
	})
}

// steered is a run that takes commands after 20 s.
func steered(t *testing.T) *stage {
	st := newStage(t, Config{Start: []string{"event-storm"}, Faults: []session.FaultKind{
		{Name: "kill_agents", Doc: "Kills agents.", Example: "kill_agents: 10"},
		{Name: "stall_subscribers", Doc: "Stalls subscribers.", Example: "stall_subscribers: 3, for: 200ms"},
	}})
	return st.size(120, 40).until(20)
}

func TestTabs(t *testing.T) {
	for i, name := range []string{"Overview", "Agents", "Bus", "Runtime", "Verdicts", "Log"} {
		for _, size := range [][2]int{{200, 60}, {120, 40}, {80, 24}, {60, 20}, {39, 9}} {
			t.Run(fmt.Sprintf("tab-%s-%dx%d", strings.ToLower(name), size[0], size[1]), func(t *testing.T) {
				st := steered(t)
				st.size(size[0], size[1]).until(22).press(string(rune('1' + i)))
				uitest.Golden(t, filepath.Base(t.Name()), st.m.View())
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
			st := steered(t)
			if strings.HasSuffix(name, "80x24") {
				st.size(80, 24)
			}
			st.until(22).press(keys...)
			uitest.Golden(t, name, st.m.View())
		})
	}
}

// A frame of the live screen fits its terminal after any sequence of sizes, keys
// and events.
func TestAnyLiveFrame(t *testing.T) {
	keys := []string{
		"1", "2", "3", "4", "5", "6", "tab", "shift+tab", "e", "enter", "esc", "up", "down", "j", "k", "K", "pgup", "pgdown", "home", "end", "g", "G",
		"+", "-", "left", "right", "f", "m", "l", "s", "/", "a", "宽", "?", "t", "p", "[", "]", "n", "backspace",
	}
	odd := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1e6), rapid.SampledFrom([]float64{0, 1e-9, 1e18, -1}))
	word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "宽字符", "é́́", strings.Repeat("long ", 40), "\x1b[31mred", "a\tb\nc"}))
	rapid.Check(t, func(rt *rapid.T) {
		st := stageFor(rt, Config{Start: []string{"event-storm"}, ASCII: rapid.Bool().Draw(rt, "ascii"), Color: rapid.SampledFrom([]string{"never", "always"}).Draw(rt, "color"), Faults: []session.FaultKind{{Name: "kill_agents", Example: "kill_agents: 10"}}})
		events := uitest.Script()
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
						st.feed.Emit(e)
					}
					next++
				}
				st.tick()
			case "odd":
				limit := stream.Limit{Metric: word.Draw(rt, "metric"), Source: "threshold", Op: "<", Value: odd.Draw(rt, "limit"), Unit: "ms", Probe: "action_p99_ms"}
				st.feed.Emit(stream.Event{T: now, Type: stream.StepStarted, Step: &stream.Step{Name: word.Draw(rt, "step"), Limits: []stream.Limit{limit}}})
				st.feed.Emit(stream.Event{T: now, Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: word.Draw(rt, "message"), ByHand: rapid.Bool().Draw(rt, "by hand")}})
				sample := probe.Sample{}
				for name := range uitest.Healthy(0) {
					sample[name] = odd.Draw(rt, string(name))
				}
				in := &stream.Inspection{
					AgentsTotal:   1,
					Agents:        []stream.AgentState{{ID: word.Draw(rt, "id"), Type: word.Draw(rt, "type"), Mailbox: rapid.Int().Draw(rt, "mailbox"), MailboxCapacity: rapid.Int().Draw(rt, "room"), ActionsPerSecond: odd.Draw(rt, "rate")}},
					Agent:         &stream.AgentDetail{Summary: stream.AgentState{ID: "a_0042"}, State: word.Draw(rt, "state"), Events: []stream.BusEvent{{Type: word.Draw(rt, "event"), AgoSeconds: odd.Draw(rt, "ago")}}},
					Subscriptions: []stream.SubscriptionState{{Subscriber: word.Draw(rt, "subscriber"), Pattern: word.Draw(rt, "pattern"), Queued: rapid.Int().Draw(rt, "queued"), Capacity: rapid.Int().Draw(rt, "room")}},
				}
				now += rapid.Float64Range(0, 4000).Draw(rt, "later")
				st.feed.Emit(stream.Event{T: now, Type: stream.SampleTaken, Sample: sample, Inspection: in})
				st.tick()
			}
			lines := strings.Split(st.m.View(), "\n")
			if want := st.m.host.Height; st.m.host.Size() != screen.Line && len(lines) != want {
				rt.Fatalf("%d rows in a terminal of %d×%d", len(lines), st.m.host.Width, st.m.host.Height)
			}
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

// On the other screens, the wheel moves like the arrow keys.
func TestWheel(t *testing.T) {
	st := newStage(t, Config{}).size(120, 40)
	st.send(wheel(5, 5, false))
	st.shows(t, "▸   Event throughput")
	st.send(wheel(5, 5, true))
	st.shows(t, "▸   Event storm")
}
