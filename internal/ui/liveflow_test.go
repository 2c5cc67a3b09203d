package ui

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"
)

// A run is watched and steered from its start to its report, by keys and the mouse
// as a terminal sends them.
func TestLiveFlow(t *testing.T) {
	const second = time.Second
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		source := &uitest.Commands{}
		cfg := Config{
			Runner: uitest.Runner{Source: uitest.Steered{Source: uitest.Source{}, Commands: source}}, Start: []string{"event-storm"},
			Faults: []session.FaultKind{{Name: "kill_agents", Doc: "Kills agents.", Example: "kill_agents: 10"}},
		}
		r, out, err := play(ctx, t, cfg, map[time.Duration]string{
			4 * second: "f", 5 * second: "f",
			6 * second: "+", 7 * second: "\x1b[D", 8 * second: "G", 9 * second: "m",
			10 * second: "p", 11 * second: "p", 12 * second: "]",
			13 * second: "k", 14 * second: "\r", 15 * second: "\r",
			16 * second: "\x1b[<0;20;2M", 17 * second: "j", 18 * second: "\r", 19 * second: "\x1b",
			20 * second: "6", 21 * second: "s", 22 * second: "1", 23 * second: "e",
			45 * second: "q",
		})
		if err != nil || r == nil || r.Verdict != report.Fail {
			t.Errorf("report %+v, %v", r, err)
		}
		want := []stream.Command{
			{Do: stream.SetPaused, Paused: true},
			{Do: stream.SetPaused},
			{Do: stream.SetRate, Rate: 1.1},
			{Do: stream.InjectFault, Fault: "kill_agents: 10"},
		}
		if got := source.Steering(); !reflect.DeepEqual(got, want) {
			t.Errorf("asked for %+v, want %+v", got, want)
		}
		for _, shown := range []string{"FROZEN at 0:0", "PAUSED", "load 110 %", "Inject a fault", "Agent a_0007", "problems only", "max at", "checks failed"} {
			if !strings.Contains(out, shown) {
				t.Errorf("%q was never shown", shown)
			}
		}
		cancel()
		time.Sleep(time.Second)
	})
}
