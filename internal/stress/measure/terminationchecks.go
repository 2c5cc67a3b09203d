package measure

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// checkEnds holds what is left when something ends early: the events of an agent that
// is stopped, the goroutines of calls that ran out of time, the agents of a batch of
// which some do not start, and one whose start panics.
func checkEnds(ctx context.Context, o *observation, broken *violations) {
	checkEventsAtStop(ctx, o, broken)
	checkAbandonedCalls(ctx, o, broken)
	checkBatch(ctx, o, broken)
	checkPanickingStart(ctx, o, broken)
}

// A hearer is an observer that subscribes to a type of event, and to a pattern if it has
// one, and counts the events it gets.
type hearer struct {
	observer
	pattern string
	byType  *mabeam.Subscription
	heard   atomic.Int64
	last    atomic.Pointer[mabeam.Event]
}

// heardType is what hearers subscribe to.
const heardType = "heard.event"

func (h *hearer) Init(_ context.Context, self *mabeam.Agent) (err error) {
	h.byType, err = self.Subscribe(heardType)
	if err == nil && h.pattern != "" {
		_, err = self.SubscribePattern(h.pattern)
	}
	return err
}

func (h *hearer) HandleEvent(_ context.Context, _ *mabeam.Agent, e mabeam.Event) {
	h.last.Store(&e)
	h.heard.Add(1)
}

// eventsAtStop is how many events wait: more than an agent handles in one go.
const eventsAtStop = 800

// checkEventsAtStop stops an agent that is busy while events wait for it: a graceful stop
// lets it handle them.
func checkEventsAtStop(ctx context.Context, o *observation, broken *violations) {
	h := &hearer{}
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "hearer", Behaviour: h})
	if !broken.expect(err == nil, "an agent that subscribes did not start") {
		return
	}
	release, ok := o.block(ctx, id)
	defer release()
	broken.expect(ok, "an agent did not begin an action that it was told")
	for range eventsAtStop {
		broken.expect(o.system.Bus().Publish(ctx, mabeam.Event{Type: heardType}) == nil, "an event was not published")
	}
	stopped := o.beginStop(ctx, id)
	release()
	broken.expect(<-stopped == nil, "an agent did not stop")
	broken.expect(h.heard.Load() == eventsAtStop, "an agent that was stopped did not handle all events that waited for it")
}

// abandonedCalls is how many calls run out of time.
const abandonedCalls = 50

// checkAbandonedCalls has calls run out of time that wait for a busy agent, which may
// keep no goroutine once the agent has gone on. Half of them allows for what the process
// does besides.
func checkAbandonedCalls(ctx context.Context, o *observation, broken *violations) {
	release, ok := o.block(ctx, o.ids[0])
	defer release()
	if !broken.expect(ok, "an agent did not begin an action that it was told") {
		return
	}
	before := goroutinesOf(o.system)
	for range abandonedCalls {
		limited, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
		_, err := o.system.Execute(limited, o.ids[0], "note", nil)
		cancel()
		broken.expect(errors.Is(err, mabeam.ErrTimeout) || errors.Is(err, mabeam.ErrMailboxFull), "a call of a busy agent did not end with its deadline")
	}
	release()
	var left int
	settle(ctx, func() bool {
		left = goroutinesOf(o.system) - before
		return left >= abandonedCalls/2
	})
	broken.expect(left < abandonedCalls/2, "calls that ran out of time left goroutines behind")
	o.sync(ctx, o.ids[0]) // what nobody waits for any more is carried out all the same
	o.observers[0].takeNotes()
}

// checkBatch starts agents in a batch of which every second one fails: each failure is
// reported, and the others live.
func checkBatch(ctx context.Context, o *observation, broken *violations) {
	specs := make([]mabeam.Spec, 8)
	for i := range specs {
		specs[i] = mabeam.Spec{Type: "batch", Behaviour: &observer{}}
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
type stillborn struct{ observer }

func (*stillborn) Init(context.Context, *mabeam.Agent) error { panic("panics on purpose") }

// checkPanickingStart starts an agent whose Init panics, of which nothing may be left.
func checkPanickingStart(ctx context.Context, o *observation, broken *violations) {
	before := o.system.Telemetry()
	_, err := o.system.StartAgent(ctx, mabeam.Spec{ID: "stillborn", Type: "fresh", Behaviour: &stillborn{}, Capabilities: []string{"fresh"}})
	var panicked *mabeam.PanicError
	broken.expect(errors.As(err, &panicked), "to start an agent whose Init panics did not return a PanicError")
	o.ended("stillborn", broken)
	now := o.system.Telemetry()
	broken.expect(now.AgentsStarted == before.AgentsStarted && now.Agents == before.Agents, "the telemetry counts an agent whose Init panicked")
}
