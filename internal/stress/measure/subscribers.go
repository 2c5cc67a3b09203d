package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// A subscriber counts what it receives. If it is an agent it may restart, and has one
// subscription for each life.
type subscriber struct {
	number   int
	shard    *load.Shard
	received [maxPhases]atomic.Int64 // including duplicates
	// missing counts skipped events that have not come since.
	missing, outOfOrder, duplicates atomic.Int64
	restarts                        bool // it is a supervised agent

	mu            sync.Mutex
	subscriptions []*mabeam.Subscription // newest last

	_ [64]byte // two subscribers do not share a cache line
}

// A sequence is what a subscriber has received of one publisher.
type sequence struct {
	next int        // the highest number so far, plus 1
	gaps []seqRange // the missing numbers below next, in ascending order
}

// A seqRange is the numbers from from to end, without end.
type seqRange struct{ from, end int }

// handler returns the event handler of one life. A restarted agent has missed events that
// were never due to it, so its later lives begin with the first event that comes.
func (g subscriberGroup) handler(r *subscriber) func(context.Context, mabeam.Event) {
	first := 0
	if len(r.subscriptionList()) > 0 {
		first = -1
	}
	from := slices.Repeat([]sequence{{next: first}}, g.publishers)
	handle := func(_ context.Context, e mabeam.Event) {
		p := e.Data.(*payload)
		skipped := int64(0)
		if of := &from[p.publisher]; p.seq == of.next {
			of.next++
		} else {
			skipped = r.recordUnexpected(of, p.seq)
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

// recordUnexpected records an event that is not the next of its publisher, and returns how
// many events were skipped.
func (r *subscriber) recordUnexpected(of *sequence, seq int) (skipped int64) {
	switch {
	case of.next < 0:
		of.next = seq + 1
	case seq > of.next:
		skipped = int64(seq - of.next)
		r.missing.Add(skipped)
		of.gaps = append(of.gaps, seqRange{of.next, seq})
		of.next = seq + 1
	case of.removeGap(seq):
		r.missing.Add(-1)
		r.outOfOrder.Add(1)
	default:
		r.duplicates.Add(1)
	}
	return skipped
}

// removeGap removes a number from the gaps, and reports whether it was in one.
func (p *sequence) removeGap(seq int) bool {
	i, found := slices.BinarySearchFunc(p.gaps, seq, func(s seqRange, seq int) int {
		switch {
		case seq < s.from:
			return 1
		case seq >= s.end:
			return -1
		}
		return 0
	})
	if !found {
		return false
	}
	s := p.gaps[i]
	rest := slices.DeleteFunc([]seqRange{{s.from, seq}, {seq + 1, s.end}}, func(s seqRange) bool { return s.from == s.end })
	p.gaps = slices.Replace(p.gaps, i, i+1, rest...)
	return true
}

// addSubscription adds the subscription of a new life.
func (r *subscriber) addSubscription(s *mabeam.Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscriptions = append(r.subscriptions, s)
}

// subscriptionList returns the subscriptions of all lives.
func (r *subscriber) subscriptionList() []*mabeam.Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscriptions
}

// A subscriberSet is the subscribers of a measurement.
type subscriberSet []*subscriber

// A subscriberGroup describes the subscribers of a measurement.
type subscriberGroup struct {
	subscribers, publishers int
	topic                   string // an event type or a pattern
	pattern                 bool
	recorder                *load.Recorder
	windows                 [maxPhases]*loadWindows // by phase; nil for none
	wrap                    handlerWrap             // may be nil
}

// A handlerWrap replaces the handler of subscriber i, to disturb it.
type handlerWrap func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event)

// subscribe adds the subscribers to the bus.
func (g subscriberGroup) subscribe(system *mabeam.System) (subscriberSet, error) {
	all := make(subscriberSet, g.subscribers)
	for i := range all {
		r := &subscriber{number: i, shard: g.recorder.Shard()}
		join := system.Bus().Subscribe
		if g.pattern {
			join = system.Bus().SubscribePattern
		}
		s, err := join(g.topic, g.handler(r), mabeam.SubscribeOptions{Name: stress.SubscriberName(i)})
		if err != nil {
			return nil, fmt.Errorf("subscriber %d of %d: %w", i+1, len(all), err)
		}
		r.addSubscription(s)
		all[i] = r
	}
	return all, nil
}

// subscribeTargets adds subscribers that the step's faults can hit. If the faults hit
// agents, the subscribers are supervised agents; otherwise they are plain handlers, so
// that only the bus is measured.
func (g subscriberGroup) subscribeTargets(ctx context.Context, env *stress.Env) (subscriberSet, error) {
	if !env.HasFaultsOn(scenario.TargetAgents) {
		return g.subscribe(env.System())
	}
	all := make(subscriberSet, g.subscribers)
	children := make([]supervision.Child, len(all))
	for i := range all {
		r := &subscriber{number: i, shard: g.recorder.Shard(), restarts: true}
		all[i] = r
		children[i] = supervision.Child{ID: stress.SubscriberName(i), New: func() mabeam.Spec {
			return env.Agent(mabeam.Spec{Type: "subscriber", Behaviour: &subscriberAgent{group: g, receiver: r, handle: g.handler(r)}})
		}}
	}
	_, err := supervision.Start(ctx, env.System(), supervision.Spec{Intensity: &supervision.Intensity{Restarts: 1 << 20}, Children: children})
	if err != nil {
		return nil, fmt.Errorf("start the subscribers: %w", err)
	}
	return all, nil
}

// A subscriberAgent is one life of a subscriber that is an agent.
type subscriberAgent struct {
	mabeam.Defaults
	group    subscriberGroup
	receiver *subscriber
	handle   func(context.Context, mabeam.Event)
}

func (l *subscriberAgent) Init(_ context.Context, self *mabeam.Agent) error {
	join := self.Subscribe
	if l.group.pattern {
		join = self.SubscribePattern
	}
	s, err := join(l.group.topic)
	if err == nil {
		l.receiver.addSubscription(s)
	}
	return err
}

func (l *subscriberAgent) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

func (l *subscriberAgent) HandleEvent(ctx context.Context, _ *mabeam.Agent, e mabeam.Event) {
	l.handle(ctx, e)
}

// A payload is the data of a measured event.
type payload struct {
	publisher, seq int // number among the events of its publisher, from 0
	phase          int // of the load
	due            time.Time
	timed          bool // record its latency
}

// payloads are the payloads of a load's operations. All planned ones are allocated before
// the load begins; if a user raises the rate, more are allocated.
type payloads []payload

// payloadsOf allocates the payloads of a stage.
func payloadsOf(s load.Stage) payloads { return make(payloads, int(s.Rate*s.For.Seconds())+1) }

// of returns the payload of an operation.
func (p payloads) of(n int) *payload {
	if n < len(p) {
		return &p[n]
	}
	return &payload{}
}

// publishers number the events of each publisher, so that a subscriber detects missing
// ones.
type publishers []publisherCount

type publisherCount struct {
	next int
	_    [56]byte // two publishers do not share a cache line
}

// payload returns the next payload of the worker of an operation, with its latency
// recorded.
func (p publishers) payload(op load.Op) payload {
	own := &p[op.Worker]
	own.next++
	return payload{publisher: op.Worker, seq: own.next - 1, due: op.Due, timed: true}
}

// maxPhases is the maximum of phases of an event load.
const maxPhases = 2

// publishCounts are the results of the publications of a load.
type publishCounts struct{ accepted, failed int64 }
