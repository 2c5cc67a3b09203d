package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/resources"
)

// checkTermination checks what remains after an early end: of a stopped agent, of calls
// that timed out, of a batch that partly failed, and of a start that panicked.
func (f *fixture) checkTermination(ctx context.Context) {
	f.checkEventsAtStop(ctx)
	f.checkTimedOutCalls(ctx)
	f.checkBatch(ctx)
	f.checkPanickingStart(ctx)
}

// An eventSpy is a spy that subscribes to eventSpyType, and to a pattern if it has one,
// and counts its events.
type eventSpy struct {
	spy
	pattern  string
	byType   *mabeam.Subscription
	received atomic.Int64
	last     atomic.Pointer[mabeam.Event]
}

const eventSpyType = "spy.event"

func (s *eventSpy) Init(_ context.Context, self *mabeam.Agent) (err error) {
	s.byType, err = self.Subscribe(eventSpyType)
	if err == nil && s.pattern != "" {
		_, err = self.SubscribePattern(s.pattern)
	}
	return err
}

func (s *eventSpy) HandleEvent(_ context.Context, _ *mabeam.Agent, e mabeam.Event) {
	s.last.Store(&e)
	s.received.Add(1)
}

// startEventSpy starts an event spy. It returns false, and counts a violation, if that
// fails.
func (f *fixture) startEventSpy(ctx context.Context, s *eventSpy) (id string, ok bool) {
	id, err := f.system.StartAgent(ctx, mabeam.Spec{Type: "event spy", Behaviour: s})
	return id, f.Expect(err == nil, "an agent that subscribes did not start")
}

// eventsAtStop is more events than an agent handles in one run of its goroutine.
const eventsAtStop = 800

// checkEventsAtStop stops a busy agent with queued events, which it must handle first.
func (f *fixture) checkEventsAtStop(ctx context.Context) {
	s := &eventSpy{}
	id, ok := f.startEventSpy(ctx, s)
	if !ok {
		return
	}
	release, _ := f.block(ctx, id)
	defer release()
	for range eventsAtStop {
		f.Expect(f.system.Bus().Publish(ctx, mabeam.Event{Type: eventSpyType}) == nil, "an event was not published")
	}
	stopped := f.beginStop(ctx, id)
	release()
	f.Expect(<-stopped == nil, "an agent did not stop")
	f.Expect(s.received.Load() == eventsAtStop, "a stopped agent did not handle all its queued events")
}

// timedOutCalls is how many calls time out.
const timedOutCalls = 50

// checkTimedOutCalls lets calls of a busy agent time out. They must not keep goroutines
// once the agent continues. Half of them is the tolerance for other goroutines of the
// process.
func (f *fixture) checkTimedOutCalls(ctx context.Context) {
	release, ok := f.block(ctx, f.ids[0])
	defer release()
	if !ok {
		return
	}
	before := Goroutines(f.system)
	for range timedOutCalls {
		limited, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
		_, err := f.system.Execute(limited, f.ids[0], "note", nil)
		cancel()
		f.Expect(errors.Is(err, mabeam.ErrTimeout) || errors.Is(err, mabeam.ErrMailboxFull), "a call of a busy agent did not end at its deadline")
	}
	release()
	var left int
	resources.WaitWhile(ctx, func() bool {
		left = Goroutines(f.system) - before
		return left >= timedOutCalls/2
	})
	f.Expect(left < timedOutCalls/2, "calls that timed out left goroutines behind")
	f.awaitIdle(ctx, f.ids[0]) // the agent still runs actions whose callers have given up
	f.spies[0].takeNotes()
}

// checkBatch starts a batch in which every second agent fails. Each failure must be
// reported, and the other agents must start.
func (f *fixture) checkBatch(ctx context.Context) {
	specs := make([]mabeam.Spec, 8)
	for i := range specs {
		specs[i] = mabeam.Spec{Type: "batch", Behaviour: &spy{}}
		if i%2 == 1 {
			specs[i].Behaviour = &failingInit{}
		}
	}
	ids, err := f.system.StartAgents(ctx, specs, 2)
	var failures *mabeam.BatchError
	f.Expect(errors.As(err, &failures) && len(failures.Failures) == len(specs)/2, "StartAgents did not report each failure")
	var started []string
	for i, id := range ids {
		f.Expect((id == "") == (i%2 == 1), "StartAgents returned an id for an agent that did not start, or none for an agent that did")
		if id != "" {
			started = append(started, id)
		}
	}
	f.Expect(len(started) == len(specs)/2 && len(f.system.Registry().ByType("batch")) == len(started), "StartAgents did not start all agents that can start")
	f.Expect(f.system.StopAgents(ctx, started, 2) == nil && len(f.system.Registry().ByType("batch")) == 0, "StopAgents did not stop all agents")
}

// A failingInit is an agent whose Init fails.
type failingInit struct{ spy }

func (*failingInit) Init(context.Context, *mabeam.Agent) error { return errSpy }

// A panickingInit is an agent whose Init panics.
type panickingInit struct{ spy }

func (*panickingInit) Init(context.Context, *mabeam.Agent) error { panic("panics on purpose") }

// checkPanickingStart starts an agent whose Init panics. Nothing of it may remain.
func (f *fixture) checkPanickingStart(ctx context.Context) {
	before := f.system.Telemetry()
	const id = "panicking"
	_, err := f.system.StartAgent(ctx, mabeam.Spec{ID: id, Type: "fresh", Behaviour: &panickingInit{}, Capabilities: []string{"fresh"}})
	var panicked *mabeam.PanicError
	f.Expect(errors.As(err, &panicked), "StartAgent did not return a PanicError for an Init that panics")
	f.checkGone(id)
	now := f.system.Telemetry()
	f.Expect(now.AgentsStarted == before.AgentsStarted && now.Agents == before.Agents, "the telemetry counts an agent whose Init panicked")
}
