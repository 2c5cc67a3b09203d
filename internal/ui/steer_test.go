package ui

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/stream"
)

// A helm takes commands down.
type helm struct {
	took []stream.Command
	err  error
}

func (h *helm) Command(c stream.Command) error {
	if h.err != nil {
		return h.err
	}
	h.took = append(h.took, c)
	return nil
}

// steering returns the commands that steer, without those that look inside.
func (h *helm) steering() []stream.Command {
	var out []stream.Command
	for _, c := range h.took {
		if c.Do != stream.SetInspection {
			out = append(out, c)
		}
	}
	return out
}

// steered is a stage at 20 s whose run takes commands.
func steered(t *testing.T) (*stage, *helm) {
	st := newStage(t, Config{Start: []string{"event-storm"}, Faults: []FaultKind{
		{Name: "kill_agents", Doc: "Kills agents.", Example: "kill_agents: 10"},
		{Name: "stall_subscribers", Doc: "Stalls subscribers.", Example: "stall_subscribers: 3, for: 200ms"},
	}, CheckFault: func(text string) error {
		if !strings.Contains(text, ": ") {
			return errors.New("a number is missing")
		}
		return nil
	}})
	h := &helm{}
	var s stream.Steerable = h
	st.run.steer.Store(&s)
	return st.size(120, 40).feed(20), h
}

func TestSteering(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []string
		want []stream.Command
		// shown is then on the screen.
		shown string
	}{
		{"pause", []string{"p"}, []stream.Command{{Do: stream.SetPaused, Paused: true}}, "‖ PAUSED"},
		{"and go on", []string{"p", "p"}, []stream.Command{{Do: stream.SetPaused, Paused: true}, {Do: stream.SetPaused}}, "● RUN"},
		{"faster", []string{"]"}, []stream.Command{{Do: stream.SetRate, Rate: 1.1}}, "load 110 %"},
		{"slower", []string{"[", "["}, []stream.Command{{Do: stream.SetRate, Rate: 0.9}, {Do: stream.SetRate, Rate: 0.8}}, "load 80 %"},
		{"and as planned", []string{"]", "["}, []stream.Command{{Do: stream.SetRate, Rate: 1.1}, {Do: stream.SetRate, Rate: 1}}, "the rate is set to 100 %"},
		{"a fault", []string{"k", "down", "enter", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "stall_subscribers: 3, for: 200ms"}}, "asked for stall_subscribers"},
		{"a fault with another number", []string{"k", "enter", "backspace", "5", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "kill_agents: 15"}}, "asked for kill_agents: 15"},
		{"a fault that is none", []string{"k", "enter", "backspace", "backspace", "backspace", "backspace", "enter"}, nil, "a number is missing"},
		{"a fault after all not", []string{"k", "enter", "esc"}, nil, "● RUN"},
		{"a fault from a list", []string{"2", "K", "enter", "enter"}, []stream.Command{{Do: stream.InjectFault, Fault: "kill_agents: 10"}}, "asked for kill_agents"},
		{"in a list k goes up", []string{"2", "k"}, nil, "Busiest agents"},
	} {
		st, h := steered(t)
		st.press(test.keys...)
		if got := h.steering(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		if !strings.Contains(st.m.View(), test.shown) {
			t.Errorf("%s: %q is not in\n%s", test.name, test.shown, st.m.View())
		}
	}
	t.Run("the rate has bounds", func(t *testing.T) {
		st, h := steered(t)
		for range 20 {
			st.press("[")
		}
		if got := h.steering(); len(got) != 9 || got[8].Rate != 0.1 || !strings.Contains(st.m.View(), "from 10 % to 1000 %") {
			t.Errorf("%+v\n%s", got, st.m.View())
		}
	})
	t.Run("a paused and a frozen screen look different", func(t *testing.T) {
		st, _ := steered(t)
		st.press("f")
		if v := st.m.View(); !strings.Contains(v, "FROZEN at 0:20") || strings.Contains(v, "PAUSED") {
			t.Errorf("frozen:\n%s", v)
		}
		st.press("p")
		if v := st.m.View(); !strings.Contains(v, "FROZEN at 0:20") || !strings.Contains(v, "PAUSED") {
			t.Errorf("frozen and paused:\n%s", v)
		}
	})
	t.Run("what was done by hand is marked and told", func(t *testing.T) {
		st, _ := steered(t)
		st.run.timeline.Add(stream.Event{T: 21, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "rate set to 110 %", ByHand: true}})
		st.run.timeline.Add(stream.Event{T: 22, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "kill_agents", ByHand: true}})
		st.run.timeline.Add(stream.Event{T: 29, Type: stream.SampleTaken, Sample: probe.Sample{"goroutines": 1}})
		st.tick()
		if v := st.m.View(); !strings.Contains(v, "◆─◆") || !strings.Contains(v, "0:21 rate set to 110 %") {
			t.Errorf("not marked:\n%s", v)
		}
		st.press("6")
		if v := st.m.View(); !strings.Contains(v, "hand   rate set to 110 %") || !strings.Contains(v, "fault  kill_agents by hand") {
			t.Errorf("not in the log:\n%s", v)
		}
	})
}

// Whatever cannot be done is told in the status line, and changes nothing.
func TestRefusals(t *testing.T) {
	over := errors.New("the step is over")
	for name, test := range map[string]struct {
		prepare func(*stage, *helm)
		want    string
	}{
		"a run that takes no commands": {func(st *stage, _ *helm) { st.run.steer.Store(nil) }, "! " + stream.ErrNotSteerable.Error()},
		"a source that says no":        {func(_ *stage, h *helm) { h.err = over }, "! the step is over"},
		"a run that is being stopped":  {func(st *stage, _ *helm) { st.press("ctrl+c") }, "! the load is being stopped"},
		"a run that is over":           {func(st *stage, _ *helm) { st.press("f"); st.feed(1000).end(nil) }, "! the run is over: there is no load to steer"},
		"a recording": {func(st *stage, _ *helm) {
			r, err := stream.ReadRecording(strings.NewReader(`{"t": 0, "type": "run_started", "run": {"schema": "` + stream.Schema + `"}}` + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			st.m.run.replay, st.m.run.recording = stream.NewReplay(r), r
		}, "! this is a recording: what happened cannot be changed"},
		"a program that knows no faults": {func(st *stage, h *helm) { st.m.cfg.Faults, h.err = nil, stream.ErrNotSteerable }, "! this run cannot be steered"},
	} {
		for _, keys := range [][]string{{"p"}, {"]"}, {"k"}, {"k", "enter", "enter"}} {
			st, h := steered(t)
			test.prepare(st, h)
			if len(keys) == 1 && keys[0] == "k" && errors.Is(h.err, over) {
				continue // the choice comes before the answer
			}
			for _, k := range keys {
				if st.m.notice.bad {
					break // nothing was opened that could be answered
				}
				if name == "a recording" {
					// The keys of a replay are others; these are those of the load.
					pressSteering(st.m, k)
					continue
				}
				st.press(k)
			}
			st.m.draw()
			if !strings.Contains(st.m.View(), test.want) || st.m.live.paused || st.m.live.rate != 1 || len(h.steering()) > 0 {
				t.Errorf("%s, %v: %q, %+v\n%s", name, keys, test.want, h.took, st.m.View())
			}
		}
	}
}

// pressSteering does what a key of the load does, whatever else it is for.
func pressSteering(m *model, k string) {
	for _, a := range m.steerActions(false) {
		if strings.Contains(strings.Join(a.key.Keys(), " "), k) {
			a.do()
			return
		}
	}
}

// The inside of the system is asked for while a run is seen, and only then.
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
		{"asked once", func(st *stage) { st.feed(21); st.press("j", "m", "f") }, []stream.Inspect{overview}},
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
		{"a small terminal shows none, but may look back", func(st *stage) { st.size(80, 24) }, []stream.Inspect{overview}},
		{"and has a tab", func(st *stage) { st.size(60, 20).press("2") }, []stream.Inspect{overview, many(stream.ByMailbox)}},
		{"a terminal of one line", func(st *stage) { st.size(30, 8) }, []stream.Inspect{overview, {}}},
		{"nothing once it is stopped", func(st *stage) { st.press("ctrl+c", "2") }, []stream.Inspect{overview}},
	} {
		st, h := steered(t)
		test.do(st)
		var got []stream.Inspect
		for _, c := range h.took {
			if c.Do == stream.SetInspection {
				got = append(got, c.Inspect)
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	t.Run("a refusal is told in the place of the table", func(t *testing.T) {
		st, h := steered(t)
		h.err = errors.New("no look inside")
		st.press("2")
		st.m.live.shown.Inspections = nil
		st.press("j")
		if v := st.m.View(); !strings.Contains(v, "this run does not tell of its agents") {
			t.Errorf("not told:\n%s", v)
		}
	})
}
