package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress/scenario"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// stalledAfter is how long no event may be delivered before those that are
// missing count as lost.
const stalledAfter = 5 * time.Second

// A payload is the data of a measured event.
type payload struct {
	publisher, seq int // the seq-th event of its publisher, from 0
	phase          int // of the load
	due            time.Time
	timed          bool // record its latency
}

// payloads are those of a load's operations. All that are planned are allocated
// before the load begins; a rate that is raised by hand allocates more.
type payloads []payload

// payloadsOf allocates those of a stage.
func payloadsOf(s load.Stage) payloads { return make(payloads, int(s.Rate*s.For.Seconds())+1) }

// of returns the payload of an operation.
func (p payloads) of(n int) *payload {
	if n < len(p) {
		return &p[n]
	}
	return &payload{}
}

// publishers number the events of each publisher, so that a subscriber sees which
// are missing.
type publishers []publisherCount

type publisherCount struct {
	next int
	_    [56]byte // two publishers do not share a cache line
}

// payload is the next payload of the worker of an operation; it is timed.
func (p publishers) payload(op load.Op) payload {
	own := &p[op.Worker]
	own.next++
	return payload{publisher: op.Worker, seq: own.next - 1, due: op.Due, timed: true}
}

// maxPhases is how many phases the load of a measurement of events has.
const maxPhases = 2

// A receiver is one subscriber of a measurement, and what it saw. If it is an
// agent it may have several lives, each with a subscription of its own.
type receiver struct {
	number   int
	shard    *load.Shard
	received [maxPhases]atomic.Int64 // duplicates included
	// missing counts events that were skipped and have not come since.
	missing, disorder, duplicates atomic.Int64
	restarts                      bool // it is an agent with a supervisor

	mu            sync.Mutex
	subscriptions []*mabeam.Subscription // the newest last

	_ [64]byte // two receivers do not share a cache line
}

// A progress is what a subscriber has received of one publisher.
type progress struct {
	next    int    // the highest number so far, plus 1
	skipped []span // numbers below next that have not come, in ascending order
}

// A span is the numbers from first up to, and without, end.
type span struct{ first, end int }

// handler returns what handles the events of one life, one at a time. An agent that
// was restarted has missed events that were never due to it, so that its second
// life begins with whatever comes first.
func (g subscriberGroup) handler(r *receiver) func(context.Context, mabeam.Event) {
	first := 0
	if len(r.lives()) > 0 {
		first = -1
	}
	from := slices.Repeat([]progress{{next: first}}, g.publishers)
	handle := func(_ context.Context, e mabeam.Event) {
		p := e.Data.(*payload)
		skipped := int64(0)
		if of := &from[p.publisher]; p.seq == of.next {
			of.next++
		} else {
			skipped = r.outOfTurn(of, p.seq)
		}
		r.received[p.phase].Add(1)
		if !p.timed {
			return
		}
		now := time.Now()
		r.shard.Record(now.Sub(p.due))
		if w := g.windows[p.phase]; w != nil {
			w.count(r.number, now, 1, skipped)
		}
	}
	if g.wrap != nil {
		return g.wrap(r.number, handle)
	}
	return handle
}

// outOfTurn notes an event that is not the next of its publisher, and returns how
// many were skipped.
func (r *receiver) outOfTurn(of *progress, seq int) (skipped int64) {
	switch {
	case of.next < 0:
		of.next = seq + 1
	case seq > of.next:
		skipped = int64(seq - of.next)
		r.missing.Add(skipped)
		of.skipped = append(of.skipped, span{of.next, seq})
		of.next = seq + 1
	case of.take(seq):
		r.missing.Add(-1)
		r.disorder.Add(1)
	default:
		r.duplicates.Add(1)
	}
	return skipped
}

// take removes a number from those that were skipped, and says whether it was one.
func (p *progress) take(seq int) bool {
	i, found := slices.BinarySearchFunc(p.skipped, seq, func(s span, seq int) int {
		switch {
		case seq < s.first:
			return 1
		case seq >= s.end:
			return -1
		}
		return 0
	})
	if !found {
		return false
	}
	s := p.skipped[i]
	rest := slices.DeleteFunc([]span{{s.first, seq}, {seq + 1, s.end}}, func(s span) bool { return s.first == s.end })
	p.skipped = slices.Replace(p.skipped, i, i+1, rest...)
	return true
}

// begin notes the subscription of a life that begins.
func (r *receiver) begin(s *mabeam.Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscriptions = append(r.subscriptions, s)
}

// lives are the subscriptions of its lives.
func (r *receiver) lives() []*mabeam.Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscriptions
}

// receivers are the subscribers of a measurement.
type receivers []*receiver

// A subscriberGroup describes the subscribers of a measurement.
type subscriberGroup struct {
	subscribers, publishers int
	topic                   string // an event type, or a pattern
	pattern                 bool
	recorder                *load.Recorder
	windows                 [maxPhases]*loadWindows // of each phase; nil for none
	wrap                    handlerWrap             // may be nil
}

// A handlerWrap disturbs a subscriber: it gets the handler of subscriber i and
// returns the one to use.
type handlerWrap func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event)

// subscribe adds the subscribers to the bus.
func (g subscriberGroup) subscribe(system *mabeam.System) (receivers, error) {
	all := make(receivers, g.subscribers)
	for i := range all {
		r := &receiver{number: i, shard: g.recorder.Shard()}
		join := system.Bus().Subscribe
		if g.pattern {
			join = system.Bus().SubscribePattern
		}
		s, err := join(g.topic, g.handler(r), mabeam.SubscribeOptions{Name: stress.SubscriberName(i)})
		if err != nil {
			return nil, fmt.Errorf("subscriber %d of %d: %w", i+1, len(all), err)
		}
		r.begin(s)
		all[i] = r
	}
	return all, nil
}

// subscribeTargets is subscribe for subscribers that the step's faults can hit.
// If these hit agents, the subscribers are agents that a supervisor restarts;
// otherwise they are plain handlers, so that the bus alone is measured.
func (g subscriberGroup) subscribeTargets(ctx context.Context, env *stress.Env) (receivers, error) {
	if !env.HasFaultsOn(scenario.TargetAgents) {
		return g.subscribe(env.System())
	}
	all := make(receivers, g.subscribers)
	children := make([]supervision.Child, len(all))
	for i := range all {
		r := &receiver{number: i, shard: g.recorder.Shard(), restarts: true}
		all[i] = r
		children[i] = supervision.Child{ID: stress.SubscriberName(i), New: func() mabeam.Spec {
			return env.Agent(mabeam.Spec{Type: "subscriber", Behaviour: &listener{group: g, receiver: r, handle: g.handler(r)}})
		}}
	}
	_, err := supervision.Start(ctx, env.System(), supervision.Spec{Intensity: &supervision.Intensity{Restarts: 1 << 20}, Children: children})
	if err != nil {
		return nil, fmt.Errorf("start the subscribers: %w", err)
	}
	return all, nil
}

// A listener is a life of a receiver that is an agent.
type listener struct {
	mabeam.Defaults
	group    subscriberGroup
	receiver *receiver
	handle   func(context.Context, mabeam.Event)
}

// Init implements mabeam.Behaviour.
func (l *listener) Init(_ context.Context, self *mabeam.Agent) error {
	join := self.Subscribe
	if l.group.pattern {
		join = self.SubscribePattern
	}
	s, err := join(l.group.topic)
	if err == nil {
		l.receiver.begin(s)
	}
	return err
}

// HandleAction implements mabeam.Behaviour.
func (l *listener) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

// HandleEvent implements mabeam.Behaviour.
func (l *listener) HandleEvent(ctx context.Context, _ *mabeam.Agent, e mabeam.Event) {
	l.handle(ctx, e)
}

// total is the sum of something over all receivers.
func (all receivers) total(of func(*receiver) int64) (n int64) {
	for _, r := range all {
		n += of(r)
	}
	return n
}

// delivered is how many deliveries were made, duplicates included.
func (all receivers) delivered() int64 { return all.total((*receiver).delivered) }

func (r *receiver) delivered() (n int64) {
	for phase := range r.received {
		n += r.received[phase].Load()
	}
	return n
}

// distinct is how many deliveries were made, each event once.
func (all receivers) distinct() int64 { return all.total((*receiver).distinct) }

func (r *receiver) distinct() int64 { return r.delivered() - r.duplicates.Load() }

// duplicates is how many deliveries were of an event that the subscriber had received
// before.
func (all receivers) duplicates() int64 {
	return all.total(func(r *receiver) int64 { return r.duplicates.Load() })
}

// disorder is how many events came after a later one of their publisher.
func (all receivers) disorder() int64 {
	return all.total(func(r *receiver) int64 { return r.disorder.Load() })
}

// supply has windows look at the deliveries to these subscribers, and not at those of
// other steps.
func (all receivers) supply(env *stress.Env) {
	env.Supply(scenario.DeliveredRate, all.delivered)
	env.Supply(scenario.EventsDropped, all.dropped)
}

// dropped is how many deliveries the bus says that it dropped.
func (all receivers) dropped() int64 { return all.total((*receiver).dropped) }

func (r *receiver) dropped() (n int64) {
	for _, s := range r.lives() {
		n += int64(s.Dropped())
	}
	return n
}

// waiting is how many events the bus says that it still has to deliver.
func (all receivers) waiting() int64 { return all.total((*receiver).waiting) }

func (r *receiver) waiting() (n int64) {
	for _, s := range r.lives() {
		n += int64(s.Waiting())
	}
	return n
}

// restart says whether the subscribers are agents that are restarted. Nothing is due
// to one while it is being restarted, so that fewer deliveries may be made than
// there were events.
func (all receivers) restart() bool { return len(all) > 0 && all[0].restarts }

// backlog is how many deliveries, of so many events accepted, wait to be made.
func (all receivers) backlog(accepted int64) int64 {
	if all.restart() {
		return all.waiting()
	}
	return accepted*int64(len(all)) - all.distinct() - all.dropped()
}

// await waits until no delivery of so many events waits any more, and returns when
// the last was made or dropped. It gives up when nothing has moved for stalledAfter,
// and says false then.
func (all receivers) await(ctx context.Context, accepted int64) (end time.Time, delivered bool, err error) {
	last, moved := int64(-1), time.Now()
	for {
		n := all.distinct() + all.dropped()
		now := time.Now()
		switch {
		case n >= accepted*int64(len(all)):
			return now, true, nil
		case n > last:
			last, moved = n, now
		case all.restart() && all.backlog(accepted) == 0:
			return moved, true, nil
		case now.Sub(moved) > stalledAfter:
			return moved, false, nil
		}
		if !load.Sleep(ctx, 50*time.Microsecond) {
			return now, false, ctx.Err()
		}
	}
}

// lost is how many deliveries, of events that the bus accepted, were neither made
// nor counted as dropped. For each of the failed ones the bus may have counted a drop
// with every subscriber. Of subscribers that are restarted, only what is missing in
// the middle of a life is known to be lost.
func (all receivers) lost(accepted, failed int64) int64 {
	return all.total(func(r *receiver) int64 {
		dropped := max(r.dropped()-failed, 0)
		if r.restarts {
			return max(r.missing.Load()-dropped, 0)
		}
		return max(accepted-r.distinct()-dropped, 0)
	})
}

// deliveryMetrics are the metrics of what became of each delivery, besides how many
// were made.
func deliveryMetrics() []scenario.Metric {
	return []scenario.Metric{
		never("lost", "Deliveries of accepted events that were neither made nor counted as dropped."),
		never("duplicates", "Deliveries of an event that the same subscriber had received before."),
		never("ordering_violations", "Deliveries of an event after a later one of the same publisher."),
		telemetryMismatches(),
	}
}

// published is what became of the events of a load.
type published struct{ accepted, failed int64 }

// reportDeliveries reports the deliveryMetrics but telemetry_mismatches, and adds to
// the errors what is behind them.
func (all receivers) reportDeliveries(env *stress.Env, p published) {
	dropped, lost := all.dropped(), all.lost(p.accepted, p.failed)
	duplicates := all.duplicates()
	env.Value("lost", float64(lost))
	env.Value("duplicates", float64(duplicates))
	env.Value("ordering_violations", float64(all.disorder()))
	if dropped > 0 {
		why := "a subscriber's queue was full"
		if env.HasFaultsOn(scenario.TargetAgents) || env.HasFaultsOn(scenario.TargetComponents) {
			why += ", or a fault hit the subscriber or the bus"
		}
		first, _ := env.System().Bus().FirstDrop()
		env.DetailSince(first, "deliveries dropped by the bus because "+why, dropped)
	}
	if lost > 0 {
		env.Detail("deliveries lost: neither made nor counted as dropped", lost)
	}
	if duplicates > 0 {
		env.Detail("deliveries made more than once", duplicates)
	}
	missing := p.accepted*int64(len(all)) - all.distinct() - dropped - lost
	if all.restart() && missing > 0 {
		env.Note("deliveries not made because the subscriber was being restarted", missing)
	}
}

// ended reports the subscribers whose subscription has ended by itself, and returns
// how many those are. What a fault has ended is not the system's failure.
func (all receivers) ended(env *stress.Env) (n int64) {
	report := env.Finding
	if env.HasFaultsOn(scenario.TargetAgents) || env.HasFaultsOn(scenario.TargetComponents) {
		report = env.Note
	}
	for _, r := range all {
		for _, s := range r.lives() {
			if err := s.Err(); err != nil {
				report("a subscription ended during the load: "+err.Error(), 1)
				n++
			}
		}
	}
	return n
}

// unsubscribe ends the subscriptions.
func (all receivers) unsubscribe() {
	for _, r := range all {
		for _, s := range r.lives() {
			s.Unsubscribe()
		}
	}
}

// witnessed compares the telemetry with what became of the events of a load that
// nobody publishes to any more. Other is how many events the runtime's own agents
// published meanwhile.
func (all receivers) witnessed(ctx context.Context, w *witness, p published, other int64) {
	if all.restart() {
		settle(ctx, func() bool { return all.waiting() > 0 })
	} else {
		// A subscription counts up to a sixteenth of its queue late.
		counted := func() int64 { return all.total(func(r *receiver) int64 { return int64(r.lives()[0].Delivered()) }) }
		settle(ctx, func() bool { return all.waiting() > 0 || counted() != all.delivered() })
		if got, made := counted(), all.delivered(); got != made {
			w.differ("the deliveries of the subscriptions", got, bounds{made, made})
		}
	}
	w.expect(ctx, map[string]int64{
		"EventsPublished": p.accepted + p.failed + other, "EventsDelivered": all.delivered(), "EventsDropped": all.dropped(),
	})
}

// dismiss ends the subscriptions and checks that they are gone: nothing that is
// published afterwards reaches a handler, and the bus counts none of them any more.
// Subscribers that are restarted end with the system.
func (all receivers) dismiss(ctx context.Context, env *stress.Env, w *witness, from publishers, eventType string) (gone bool, err error) {
	if all.restart() {
		return true, nil
	}
	mismatches := w.mismatches
	before := all.delivered()
	open := all.total(func(r *receiver) int64 {
		if s := r.lives()[0]; s.Err() != nil {
			return 0
		}
		return 1
	})
	all.unsubscribe()
	const probes = 3
	for range probes {
		p := from.payload(load.Op{})
		p.timed = false
		if err := env.System().Bus().Publish(ctx, mabeam.Event{Type: eventType, Data: &p}); err != nil {
			return false, err
		}
	}
	load.Sleep(ctx, time.Millisecond)
	late := all.delivered() - before
	if late > 0 {
		env.Finding("deliveries to subscribers that had unsubscribed before", late)
	}
	w.expect(ctx, map[string]int64{"EventsPublished": probes, "EventsDelivered": 0, "Subscriptions": -open})
	return late == 0 && w.mismatches == mismatches, nil
}
