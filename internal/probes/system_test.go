package probes

import (
	"context"
	"maps"
	goruntime "runtime"
	"testing"
	"time"
	"weak"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
)

type fakeSystem struct {
	telemetry mabeam.Telemetry
	deepest   int64
}

func fakeSource(current **fakeSystem) Source {
	return &system[fakeSystem]{
		current:   func() *fakeSystem { return *current },
		telemetry: func(s *fakeSystem) mabeam.Telemetry { return s.telemetry },
		watch:     func(s *fakeSystem) func() int64 { return func() int64 { return s.deepest } },
	}
}

func TestSystem(t *testing.T) {
	running := &fakeSystem{telemetry: mabeam.Telemetry{
		Agents: 1, AgentsStarted: 2, AgentsStopped: 3, AgentsCrashed: 4, AgentsRestarted: 5,
		ActionsDone: 6, ActionsFailed: 7, EventsPublished: 8, EventsDelivered: 9, EventsDropped: 10,
		Subscriptions: 11, MailboxDepth: 12, RegistryOperations: 14, CoordinationRounds: 15,
	}, deepest: 13}
	s := fakeSource(&running)
	gauges := probe.Sample{
		"agents": 1, "agents_crashed": 4, "agents_restarted": 5, "events_dropped": 10,
		"subscriptions": 11, "mailbox_depth": 12,
	}
	if got := read(s, epoch); !maps.Equal(got, gauges) {
		t.Errorf("first reading %v, want %v", got, gauges)
	}

	c := &running.telemetry
	for i, counter := range []*int64{
		&c.AgentsStarted, &c.AgentsStopped, &c.ActionsDone, &c.ActionsFailed,
		&c.EventsPublished, &c.EventsDelivered, &c.RegistryOperations, &c.CoordinationRounds,
	} {
		*counter += int64(100 * (i + 1))
	}
	all := maps.Clone(gauges)
	for name, perSecond := range map[probe.Name]float64{ // over 4 s
		"agents_started_per_second": 25, "agents_stopped_per_second": 50,
		"actions_per_second": 75, "actions_failed_per_second": 100,
		"events_published_per_second": 125, "events_delivered_per_second": 150,
		"registry_operations_per_second": 175, "coordination_rounds_per_second": 200, "mailbox_depth_max": 13,
	} {
		all[name] = perSecond
	}
	if got := read(s, epoch.Add(4*time.Second)); !maps.Equal(got, all) {
		t.Errorf("second reading %v, want %v", got, all)
	}
}

func TestSystemChanges(t *testing.T) {
	running := &fakeSystem{telemetry: mabeam.Telemetry{ActionsDone: 1000}}
	s := fakeSource(&running)
	second := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
	rate := func(n int) float64 {
		perSecond, ok := read(s, second(n))["actions_per_second"]
		if !ok {
			return -1
		}
		return perSecond
	}
	check := func(what string, got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("first reading", rate(0), -1)
	running.telemetry.ActionsDone = 1500
	check("second reading", rate(1), 500)

	running = &fakeSystem{telemetry: mabeam.Telemetry{ActionsDone: 9000}}
	check("another system that has counted more", rate(2), -1)
	running.telemetry.ActionsDone = 9100
	check("its second reading", rate(3), 100)

	same := running
	running = nil
	if got := read(s, second(4)); len(got) > 0 {
		t.Errorf("between repetitions: %v", got)
	}
	running = same
	check("back after a time unseen", rate(5), -1)
}

func TestNoSystem(t *testing.T) {
	s := System(func() *mabeam.System { return nil })
	if got := read(s, epoch); len(got) > 0 {
		t.Errorf("without a system: %v", got)
	}
}

// The sampler does not keep the system of the last repetition alive, whose memory would
// count for the next one.
func TestSystemIsNotKeptAlive(t *testing.T) {
	running, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := System(func() *mabeam.System { return running })
	read(s, epoch)
	if err := running.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := weak.Make(running)
	running = nil
	goruntime.GC()
	goruntime.GC()
	if stopped.Value() != nil {
		t.Error("the source keeps a stopped system alive")
	}
	goruntime.KeepAlive(s)
}
