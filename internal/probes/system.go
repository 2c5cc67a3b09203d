package probes

import (
	"time"
	"weak"

	mabeam "mabeam-top/internal/runtime"
)

// system reads the telemetry of whichever system runs.
type system[S any] struct {
	current   func() *S
	telemetry func(*S) mabeam.Telemetry
	// watch returns what tells the deepest mailbox since it was called last.
	watch func(*S) (deepest func() int64)
	// seen is the system of the last reading. It is weak, because a sampler
	// that kept a stopped system alive would change what the next repetition
	// measures as its memory.
	seen    weak.Pointer[S]
	deepest func() int64 // of that system
	rates   systemRates
}

type systemRates struct {
	started, stopped, done, failed, published, delivered, registry, coordination rate
}

// System returns the source of what the running system counts. Current
// returns that system, or nil between repetitions, when there is nothing to
// tell. Rates, and the deepest mailbox since the previous reading, start anew with each
// system.
func System(current func() *mabeam.System) Source {
	return &system[mabeam.System]{current: current, telemetry: (*mabeam.System).Telemetry, watch: func(s *mabeam.System) func() int64 { return s.WatchDepth().Take }}
}

func (s *system[S]) Read(now time.Time, put func(name string, value float64)) {
	running := s.current()
	if running == nil {
		s.seen = weak.Pointer[S]{}
		return
	}
	if seen := weak.Make(running); seen != s.seen {
		s.seen, s.rates, s.deepest = seen, systemRates{}, s.watch(running)
	} else {
		put("mailbox_depth_max", float64(s.deepest()))
	}
	t := s.telemetry(running)

	putCount := func(name string, n int64) { put(name, float64(n)) }
	putRate := func(name string, r *rate, counter int64) {
		if perSecond, ok := r.next(now, float64(counter)); ok {
			put(name, perSecond)
		}
	}
	r := &s.rates
	putCount("agents", t.Agents)
	putRate("agents_started_per_second", &r.started, t.AgentsStarted)
	putRate("agents_stopped_per_second", &r.stopped, t.AgentsStopped)
	putCount("agents_crashed", t.AgentsCrashed)
	putCount("agents_restarted", t.AgentsRestarted)
	putRate("actions_per_second", &r.done, t.ActionsDone)
	putRate("actions_failed_per_second", &r.failed, t.ActionsFailed)
	putRate("events_published_per_second", &r.published, t.EventsPublished)
	putRate("events_delivered_per_second", &r.delivered, t.EventsDelivered)
	putCount("events_dropped", t.EventsDropped)
	putCount("subscriptions", t.Subscriptions)
	putCount("mailbox_depth", t.MailboxDepth)
	putRate("registry_operations_per_second", &r.registry, t.RegistryOperations)
	putRate("coordination_rounds_per_second", &r.coordination, t.CoordinationRounds)
}
