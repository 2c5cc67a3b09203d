package measure

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// checkTermination holds what is left when something ends early: the events of an agent that
// is stopped, the goroutines of calls that ran out of time, the agents of a batch of
// which some do not start, and one whose start panics.
func checkTermination(ctx context.Context, o *fixture, broken *checker) {
	checkEventsAtStop(ctx, o, broken)
	checkTimedOutCalls(ctx, o, broken)
	checkBatch(ctx, o, broken)
	checkPanickingStart(ctx, o, broken)
}

// A hearer is an observer that subscribes to a type of event, and to a pattern if it has
// one, and counts the events it gets.
type eventSpy struct {
	spy
	pattern  string
	byType   *mabeam.Subscription
	received atomic.Int64
	last     atomic.Pointer[mabeam.Event]
}

// eventSpyType is what hearers subscribe to.
const eventSpyType = "heard.event"

func (h *eventSpy) Init(_ context.Context, self *mabeam.Agent) (err error) {
	h.byType, err = self.Subscribe(eventSpyType)
	if err == nil && h.pattern != "" {
		_, err = self.SubscribePattern(h.pattern)
	}
	return err
}

func (h *eventSpy) HandleEvent(_ context.Context, _ *mabeam.Agent, e mabeam.Event) {
	h.last.Store(&e)
	h.received.Add(1)
}

// eventsAtStop is how many events wait: more than an agent handles in one go.
const eventsAtStop = 800

// checkEventsAtStop stops an agent that is busy while events wait for it: a graceful stop
// lets it handle them.
func checkEventsAtStop(ctx context.Context, o *fixture, broken *checker) {
	h := &eventSpy{}
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "hearer", Behaviour: h})
	if !broken.expect(err == nil, "an agent that subscribes did not start") {
		return
	}
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	for range eventsAtStop {
		broken.expect(o.system.Bus().Publish(ctx, mabeam.Event{Type: eventSpyType}) == nil, "an event was not published")
	}
	stopped := o.beginStop(ctx, id)
	release()
	broken.expect(<-stopped == nil, "an agent did not stop")
	broken.expect(h.received.Load() == eventsAtStop, "an agent that was stopped did not handle all events that waited for it")
}

// timedOutCalls is how many calls run out of time.
const timedOutCalls = 50

// checkTimedOutCalls has calls run out of time that wait for a busy agent, which may
// keep no goroutine once the agent has gone on. Half of them allows for what the process
// does besides.
func checkTimedOutCalls(ctx context.Context, o *fixture, broken *checker) {
	release, ok := o.block(ctx, o.ids[0])
	defer release()
	if !broken.expect(ok, "an agent did not begin an action that it was told") {
		return
	}
	before := countGoroutines(o.system)
	for range timedOutCalls {
		limited, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
		_, err := o.system.Execute(limited, o.ids[0], "note", nil)
		cancel()
		broken.expect(errors.Is(err, mabeam.ErrTimeout) || errors.Is(err, mabeam.ErrMailboxFull), "a call of a busy agent did not end with its deadline")
	}
	release()
	var left int
	waitWhile(ctx, func() bool {
		left = countGoroutines(o.system) - before
		return left >= timedOutCalls/2
	})
	broken.expect(left < timedOutCalls/2, "calls that ran out of time left goroutines behind")
	o.awaitIdle(ctx, o.ids[0]) // what nobody waits for any more is carried out all the same
	o.spies[0].takeNotes()
}

// checkBatch starts agents in a batch of which every second one fails: each failure is
// reported, and the others live.
func checkBatch(ctx context.Context, o *fixture, broken *checker) {
	specs := make([]mabeam.Spec, 8)
	for i := range specs {
		specs[i] = mabeam.Spec{Type: "batch", Behaviour: &spy{}}
		if i%2 == 1 {
			specs[i].Behaviour = failingInit{}
		}
	}
	ids, err := o.system.StartAgents(ctx, specs, 2)
	var failures *mabeam.BatchError
	broken.expect(errors.As(err, &failures) && len(failures.Failures) == len(specs)/2, "a batch of starts did not report each failure")
	var started []string
	for i, id := range ids {
		broken.expect((id == "") == (i%2 == 1), "a batch of starts returned an id for an agent that did not start, or none for one that did")
		if id != "" {
			started = append(started, id)
		}
	}
	broken.expect(len(started) == len(specs)/2 && len(o.system.Registry().ByType("batch")) == len(started), "a batch of starts did not start the agents that can be")
	broken.expect(o.system.StopAgents(ctx, started, 2) == nil && len(o.system.Registry().ByType("batch")) == 0, "a batch of stops did not stop all agents")
}

// A stillborn is an agent whose Init panics.
type panickingInit struct{ spy }

func (*panickingInit) Init(context.Context, *mabeam.Agent) error { panic("panics on purpose") }

// checkPanickingStart starts an agent whose Init panics, of which nothing may be left.
func checkPanickingStart(ctx context.Context, o *fixture, broken *checker) {
	before := o.system.Telemetry()
	_, err := o.system.StartAgent(ctx, mabeam.Spec{ID: "stillborn", Type: "fresh", Behaviour: &panickingInit{}, Capabilities: []string{"fresh"}})
	var panicked *mabeam.PanicError
	broken.expect(errors.As(err, &panicked), "to start an agent whose Init panics did not return a PanicError")
	o.checkGone("stillborn", broken)
	now := o.system.Telemetry()
	broken.expect(now.AgentsStarted == before.AgentsStarted && now.Agents == before.Agents, "the telemetry counts an agent whose Init panicked")
}
