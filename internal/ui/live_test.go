package ui

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"mabeam-top/internal/ui/chart"
)

func TestLiveKeys(t *testing.T) {
	t.Run("freeze holds the screen and not the run", func(t *testing.T) {
		st := running(t)
		st.press("f")
		shown := st.m.live.shown
		st.feed(22)
		if st.m.live.shown != shown || st.m.live.latest.T != 22 || !strings.Contains(st.m.View(), "FROZEN at 0:20") {
			t.Errorf("shown at %v, latest %v", st.m.live.shown.T, st.m.live.latest.T)
		}
		st.press("f")
		if st.m.live.shown.T != 22 || strings.Contains(st.m.View(), "FROZEN") {
			t.Errorf("after unfreezing: shown at %v", st.m.live.shown.T)
		}
	})
	t.Run("a frozen screen is not taken away at the end", func(t *testing.T) {
		st := running(t)
		st.press("f")
		st.feed(1000).end(nil)
		if st.m.screen != liveScreen {
			t.Error("left the frozen screen")
		}
		st.press("esc")
		if st.m.screen != reportScreen {
			t.Error("escape did not show the report")
		}
	})
	t.Run("tab goes round all charts and lists", func(t *testing.T) {
		st := running(t)
		var seen []panel
		for range 8 {
			st.press("tab")
			seen = append(seen, st.m.live.focus())
		}
		want := []panel{latencyChart, memoryChart, populationChart, eventsChart, backlogChart, agentsPanel, verdictPanel, throughputChart}
		if !slices.Equal(seen, want) {
			t.Errorf("focus went %v, want %v", seen, want)
		}
		st.press("shift+tab")
		if st.m.live.focus() != verdictPanel {
			t.Errorf("and back to %v", st.m.live.focus())
		}
	})
	t.Run("the chart in focus is in sight", func(t *testing.T) {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			st := running(t).size(size[0], size[1])
			for _, number := range tabCharts[overviewTab] {
				if v := st.m.View(); !strings.Contains(v, "▸ "+charts[number].title) {
					t.Errorf("%v: %s is not in sight:\n%s", size, charts[number].title, v)
				}
				st.press("tab")
			}
		}
	})
	t.Run("e and enter expand a chart, e, enter and escape shrink it", func(t *testing.T) {
		for _, keys := range [][2]string{{"e", "esc"}, {"enter", "e"}, {"e", "enter"}} {
			st := running(t)
			st.press("tab", keys[0])
			if v := st.m.View(); !strings.Contains(v, "Latency") || strings.Contains(v, "Throughput") || !strings.Contains(v, "highest at") {
				t.Errorf("%s: not expanded:\n%s", keys[0], v)
			}
			st.press(keys[1])
			if v := st.m.View(); !strings.Contains(v, "Throughput") || st.m.dialog != nil {
				t.Errorf("%s: not shrunk:\n%s", keys[1], v)
			}
		}
	})
	t.Run("e on a list opens its tab", func(t *testing.T) {
		st := running(t)
		st.press("shift+tab", "e")
		if st.m.live.tab != verdictsTab {
			t.Errorf("on tab %v", st.m.live.tab)
		}
	})
	t.Run("numbers open the tabs", func(t *testing.T) {
		for _, size := range [][2]int{{120, 40}, {80, 24}, {60, 20}, {40, 10}} {
			st := running(t).size(size[0], size[1])
			for i, name := range tabNames {
				st.press(strconv.Itoa(i + 1))
				if st.m.live.tab != tab(i) || !strings.Contains(st.m.View(), name) {
					t.Errorf("%v: %d does not open %s", size, i+1, name)
				}
			}
		}
	})
	t.Run("the table scrolls when it has the focus", func(t *testing.T) {
		st := running(t).size(80, 24)
		st.press("shift+tab", "g")
		if v := st.m.View(); !strings.Contains(v, "events_per_second") {
			t.Errorf("first row not in sight:\n%s", v)
		}
		st.press("j")
		if v := st.m.View(); strings.Contains(v, "events_per_second") || !strings.Contains(v, "average_latency_ms") {
			t.Errorf("not scrolled:\n%s", v)
		}
		st.press("G", "down", "pgdown", "pgup", "k", "up")
	})
	t.Run("escape asks before it stops the load", func(t *testing.T) {
		st := running(t)
		st.press("esc")
		if st.m.dialog == nil || st.run.stopped {
			t.Fatal("not asked")
		}
		st.press("n")
		if st.m.dialog != nil || st.run.stopped {
			t.Fatal("stopped though the answer was no")
		}
		st.press("esc", "y")
		if !st.run.stopped || !strings.Contains(st.m.View(), "STOPPING") {
			t.Fatalf("not stopping:\n%s", st.m.View())
		}
		st.feed(1000)
		if cmd := st.end(nil); quits(cmd) || st.m.screen != reportScreen {
			t.Error("the report is not shown")
		}
	})
	t.Run("q asks while a load runs, and quits when it has ended", func(t *testing.T) {
		st := running(t)
		if quits(st.press("q")) || st.m.dialog == nil || st.run.stopped {
			t.Fatal("not asked")
		}
		if quits(st.press("y")) || !st.run.stopped {
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
		if st.m.dialog != nil || !quits(st.end(nil)) {
			t.Error("did not quit")
		}
	})
	t.Run("a question is withdrawn when the run ends by itself", func(t *testing.T) {
		st := running(t)
		st.press("q")
		if quits(st.end(nil)) || st.m.dialog != nil || st.m.screen != reportScreen {
			t.Error("the question is still there")
		}
	})
	t.Run("ctrl+c stops and reports, again ends", func(t *testing.T) {
		st := running(t)
		if quits(st.press("ctrl+c")) || !st.run.stopped {
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
			if !st.run.stopped {
				t.Errorf("not after %q", key)
			}
			st.end(nil)
			if st.m.screen != reportScreen {
				t.Errorf("no report after %q", key)
			}
		}
	})
	t.Run("help", func(t *testing.T) {
		st := running(t)
		st.press("?")
		if !strings.Contains(st.m.View(), "the one before") {
			t.Error("no help")
		}
		st.press("?")
		if strings.Contains(st.m.View(), "the one before") || st.m.screen != liveScreen {
			t.Error("help does not close")
		}
	})
}

func TestTimeKeys(t *testing.T) {
	for _, test := range []struct {
		name     string
		keys     []string
		from, to float64
	}{
		{"it follows the run", nil, 0, 20},
		{"zoom in", []string{"+"}, 5, 20},
		{"zoom in further", []string{"+", "+", "+", "+", "+", "+"}, 15, 20},
		{"no further out than the run", []string{"-", "-"}, 0, 20},
		{"in and out again", []string{"+", "-"}, 0, 20},
		{"scroll back", []string{"+", "+", "left"}, 9, 19},
		{"scroll back and forth", []string{"+", "+", "left", "left", "right"}, 9, 19},
		{"forth ends with now", []string{"+", "+", "left", "right", "right"}, 10, 20},
		{"to the oldest", []string{"+", "+", "g"}, 0, 10},
		{"no further back", []string{"+", "+", "g", "left"}, 0, 10},
		{"and live again", []string{"+", "+", "g", "G"}, 10, 20},
		{"zoom keeps the moment at the right", []string{"+", "+", "left", "+"}, 14, 19},
	} {
		st := running(t)
		st.press(test.keys...)
		if at := st.m.live.span(); at != (chart.Span{From: test.from, To: test.to}) {
			t.Errorf("%s: %v to %v, want %v to %v", test.name, at.From, at.To, test.from, test.to)
		}
	}
	t.Run("what is looked at stays while the run goes on", func(t *testing.T) {
		st := running(t)
		st.press("+", "+", "left")
		st.feed(23)
		if at := st.m.live.span(); at != (chart.Span{From: 9, To: 19}) {
			t.Errorf("moved to %v", at)
		}
		if v := st.m.View(); !strings.Contains(v, "0:09 to 0:19") || !strings.Contains(v, " 0:19.0") || strings.Contains(v, " now ╯") {
			t.Errorf("the screen does not say that it is not live:\n%s", v)
		}
		st.press("G")
		if at := st.m.live.span(); at != (chart.Span{From: 13, To: 23}) {
			t.Errorf("not live: %v", at)
		}
	})
	t.Run("figures are those of the moment shown", func(t *testing.T) {
		st := running(t).size(80, 24)
		now := st.m.live.value(figures[0])
		st.press("+", "g")
		if then := st.m.live.value(figures[0]); then == now || !strings.Contains(st.m.View(), then) {
			t.Errorf("%s then, %s now", then, now)
		}
	})
	t.Run("l changes the scale", func(t *testing.T) {
		st := running(t)
		if !strings.Contains(st.m.View(), "Latency log") {
			t.Fatal("not logarithmic to begin with")
		}
		st.press("l")
		if !strings.Contains(st.m.View(), "Latency linear") {
			t.Error("not linear")
		}
	})
	t.Run("m marks the moment shown", func(t *testing.T) {
		st := newStage(t, Config{Start: []string{"event-storm"}}).size(120, 40).feed(11)
		st.press("m")
		st.feed(20.6).press("m")
		if v := st.m.View(); !strings.Contains(v, "▼1") || !strings.Contains(v, "▼╯") {
			t.Errorf("no marks:\n%s", v)
		}
	})
}
