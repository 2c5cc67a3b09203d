package live

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/uitest"
)

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
		{"a filter that matches nothing", []string{"2", "/", "zzz", "enter"}, "no agents match the filter", ""},
		{"escape clears a kept filter", []string{"2", "/", "zzz", "enter", "esc"}, "▸a_0042", "zzz"},
		{"one agent", []string{"2", "enter"}, "Agent a_0042", ""},
		{"with its state", []string{"2", "enter"}, `{"count": 1711, "last": "increment"}`, ""},
		{"with its last events", []string{"2", "enter"}, "100 ms ago  load.burst  from a_0042", ""},
		{"and back", []string{"2", "enter", "esc"}, "▸a_0042", "Agent a_0042"},
		{"one without details", []string{"2", "j", "enter"}, "waiting for a snapshot", ""},
		{"from the overview", []string{"tab", "tab", "tab", "tab", "tab", "tab", "enter"}, "Agent a_0042", "Verdicts ─"},
		{"subscriptions", []string{"3"}, "sub_17", ""},
		{"by what was dropped", []string{"3", "s"}, "12 of 100 by dropped", ""},
		{"subscriptions that match", []string{"3", "/", "sub_2", "enter"}, "9 of 100 by queue", "sub_19"},
		{"verdicts in the order of the run", []string{"5"}, "Verdicts", "worst first"},
		{"the worst first", []string{"5", "s"}, "worst first", ""},
		{"verdicts that match", []string{"5", "/", "burst", "enter"}, "burst_event_rate", "stability_score"},
		{"no verdicts that match", []string{"5", "/", "zzz", "enter"}, "no verdict matches the filter", ""},
		{"the log", []string{"6"}, "throughput ends: WARN", ""},
		{"the log's problems only", []string{"6", "s"}, "kill_agents", "throughput ends"},
		{"the log filtered", []string{"6", "/", "repetition", "enter"}, "repetition 2", "kill_agents, "},
		{"the log's beginning", []string{"6", "g"}, "0:00.0  step     throughput begins", ""},
	} {
		st := steered(t)
		st.size(120, 30).until(22).press(test.keys...)
		v := st.view()
		if !strings.Contains(v, test.shown) || test.hidden != "" && strings.Contains(v, test.hidden) {
			t.Errorf("%s: %q should be in, and %q not\n%s", test.name, test.shown, test.hidden, v)
		}
	}
	t.Run("the cursor stays on its agent when the order changes", func(t *testing.T) {
		st := steered(t)
		st.press("2", "j")
		in := uitest.Inspection(23, 0)
		in.Agents[1], in.Agents[4] = in.Agents[4], in.Agents[1]
		st.feed.Emit(stream.Event{T: 23, Type: stream.SampleTaken, Sample: uitest.Healthy(23), Inspection: in})
		st.tick()
		if v := st.view(); !strings.Contains(v, "▸a_0007") {
			t.Errorf("the cursor went away:\n%s", v)
		}
	})
	t.Run("worst first is the worst first", func(t *testing.T) {
		st := newStage(t, nil).until(35.2)
		st.press("5", "s")
		rows := st.verdicts.rows()
		if rows[0].Word != "FAIL" || rows[len(rows)-1].Word != "EXCEED" {
			t.Errorf("from %s to %s", rows[0].Word, rows[len(rows)-1].Word)
		}
	})
	t.Run("an agent that is gone", func(t *testing.T) {
		st := steered(t)
		st.press("2", "enter")
		in := uitest.Inspection(28, 0)
		in.Agent = nil
		st.feed.Emit(stream.Event{T: 28, Type: stream.SampleTaken, Sample: uitest.Healthy(28), Inspection: in})
		st.tick()
		if v := st.view(); !strings.Contains(v, "this agent no longer exists") {
			t.Errorf("not shown:\n%s", v)
		}
	})
	t.Run("an old inspection shows its age", func(t *testing.T) {
		st := steered(t)
		st.press("2")
		st.feed.Emit(stream.Event{T: 28, Type: stream.SampleTaken, Sample: uitest.Healthy(28)})
		st.tick()
		if v := st.view(); !strings.Contains(v, "as of 0:20") {
			t.Errorf("not shown:\n%s", v)
		}
	})
}

// Targets of faults are marked for a while after the fault, also when looking back.
func TestHitByFault(t *testing.T) {
	st := newStage(t, nil)
	for _, hit := range []struct {
		at     float64
		target string
	}{{10, "a_1"}, {20, "a_2"}, {30, ""}} {
		st.feed.Emit(stream.Event{T: hit.at, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "slow_actions", Target: hit.target}})
	}
	st.tick()
	for at, want := range map[float64]string{9: "", 10: "a_1", 12.9: "a_1", 13.1: "", 21: "a_2", 30: ""} {
		st.zoom = chart.Zoom{Length: 5, Fixed: true, End: at}
		got := slices.Collect(maps.Keys(st.hitByFault()))
		if strings.Join(got, " ") != want {
			t.Errorf("at %v: %v, want %q", at, got, want)
		}
	}
}
