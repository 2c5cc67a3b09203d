package live

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"
)

func TestSteering(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []string
		want []stream.Command
		// shown is on the screen afterwards.
		shown string
	}{
		{"pause", []string{"p"}, []stream.Command{{Do: stream.SetPaused, Paused: true}}, "‖ PAUSED"},
		{"resume", []string{"p", "p"}, []stream.Command{{Do: stream.SetPaused, Paused: true}, {Do: stream.SetPaused}}, "● RUN"},
		{"faster", []string{"]"}, []stream.Command{{Do: stream.SetRate, Rate: 1.1}}, "load 110 %"},
		{"slower", []string{"[", "["}, []stream.Command{{Do: stream.SetRate, Rate: 0.9}, {Do: stream.SetRate, Rate: 0.8}}, "load 80 %"},
		{"and back", []string{"]", "["}, []stream.Command{{Do: stream.SetRate, Rate: 1.1}, {Do: stream.SetRate, Rate: 1}}, "Offered load set to 100 %."},
		{"a fault", []string{"k", "down", "enter", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "stall_subscribers: 3, for: 200ms"}}, "Requested stall_subscribers"},
		{"a fault with another number", []string{"k", "enter", "backspace", "5", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "kill_agents: 15"}}, "Requested kill_agents: 15."},
		{"an invalid fault", []string{"k", "enter", "backspace", "backspace", "backspace", "backspace", "enter"}, nil, "a number is missing"},
		{"a canceled fault", []string{"k", "enter", "esc"}, nil, "● RUN"},
		{"a fault from a list", []string{"2", "K", "enter", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "kill_agents: 10"}}, "Requested kill_agents"},
		{"in a list, k moves up", []string{"2", "k"}, nil, "Busiest agents"},
	} {
		st := steered(t)
		st.press(test.keys...)
		if got := st.commands.Steering(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		if !strings.Contains(st.view(), test.shown) {
			t.Errorf("%s: %q is not in\n%s", test.name, test.shown, st.view())
		}
	}
	t.Run("the rate has bounds", func(t *testing.T) {
		st := steered(t)
		for range 20 {
			st.press("[")
		}
		if got := st.commands.Steering(); len(got) != 9 || got[8].Rate != 0.1 || !strings.Contains(st.view(), "from 10 % to 1000 %") {
			t.Errorf("%+v\n%s", got, st.view())
		}
	})
	t.Run("a paused and a frozen screen look different", func(t *testing.T) {
		st := steered(t)
		st.press("f")
		if v := st.view(); !strings.Contains(v, "FROZEN at 0:20") || strings.Contains(v, "PAUSED") {
			t.Errorf("frozen:\n%s", v)
		}
		st.press("p")
		if v := st.view(); !strings.Contains(v, "FROZEN at 0:20") || !strings.Contains(v, "PAUSED") {
			t.Errorf("frozen and paused:\n%s", v)
		}
	})
	t.Run("manual actions are marked and logged", func(t *testing.T) {
		st := steered(t)
		st.feed.Emit(stream.Event{T: 21, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "rate set to 110 %", ByHand: true}})
		st.feed.Emit(stream.Event{T: 22, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "kill_agents", ByHand: true}})
		st.feed.Emit(stream.Event{T: 29, Type: stream.SampleTaken, Sample: probe.Sample{"goroutines": 1}})
		st.tick()
		if v := st.view(); !strings.Contains(v, "◆─◆") || !strings.Contains(v, "0:21 rate set to 110 %") {
			t.Errorf("not marked:\n%s", v)
		}
		st.press("6")
		if v := st.view(); !strings.Contains(v, "manual   rate set to 110 %") || !strings.Contains(v, "fault    kill_agents (manual)") {
			t.Errorf("not in the log:\n%s", v)
		}
	})
}

// A command that is refused shows the reason, and changes nothing.
func TestRefusals(t *testing.T) {
	over := errors.New("the step is over")
	for _, test := range []struct {
		name     string
		commands *uitest.Commands
		prepare  func(*stage)
		want     string
	}{
		{"a run that takes no commands", nil, func(*stage) {}, "! " + stream.ErrNotSteerable.Error()},
		{"a source that refuses", &uitest.Commands{Err: over}, func(*stage) {}, "! the step is over"},
		{"a run that is stopping", &uitest.Commands{}, func(st *stage) { st.Stop() }, "! the load is stopping"},
		{"a run that has ended", &uitest.Commands{}, func(st *stage) { st.until(1000).end() }, "! the run has ended: there is no load to steer"},
		{"no faults", &uitest.Commands{Err: stream.ErrNotSteerable}, func(st *stage) { st.config.Faults = nil }, "! this run cannot be steered"},
	} {
		for _, keys := range [][]string{{"p"}, {"]"}, {"k"}, {"k", "enter", "enter"}} {
			st := newStage(t, test.commands).until(20)
			test.prepare(st)
			if len(keys) == 1 && keys[0] == "k" && test.commands != nil && errors.Is(test.commands.Err, over) {
				continue // the choice comes before the answer
			}
			for _, k := range keys {
				if st.host.Notice.Failed {
					break // there is no dialog to answer
				}
				st.press(k)
			}
			if !strings.Contains(st.view(), test.want) || st.paused || st.rate != 1 || test.commands != nil && len(test.commands.Steering()) > 0 {
				t.Errorf("%s, %v: %q is not in\n%s", test.name, keys, test.want, st.view())
			}
		}
	}
}

// The keys of a load do not steer a recording.
func TestRecordingIsNotSteered(t *testing.T) {
	r, err := stream.ReadRecording(strings.NewReader(`{"t": 0, "type": "run_started", "run": {"schema": "` + stream.Schema + `"}}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	st := steered(t)
	run := session.NewReplay(r, "a recording")
	run.Start(t.Context())
	defer run.Wait()
	st.Follow(run)
	for _, a := range st.steerActions(false) {
		st.host.Notice = screen.Notice{}
		a.Do()
		st.shows("! a recording cannot be steered")
	}
}

// The screen requests only the inspections that it shows.
func TestInspection(t *testing.T) {
	many := func(by stream.AgentOrder) stream.Inspect {
		return stream.Inspect{Agents: manyInspected, By: by, Subscriptions: fewInspected}
	}
	overview := stream.Inspect{Agents: fewInspected, By: stream.ByMailbox, Subscriptions: fewInspected}
	for _, test := range []struct {
		name string
		do   func(*stage)
		want []stream.Inspect
	}{
		{"a large overview shows agents", func(*stage) {}, []stream.Inspect{overview}},
		{"requested once", func(st *stage) { st.until(21); st.press("j", "m", "f") }, []stream.Inspect{overview}},
		{"the agents' tab", func(st *stage) { st.press("2") }, []stream.Inspect{overview, many(stream.ByMailbox)}},
		{"sorted", func(st *stage) { st.press("2", "s", "s") }, []stream.Inspect{overview, many(stream.ByMailbox), many(stream.ByRate), many(stream.ByMemory)}},
		{"one agent", func(st *stage) { st.press("2", "j", "enter") }, []stream.Inspect{
			overview, many(stream.ByMailbox),
			{Agents: manyInspected, By: stream.ByMailbox, Agent: "a_0007", Subscriptions: fewInspected},
		}},
		{"and back", func(st *stage) { st.press("2", "enter", "esc") }, []stream.Inspect{
			overview, many(stream.ByMailbox),
			{Agents: manyInspected, By: stream.ByMailbox, Agent: "a_0042", Subscriptions: fewInspected},
			many(stream.ByMailbox),
		}},
		{"the bus's tab", func(st *stage) { st.press("3") }, []stream.Inspect{overview, {Agents: fewInspected, By: stream.ByMailbox, Subscriptions: manyInspected}}},
		{"a tab without", func(st *stage) { st.press("4", "5", "6") }, []stream.Inspect{overview}},
		{"a small terminal shows none, but can look back", func(st *stage) { st.size(80, 24) }, []stream.Inspect{overview}},
		{"and has the tab", func(st *stage) { st.size(60, 20).press("2") }, []stream.Inspect{overview, many(stream.ByMailbox)}},
		{"a terminal of one line", func(st *stage) { st.size(30, 8) }, []stream.Inspect{overview, {}}},
		{"nothing once it stops", func(st *stage) { st.Stop(); st.press("2") }, []stream.Inspect{overview}},
	} {
		st := steered(t)
		test.do(st)
		got := st.commands.Inspections()
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	t.Run("a refusal replaces the list", func(t *testing.T) {
		st := steered(t)
		st.commands.Err = errors.New("no inspections")
		st.press("2")
		st.shown.Inspections = nil
		st.press("j")
		if v := st.view(); !strings.Contains(v, "this run does not report its agents") {
			t.Errorf("not shown:\n%s", v)
		}
	})
}

// While the program is suspended, the load is paused.
func TestPause(t *testing.T) {
	st := steered(t)
	paused, resume := st.Pause()
	if got := st.commands.Steering(); len(got) != 1 || got[0] != (stream.Command{Do: stream.SetPaused, Paused: true}) || paused() {
		t.Fatalf("took %+v, paused %v", got, paused())
	}
	st.feed.Emit(stream.Event{T: 21, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "paused", ByHand: true}})
	if !paused() {
		t.Error("does not see that the load is paused")
	}
	resume()
	if got := st.commands.Steering(); len(got) != 2 || got[1] != (stream.Command{Do: stream.SetPaused}) {
		t.Errorf("took %+v", got)
	}
	// A load that the user has paused stays paused.
	st.paused = true
	paused, resume = st.Pause()
	resume()
	if got := st.commands.Steering(); len(got) != 2 || paused != nil {
		t.Errorf("took %+v", got)
	}
}

func TestPauseIsRefused(t *testing.T) {
	st := running(t)
	paused, resume := st.Pause()
	if resume(); paused != nil || !strings.Contains(st.host.Notice.Text, "the load went on while the program was suspended") {
		t.Errorf("notice %q", st.host.Notice.Text)
	}
}

var errNoNumber = errors.New("a number is missing")
