package live

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/session"
)

func TestKeys(t *testing.T) {
	t.Run("tab goes round all charts and lists", func(t *testing.T) {
		st := running(t)
		var seen []panel
		for range 8 {
			st.press("tab")
			seen = append(seen, st.focus())
		}
		want := []panel{latencyChart, memoryChart, populationChart, eventsChart, backlogChart, agentsPanel, verdictPanel, throughputChart}
		if !slices.Equal(seen, want) {
			t.Errorf("focus went %v, want %v", seen, want)
		}
		st.press("shift+tab")
		if st.focus() != verdictPanel {
			t.Errorf("and back to %v", st.focus())
		}
	})
	t.Run("the chart in focus is visible", func(t *testing.T) {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			st := running(t).size(size[0], size[1])
			for _, number := range tabCharts[overviewTab] {
				if v := st.view(); !strings.Contains(v, "▸ "+charts[number].title) {
					t.Errorf("%v: %s is not visible:\n%s", size, charts[number].title, v)
				}
				st.press("tab")
			}
		}
	})
	t.Run("e and enter expand a chart, e, enter and escape shrink it", func(t *testing.T) {
		for _, keys := range [][2]string{{"e", "esc"}, {"enter", "e"}, {"e", "enter"}} {
			st := running(t)
			st.press("tab", keys[0])
			if v := st.view(); !strings.Contains(v, "Latency") || strings.Contains(v, "Throughput") || !strings.Contains(v, "max at") {
				t.Errorf("%s: not expanded:\n%s", keys[0], v)
			}
			st.press(keys[1])
			if v := st.view(); !strings.Contains(v, "Throughput") || st.host.Dialog != nil {
				t.Errorf("%s: not shrunk:\n%s", keys[1], v)
			}
		}
	})
	t.Run("e on a list opens its tab", func(t *testing.T) {
		st := running(t)
		st.press("shift+tab", "e")
		if st.tab != verdictsTab {
			t.Errorf("on tab %v", st.tab)
		}
	})
	t.Run("numbers open the tabs", func(t *testing.T) {
		for _, size := range [][2]int{{120, 40}, {80, 24}, {60, 20}, {40, 10}} {
			st := running(t).size(size[0], size[1])
			for i, name := range tabNames {
				st.press(strconv.Itoa(i + 1))
				if st.tab != tab(i) || !strings.Contains(st.view(), name) {
					t.Errorf("%v: %d does not open %s", size, i+1, name)
				}
			}
		}
	})
	t.Run("the table scrolls when it has the focus", func(t *testing.T) {
		st := running(t).size(80, 24)
		st.press("shift+tab", "g")
		if v := st.view(); !strings.Contains(v, "events_per_second") {
			t.Errorf("first row not visible:\n%s", v)
		}
		st.press("j")
		if v := st.view(); strings.Contains(v, "events_per_second") || !strings.Contains(v, "average_latency_ms") {
			t.Errorf("not scrolled:\n%s", v)
		}
		st.press("G", "down", "pgdown", "pgup", "k", "up")
	})
	t.Run("freeze holds the screen and not the run", func(t *testing.T) {
		st := running(t)
		st.press("f")
		shown := st.shown
		st.until(22)
		if st.shown != shown || st.latest.T != 22 || !strings.Contains(st.view(), "FROZEN at 0:20") {
			t.Errorf("shown at %v, latest %v", st.shown.T, st.latest.T)
		}
		st.press("f")
		if st.shown.T != 22 || strings.Contains(st.view(), "FROZEN") {
			t.Errorf("after unfreezing: shown at %v", st.shown.T)
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
		if at := st.span(); at != (chart.Span{From: test.from, To: test.to}) {
			t.Errorf("%s: %v to %v, want %v to %v", test.name, at.From, at.To, test.from, test.to)
		}
	}
	t.Run("what is shown stays while the run continues", func(t *testing.T) {
		st := running(t)
		st.press("+", "+", "left")
		st.until(23)
		if at := st.span(); at != (chart.Span{From: 9, To: 19}) {
			t.Errorf("moved to %v", at)
		}
		if v := st.view(); !strings.Contains(v, "0:09 to 0:19") || !strings.Contains(v, " 0:19.0") || strings.Contains(v, " now ╯") {
			t.Errorf("the screen does not say that it is not live:\n%s", v)
		}
		st.press("G")
		if at := st.span(); at != (chart.Span{From: 13, To: 23}) {
			t.Errorf("not live: %v", at)
		}
	})
	t.Run("figures are those of the moment shown", func(t *testing.T) {
		st := running(t).size(80, 24)
		now := st.value(session.Figures[0])
		st.press("+", "g")
		if then := st.value(session.Figures[0]); then == now || !strings.Contains(st.view(), then) {
			t.Errorf("%s then, %s now", then, now)
		}
	})
	t.Run("l changes the scale", func(t *testing.T) {
		st := running(t)
		if !strings.Contains(st.view(), "Latency log") {
			t.Fatal("not logarithmic to begin with")
		}
		st.press("l")
		if !strings.Contains(st.view(), "Latency linear") {
			t.Error("not linear")
		}
	})
	t.Run("m marks the moment shown", func(t *testing.T) {
		st := newStage(t, nil).until(11)
		st.press("m")
		st.until(20.6).press("m")
		if v := st.view(); !strings.Contains(v, "▼1") || !strings.Contains(v, "▼╯") {
			t.Errorf("no marks:\n%s", v)
		}
	})
}
