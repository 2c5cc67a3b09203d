package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// stalledAfter is how long no event may be delivered before those that are
// missing count as lost.
const stalledAfter = 5 * time.Second

// A parcel is the data of a measured event.
type parcel struct {
	publisher, n int
	phase        int // of the load
	due          time.Time
	timed        bool // take its latency
}

// parcels are those of a load's operations. All that are planned are there before
// the load begins; who raises its rate by hand gets more.
type parcels []parcel

// parcelsOf makes room for those of a stage.
func parcelsOf(s stress.Stage) parcels { return make(parcels, int(s.Rate*s.For.Seconds())+1) }

// of returns the parcel of an operation.
func (p parcels) of(n int) *parcel {
	if n < len(p) {
		return &p[n]
	}
	return &parcel{}
}

// publisherParcel is the parcel of an operation; it is timed.
func publisherParcel(op stress.Op) parcel {
	return parcel{publisher: op.Worker, n: op.N, due: op.Due, timed: true}
}

// maxPhases is how many phases the load of a measurement of events has.
const maxPhases = 2

// A receiver is one subscriber of a measurement, and what it saw. If it is an
// agent it may have several lives, each with a subscription of its own.
type receiver struct {
	shard    *stress.Shard
	received [maxPhases]atomic.Int64
	disorder atomic.Int64
	mortal   bool // it is an agent

	mu            sync.Mutex
	subscriptions []*mabeam.Subscription // the newest last

	_ [64]byte // two receivers do not share a cache line
}

// handler returns what handles the events of one life, one at a time, from that
// many publishers.
func (r *receiver) handler(publishers int) func(context.Context, mabeam.Event) {
	last := slices.Repeat([]int{-1}, publishers) // the newest event of each
	return func(_ context.Context, e mabeam.Event) {
		p := e.Data.(*parcel)
		if p.timed {
			r.shard.Record(time.Since(p.due))
		}
		if p.n <= last[p.publisher] {
			r.disorder.Add(1)
		}
		last[p.publisher] = p.n
		r.received[p.phase].Add(1)
	}
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

// An audience says what subscribers there are to be.
type audience struct {
	subscribers, publishers int
	topic                   string // an event type, or a pattern
	pattern                 bool
	recorder                *stress.Recorder
	wrap                    handlerWrap // may be nil
}

// A handlerWrap disturbs a subscriber: it gets the handler of subscriber i and
// returns the one to use.
type handlerWrap func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event)

func (a audience) handler(i int, r *receiver) func(context.Context, mabeam.Event) {
	if a.wrap == nil {
		return r.handler(a.publishers)
	}
	return a.wrap(i, r.handler(a.publishers))
}

// subscribe adds the subscribers to the bus.
func (a audience) subscribe(system *mabeam.System) (receivers, error) {
	all := make(receivers, a.subscribers)
	for i := range all {
		r := &receiver{shard: a.recorder.Shard()}
		join := system.Bus().Subscribe
		if a.pattern {
			join = system.Bus().SubscribePattern
		}
		s, err := join(a.topic, a.handler(i, r), mabeam.SubscribeOptions{Name: stress.SubscriberName(i)})
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
func (a audience) subscribeTargets(ctx context.Context, env *stress.Env) (receivers, error) {
	if !env.Hits(stress.Agents) {
		return a.subscribe(env.System())
	}
	all := make(receivers, a.subscribers)
	children := make([]mabeam.Child, len(all))
	for i := range all {
		r := &receiver{shard: a.recorder.Shard(), mortal: true}
		all[i] = r
		children[i] = mabeam.Child{ID: stress.SubscriberName(i), New: func() mabeam.Spec {
			return env.Agent(mabeam.Spec{Type: "subscriber", Behaviour: &listener{audience: a, receiver: r, handle: a.handler(i, r)}})
		}}
	}
	_, err := env.System().StartSupervisor(ctx, mabeam.SupervisorSpec{MaxRestarts: 1 << 20, Children: children})
	if err != nil {
		return nil, fmt.Errorf("start the subscribers: %w", err)
	}
	return all, nil
}

// A listener is a life of a receiver that is an agent.
type listener struct {
	mabeam.Defaults
	audience audience
	receiver *receiver
	handle   func(context.Context, mabeam.Event)
}

// Init implements mabeam.Behaviour.
func (l *listener) Init(_ context.Context, self *mabeam.Agent) error {
	join := self.Subscribe
	if l.audience.pattern {
		join = self.SubscribePattern
	}
	s, err := join(l.audience.topic)
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

// unsubscribe ends the subscriptions.
func (all receivers) unsubscribe() {
	for _, r := range all {
		for _, s := range r.lives() {
			s.Unsubscribe()
		}
	}
}

// delivered is how many deliveries were made.
func (all receivers) delivered() (n int64) {
	for phase := range maxPhases {
		n += all.deliveredOf(phase)
	}
	return n
}

// deliveredOf is how many deliveries of one phase's events were made.
func (all receivers) deliveredOf(phase int) (n int64) {
	for _, r := range all {
		n += r.received[phase].Load()
	}
	return n
}

// dropped is how many deliveries the bus dropped.
func (all receivers) dropped() (n int64) {
	for _, r := range all {
		for _, s := range r.lives() {
			n += int64(s.Dropped())
		}
	}
	return n
}

// mortal says whether the subscribers are agents. Then more deliveries may have
// been expected than are made or dropped: nothing is due to who is just being
// restarted.
func (all receivers) mortal() bool { return len(all) > 0 && all[0].mortal }

// backlog is how many deliveries, of so many expected, wait to be made.
func (all receivers) backlog(expected int64) (n int64) {
	if !all.mortal() {
		return expected - all.delivered() - all.dropped()
	}
	for _, r := range all {
		for _, s := range r.lives() {
			n += int64(s.Waiting())
		}
	}
	return n
}

// lost tells the subscribers that are there no more, by why.
func (all receivers) lost(env *stress.Env) (n int64) {
	for _, r := range all {
		for _, s := range r.lives() {
			if err := s.Err(); err != nil {
				env.Finding("a subscriber was lost during the load: "+err.Error(), 1)
				n++
			}
		}
	}
	return n
}

// disorder is how many events came after a later one of their publisher.
func (all receivers) disorder() (n int64) {
	for _, r := range all {
		n += r.disorder.Load()
	}
	return n
}

// await waits until nothing waits any more of so many deliveries expected, and
// returns when the last was made or dropped. It gives up when nothing has moved
// for stalledAfter.
func (all receivers) await(ctx context.Context, expected int64) (time.Time, error) {
	last, moved := int64(-1), time.Now()
	for {
		n := all.delivered() + all.dropped()
		now := time.Now()
		switch {
		case n >= expected:
			return now, nil
		case n > last:
			last, moved = n, now
		case now.Sub(moved) > stalledAfter, all.mortal() && all.backlog(expected) == 0:
			return moved, nil
		}
		if !stress.Sleep(ctx, 50*time.Microsecond) {
			return now, ctx.Err()
		}
	}
}

// tellLost tells of deliveries that were expected and not made.
func (all receivers) tellLost(env *stress.Env, expected int64) {
	made, dropped := all.delivered(), all.dropped()
	if dropped > 0 {
		why := "a subscriber's queue was full"
		if env.Hits(stress.Agents) || env.Hits(stress.Components) {
			why += ", or a fault hit the subscriber or the bus"
		}
		first, _ := env.System().Bus().FirstDrop()
		env.DetailSince(first, "deliveries dropped by the bus because "+why, dropped)
	}
	switch missing := expected - made - dropped; {
	case missing <= 0:
	case all.mortal():
		env.Note("deliveries not made because the subscriber was just being restarted", missing)
	default:
		env.Detail("deliveries lost: neither made nor counted as dropped", missing)
	}
}
