package probes

import (
	"time"
	"weak"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
)

// system samples the telemetry of the running system.
type system[S any] struct {
	current   func() *S
	telemetry func(*S) mabeam.Telemetry
	// watch returns a function that returns the depth of the deepest mailbox since its
	// last call.
	watch func(*S) (deepest func() int64)
	// last is the system of the last sample. It is weak, because a sampler that kept a
	// stopped system alive would change the memory that the next repetition measures.
	last    weak.Pointer[S]
	deepest func() int64 // of the last system
	rates   systemRates
}

type systemRates struct {
	started, stopped, done, failed, published, delivered, registry, coordination rate
}

// System returns the source of the counters of the running system. current returns
// that system, or nil between repetitions. The rates and the deepest mailbox start
// again with each system.
func System(current func() *mabeam.System) Source {
	return &system[mabeam.System]{current: current, telemetry: (*mabeam.System).Telemetry, watch: func(s *mabeam.System) func() int64 { return s.WatchDepth().Take }}
}

func (s *system[S]) Read(now time.Time, put func(name probe.Name, value float64)) {
	running := s.current()
	if running == nil {
		s.last = weak.Pointer[S]{}
		return
	}
	if system := weak.Make(running); system != s.last {
		s.last, s.rates, s.deepest = system, systemRates{}, s.watch(running)
	} else {
		put(probe.MailboxDepthMax, float64(s.deepest()))
	}
	t := s.telemetry(running)

	putCount := func(name probe.Name, n int64) { put(name, float64(n)) }
	putRate := func(name probe.Name, r *rate, counter int64) {
		if perSecond, ok := r.next(now, float64(counter)); ok {
			put(name, perSecond)
		}
	}
	r := &s.rates
	putCount(probe.Agents, t.Agents)
	putRate(probe.AgentsStartedPerSecond, &r.started, t.AgentsStarted)
	putRate(probe.AgentsStoppedPerSecond, &r.stopped, t.AgentsStopped)
	putCount(probe.AgentsCrashed, t.AgentsCrashed)
	putCount(probe.AgentsRestarted, t.AgentsRestarted)
	putRate(probe.ActionsPerSecond, &r.done, t.ActionsDone)
	putRate(probe.ActionsFailedPerSecond, &r.failed, t.ActionsFailed)
	putRate(probe.EventsPublishedPerSecond, &r.published, t.EventsPublished)
	putRate(probe.EventsDeliveredPerSecond, &r.delivered, t.EventsDelivered)
	putCount(probe.EventsDropped, t.EventsDropped)
	putCount(probe.Subscriptions, t.Subscriptions)
	putCount(probe.MailboxDepth, t.MailboxDepth)
	putRate(probe.RegistryOperationsPerSecond, &r.registry, t.RegistryOperations)
	putRate(probe.CoordinationRoundsPerSecond, &r.coordination, t.CoordinationRounds)
}
