package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/runtime/eventbus"
)

// A listener is a subscriber that a plan holds up, makes panic, and ends.
type listener struct {
	pattern string
	policy  QueuePolicy
	agent   string // its id, if an agent subscribed
	sub     *Subscription

	mu     sync.Mutex
	gate   chan struct{} // closed while the listener is not held up
	panics bool

	got     []int     // touched by the handler only
	newest  time.Time // when it had the last of them
	due     []int     // what was published while it was subscribed
	gone    bool      // it is known to have ended
	excused bool      // it may have missed events: it was ended, or a publisher gave up
}

func newListener(pattern string, policy QueuePolicy) *listener {
	return &listener{pattern: pattern, policy: policy, gate: closedChannel}
}

func (l *listener) handle(e Event) {
	l.mu.Lock()
	gate, panics := l.gate, l.panics
	l.mu.Unlock()
	<-gate
	l.got, l.newest = append(l.got, e.Data.(int)), time.Now()
	if panics {
		panic("as planned")
	}
}

func (l *listener) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == closedChannel {
		l.gate = make(chan struct{})
	}
}

func (l *listener) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate != closedChannel {
		close(l.gate)
		l.gate = closedChannel
	}
}

// A busStep is one thing that a plan does to a bus, and then waits until all
// is quiet.
type busStep struct {
	do       string
	pattern  string // of subscribe and publish
	policy   QueuePolicy
	n        int  // the queue to subscribe with, or how many events to publish
	listener int  // of those that concern one
	agent    bool // an agent subscribes
}

var (
	busTypes    = []string{"t.a", "t.b", "u.a", "u"}
	busPatterns = []string{"t.a", "t.b", "u", "t.*", "*.a", "u.*", "u*", "nothing.*"}
	busSteps    = []string{
		"publish", "publish", "publish", "publish", "announce", "crash", "subscribe", "subscribe", "unsubscribe",
		"hold", "hold", "release", "panic", "suspend", "resume", "stop", "kill",
	}
)

func drawBusStep(t *rapid.T) busStep {
	return busStep{
		do:       rapid.SampledFrom(busSteps).Draw(t, "do"),
		pattern:  rapid.SampledFrom(busPatterns).Draw(t, "pattern"),
		policy:   QueuePolicy(rapid.IntRange(0, 3).Draw(t, "policy")),
		n:        rapid.IntRange(1, 6).Draw(t, "n"),
		listener: rapid.IntRange(0, 9).Draw(t, "listener"),
		agent:    rapid.Bool().Draw(t, "agent"),
	}
}

func drawSubscribe(t *rapid.T) busStep {
	step := drawBusStep(t)
	step.do = "subscribe"
	return step
}

// A busRun carries out a plan, one step after the other.
type busRun struct {
	s         *System
	o         Options
	listeners []*listener
	published int
}

// alive says whether what is published now is due to the listener.
func (r *busRun) alive(l *listener) bool {
	if l.agent != "" {
		if _, ok := r.s.Registry().Lookup(l.agent); !ok {
			l.gone = true
		}
	}
	if l.sub.Err() != nil {
		l.gone = true
	}
	return !l.gone
}

func (r *busRun) subscribe(step busStep) error {
	exact := slices.Contains(busTypes, step.pattern)
	if step.agent {
		l := newListener(step.pattern, r.o.BusPolicy)
		id, err := r.s.StartAgent(context.Background(), Spec{Behaviour: &scripted{
			init: func(self *Agent) (err error) {
				if exact {
					l.sub, err = self.Subscribe(step.pattern)
				} else {
					l.sub, err = self.SubscribePattern(step.pattern)
				}
				return err
			},
			event: func(_ *Agent, e Event) { l.handle(e) },
		}})
		l.agent = id
		r.listeners = append(r.listeners, l)
		return err
	}
	l := newListener(step.pattern, step.policy)
	o := SubscribeOptions{Policy: &step.policy}
	if step.policy != Block {
		o.Queue = step.n
	}
	subscribe := r.s.Bus().SubscribePattern
	if exact {
		subscribe = r.s.Bus().Subscribe
	}
	var err error
	l.sub, err = subscribe(step.pattern, func(_ context.Context, e Event) { l.handle(e) }, o)
	r.listeners = append(r.listeners, l)
	return err
}

// An expectation is what is to become of one event.
type expectation struct {
	number int
	began  time.Time
	full   []*listener // that block, and have no room for it
	idle   []*listener // that have nothing else to do
	logs   map[string]bool
}

// expect notes that an event is due to those who have subscribed to its type, and what is to
// become of it.
func (r *busRun) expect(eventType string) expectation {
	e := expectation{number: r.published, began: time.Now(), logs: map[string]bool{}}
	r.published++
	for _, l := range r.listeners {
		if !matchesPlainly(l.pattern, eventType) || !r.alive(l) {
			continue
		}
		l.due = append(l.due, e.number)
		switch waiting := l.sub.Waiting(); {
		case l.sub.Policy() == Block && waiting >= r.o.BusQueue:
			e.full = append(e.full, l)
			e.logs[l.pattern] = true
		case waiting == 0 && l.isReady(r.s):
			e.idle = append(e.idle, l)
		}
	}
	return e
}

// isReady says whether the listener would take up an event at once.
func (l *listener) isReady(s *System) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate != closedChannel {
		return false
	}
	if l.agent == "" {
		return true
	}
	info, err := s.Agent(l.agent)
	return err == nil && info.Lifecycle == Ready
}

// check says what has become of the event otherwise, for which the publisher was to wait for
// so long if somebody had no room.
func (e expectation) check(err error, patience time.Duration) error {
	var missed *MissedError
	took := time.Since(e.began)
	switch {
	case len(e.full) == 0 && (err != nil || took != 0):
		return fmt.Errorf("event %d: %w after %v, though all had room", e.number, err, took)
	case len(e.full) == 0:
	case !errors.As(err, &missed) || missed.Subscribers != len(e.full) || !errors.Is(err, ErrTimeout) || took != patience:
		return fmt.Errorf("event %d: %w after %v, though %d had no room", e.number, err, took, len(e.full))
	}
	return nil
}

// checkIdle says who had to wait for the event because others had no room for it.
func (e expectation) checkIdle() error {
	within := time.Duration(len(e.logs)) * eventbus.DetachAfter
	for _, l := range e.idle {
		if n := len(l.got); n == 0 || l.got[n-1] != e.number || l.newest.Sub(e.began) > within {
			return fmt.Errorf("event %d: a listener to %q (%v) had nothing else to do, and has %v", e.number, l.pattern, l.policy, l.got)
		}
	}
	return nil
}

// publish sends some events of one type. Nobody moves meanwhile, so a full
// queue that blocks makes it give up after a second.
func (r *busRun) publish(step busStep) error {
	for range step.n {
		e := r.expect(step.pattern)
		ctx, cancel := context.Background(), func() {}
		if step.agent {
			ctx, cancel = context.WithTimeout(ctx, time.Second)
		}
		err := r.s.Bus().Publish(ctx, Event{Type: step.pattern, Data: e.number})
		cancel()
		err = e.check(err, time.Second)
		synctest.Wait()
		for _, l := range e.full {
			l.excused = true
		}
		if err := errors.Join(err, e.checkIdle()); err != nil {
			return err
		}
	}
	return nil
}

// announce has the runtime tell something itself, which waits for nobody.
func (r *busRun) announce(step busStep) error {
	if r.s.bus.Wanted(step.pattern) == nil {
		return nil // then it is not made
	}
	e := r.expect(step.pattern)
	r.s.Announce(step.pattern, "", e.number)
	for _, l := range e.full {
		l.excused = true
	}
	e.full, e.logs = nil, nil
	err := e.check(nil, 0)
	synctest.Wait()
	return errors.Join(err, e.checkIdle())
}

// crash makes the bus lose what nobody has taken up.
func (r *busRun) crash() {
	for _, l := range r.listeners {
		l.excused = l.excused || l.sub.Waiting() > 0
	}
	r.s.bus.Crash()
}

func (r *busRun) step(step busStep) error {
	switch step.do {
	case "subscribe":
		return r.subscribe(step)
	case "publish":
		step.pattern = busTypes[step.listener%len(busTypes)]
		return r.publish(step)
	case "announce":
		step.pattern = busTypes[step.listener%len(busTypes)]
		return r.announce(step)
	case "crash":
		r.crash()
		return nil
	}
	if len(r.listeners) == 0 {
		return nil
	}
	l := r.listeners[step.listener%len(r.listeners)]
	switch step.do {
	case "unsubscribe":
		l.gone, l.excused = true, true
		l.sub.Unsubscribe()
	case "hold":
		l.hold()
	case "release":
		l.release()
	case "panic":
		l.mu.Lock()
		l.panics, l.excused = true, true
		l.mu.Unlock()
	}
	if l.agent == "" || !r.alive(l) {
		return nil
	}
	switch step.do {
	case "suspend":
		_ = r.s.SuspendAgent(l.agent) // it may be busy
	case "resume":
		_ = r.s.ResumeAgent(l.agent) // it may not be suspended
	case "stop":
		l.excused = true
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.s.StopAgent(ctx, l.agent); err != nil && !errors.Is(err, ErrTimeout) {
			return err
		}
	case "kill":
		l.excused = true
		r.s.KillAgent(l.agent)
	}
	return nil
}

// audit compares what every listener got, when all is over, with what was due
// to it.
func (r *busRun) audit() error {
	var due int64
	for i, l := range r.listeners {
		due += int64(len(l.due))
		what := fmt.Sprintf("listener %d (%q, %v)", i, l.pattern, l.policy)
		left := l.due
		for _, n := range l.got {
			at := slices.Index(left, n)
			if at < 0 {
				return fmt.Errorf("%s got %v, of %v", what, l.got, l.due)
			}
			left = left[at+1:]
		}
		if int(l.sub.Delivered()) != len(l.got) || int(l.sub.Delivered()+l.sub.Dropped()) != len(l.due) {
			return fmt.Errorf("%s counts %d delivered and %d dropped, but got %v of %v",
				what, l.sub.Delivered(), l.sub.Dropped(), l.got, l.due)
		}
		if l.policy == Block && !l.excused && len(l.got) != len(l.due) {
			return fmt.Errorf("%s got %v of %v, though nobody gave up", what, l.got, l.due)
		}
		if l.policy == DropOldest && !l.excused && len(l.due) > 0 && (len(l.got) == 0 || l.got[len(l.got)-1] != l.due[len(l.due)-1]) {
			return fmt.Errorf("%s got %v of %v, not the newest", what, l.got, l.due)
		}
	}
	tel := r.s.Telemetry()
	if int(tel.EventsPublished) != r.published || tel.EventsDelivered+tel.EventsDropped != due {
		return fmt.Errorf("counted: %d published, %d delivered, %d dropped; %d were published and %d due",
			tel.EventsPublished, tel.EventsDelivered, tel.EventsDropped, r.published, due)
	}
	return leftovers(r.s)
}

// runBusPlan carries a plan out in a bubble, and stops the system either after
// all listeners were released, or before, with a deadline that passes.
func runBusPlan(o Options, plan []busStep, releaseFirst bool) error {
	s, err := Start(context.Background(), o)
	if err != nil {
		return err
	}
	r := &busRun{s: s, o: o}
	release := func() {
		for _, l := range r.listeners {
			l.release()
		}
		synctest.Wait()
	}
	for i, step := range plan {
		if err := r.step(step); err != nil {
			release()
			return errors.Join(fmt.Errorf("step %d: %w", i, err), s.Stop(context.Background()))
		}
		synctest.Wait()
	}
	if releaseFirst {
		for _, l := range r.listeners {
			if l.agent != "" && r.alive(l) {
				_ = s.ResumeAgent(l.agent)
			}
		}
		release()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil && (releaseFirst || !errors.Is(err, context.DeadlineExceeded)) {
		return err
	} else if err != nil {
		for _, l := range r.listeners {
			l.excused = true
		}
	}
	release()
	return r.audit()
}

// Every event is delivered or counted as dropped once for every subscription
// that matched when it was published; what is delivered comes in order. Who has nothing else
// to do has it at once, whoever else is stuck or ends; who publishes is told how many missed it.
func TestBusAccountsForEveryEvent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{
			History:     -1,
			WaitTimeout: time.Second,
			BusQueue:    rapid.IntRange(1, 8).Draw(rt, "queue"),
			BusPolicy:   rapid.SampledFrom([]QueuePolicy{Block, Block, DropOldest, DropNewest}).Draw(rt, "policy"),
		}
		plan := rapid.SliceOfN(rapid.Custom(drawSubscribe), 2, 6).Draw(rt, "subscribers")
		plan = append(plan, rapid.SliceOfN(rapid.Custom(drawBusStep), 20, 60).Draw(rt, "plan")...)
		releaseFirst := rapid.Bool().Draw(rt, "release first")
		var err error
		synctest.Test(t, func(*testing.T) { err = runBusPlan(o, plan, releaseFirst) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// An eventCounts counts the events of each publisher and type that were begun and
// that were done with.
type eventCounts struct{ begun, ended [4][4]atomic.Int64 }

func (c *eventCounts) matching(pattern string, counts *[4][4]atomic.Int64) (n [4][4]int64) {
	for p := range counts {
		for i, eventType := range busTypes {
			if matchesPlainly(pattern, eventType) {
				n[p][i] = counts[p][i].Load()
			}
		}
	}
	return n
}

// A visit says what a subscriber of a bus in full use does.
type visit struct {
	pattern string
	policy  QueuePolicy
	panicAt int
	visits  int  // leaves after that many calls, or when all is published
	stays   bool // until the system stops
	slow    bool
}

// A visitor is such a subscriber.
type visitor struct {
	visit
	sub      *Subscription
	inside   atomic.Int32
	left     atomic.Bool
	late     atomic.Int32 // calls that began after it had left
	calls    atomic.Int32
	enough   chan struct{}
	got      [4][4][]int64 // touched by the handler only
	overlaps atomic.Int32

	// What was done with before it came, begun when it had come, done with
	// before it left and begun when it had left.
	endedBefore, begunAfter, endedThen, begunThen [4][4]int64
}

type eventData struct {
	publisher, kind int
	n               int64
}

func (v *visitor) handle(_ context.Context, e Event) {
	if v.left.Load() {
		v.late.Add(1)
	}
	if v.inside.Add(1) != 1 {
		v.overlaps.Add(1)
	}
	defer v.inside.Add(-1)
	d := e.Data.(eventData)
	v.got[d.publisher][d.kind] = append(v.got[d.publisher][d.kind], d.n)
	n := int(v.calls.Add(1))
	if n == v.visits {
		close(v.enough)
	}
	if v.slow {
		time.Sleep(0) // gives way
	}
	if n == v.panicAt {
		panic("as planned")
	}
}

func (v *visitor) come(b *Bus, c *eventCounts) error {
	v.enough = make(chan struct{})
	v.endedBefore = c.matching(v.pattern, &c.ended)
	o := SubscribeOptions{Policy: &v.policy}
	subscribe := b.SubscribePattern
	if slices.Contains(busTypes, v.pattern) {
		subscribe = b.Subscribe
	}
	var err error
	v.sub, err = subscribe(v.pattern, v.handle, o)
	v.begunAfter = c.matching(v.pattern, &c.begun)
	return err
}

func (v *visitor) leave(c *eventCounts) {
	v.endedThen = c.matching(v.pattern, &c.ended)
	v.sub.Unsubscribe()
	v.left.Store(true)
	v.begunThen = c.matching(v.pattern, &c.begun)
}

// audit says what the visitor got that it should not have, or did not get.
func (v *visitor) audit(patient bool) error {
	if v.overlaps.Load() > 0 {
		return errors.New("two calls at a time")
	}
	if n := v.late.Load(); n > 1 {
		return fmt.Errorf("%d calls began after it had left", n)
	}
	if int32(v.sub.Delivered()) != v.calls.Load() {
		return fmt.Errorf("%d delivered are counted, %d were", v.sub.Delivered(), v.calls.Load())
	}
	var least, most int64
	for p := range v.got {
		for kind, got := range v.got[p] {
			least += max(0, v.endedThen[p][kind]-v.begunAfter[p][kind])
			most += v.begunThen[p][kind] - v.endedBefore[p][kind]
			for i, n := range got {
				if n < v.endedBefore[p][kind] || n >= v.begunThen[p][kind] {
					return fmt.Errorf("got event %d of those from %d to %d", n, v.endedBefore[p][kind], v.begunThen[p][kind])
				}
				if i > 0 && (n <= got[i-1] || patient && v.policy == Block && n != got[i-1]+1) {
					return fmt.Errorf("got event %d after %d", n, got[i-1])
				}
			}
		}
	}
	if v.sub.Err() != nil { // it ended by itself, nobody knows when
		least, most = 0, math.MaxInt64
	}
	if n := int64(v.sub.Delivered() + v.sub.Dropped()); n < least || n > most {
		return fmt.Errorf("%d delivered and %d dropped, want %d to %d together", v.sub.Delivered(), v.sub.Dropped(), least, most)
	}
	return nil
}

func drawVisit(t *rapid.T) visit {
	v := visit{
		pattern: rapid.SampledFrom(busPatterns).Draw(t, "pattern"),
		policy:  QueuePolicy(rapid.IntRange(0, 3).Draw(t, "policy")),
		visits:  rapid.IntRange(0, 20).Draw(t, "visits"),
		stays:   rapid.IntRange(0, 2).Draw(t, "stays") == 0,
		slow:    rapid.Bool().Draw(t, "slow"),
	}
	if rapid.IntRange(0, 4).Draw(t, "panics") == 0 {
		v.panicAt = rapid.IntRange(1, 20).Draw(t, "panics at")
	}
	return v
}

// Publishers, some of whom give up, and subscribers that come and go, all at
// once, also while the system stops: each subscription gets the right events
// in order, and all counts agree.
func TestBusInFullUse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// There is a history, so that the runtime's own events are published whoever wants them.
		s, err := Start(context.Background(), Options{History: 1, BusQueue: rapid.SampledFrom([]int{1, 2, 16, 500}).Draw(t, "queue")})
		if err != nil {
			t.Fatal(err)
		}
		publishers := rapid.IntRange(1, 4).Draw(t, "publishers")
		events := rapid.IntRange(50, 200).Draw(t, "events")
		patient := rapid.Bool().Draw(t, "patient")
		stopEarly := rapid.Bool().Draw(t, "stop early")
		lossy := rapid.Bool().Draw(t, "lossy") // own events, and crashes of the bus
		groups := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawVisit), 2, 8), 1, 4).Draw(t, "visitors")

		var c eventCounts
		var published atomic.Int64
		var publishing, visiting sync.WaitGroup
		begin, done := make(chan struct{}), make(chan struct{})
		for p := range publishers {
			publishing.Go(func() {
				<-begin
				var next [4]int64
				for i := range events {
					kind := (i*i + i + p) % len(busTypes)
					switch {
					case lossy && i%20 == 0:
						s.bus.Crash()
					case lossy && i%4 == 1:
						c.begun[p][kind].Add(1)
						s.Announce(busTypes[kind], "", eventData{p, kind, next[kind]})
						c.ended[p][kind].Add(1)
						next[kind]++
						published.Add(1)
						continue
					}
					ctx, cancel := context.WithCancel(context.Background())
					if !patient && i%3 == 0 {
						publishing.Go(cancel)
					}
					c.begun[p][kind].Add(1)
					err := s.Bus().Publish(ctx, Event{Type: busTypes[kind], Data: eventData{p, kind, next[kind]}})
					cancel()
					var missed *MissedError
					switch {
					case err == nil || !patient && errors.As(err, &missed):
						c.ended[p][kind].Add(1)
						next[kind]++
						published.Add(1)
					case !patient && errors.Is(err, context.Canceled):
						c.begun[p][kind].Add(-1)
					case stopEarly && errors.Is(err, ErrSystemStopped):
						return
					default:
						t.Errorf("publish: %v", err)
					}
				}
			})
		}
		var mu sync.Mutex
		var came []*visitor
		receive := func(plan visit) {
			v := &visitor{visit: plan}
			if err := v.come(s.Bus(), &c); err != nil {
				if !stopEarly || !errors.Is(err, ErrSystemStopped) {
					t.Errorf("subscribe: %v", err)
				}
				return
			}
			mu.Lock()
			came = append(came, v)
			mu.Unlock()
			if v.stays {
				return
			}
			if v.visits > 0 {
				select {
				case <-v.enough:
				case <-done:
				}
			}
			v.leave(&c)
		}
		for _, group := range groups {
			visiting.Go(func() {
				if len(group) > 0 && group[0].stays {
					receive(group[0])
					group = group[1:]
				}
				<-begin
				for _, plan := range group {
					receive(plan)
				}
			})
		}
		close(begin)
		stop := func() {
			if err := s.Stop(context.Background()); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		if stopEarly {
			stop()
		}
		publishing.Wait()
		close(done)
		visiting.Wait()
		stop()
		if err := leftovers(s); err != nil {
			t.Error(err)
		}
		var delivered, dropped int64
		for i, v := range came {
			if v.stays {
				v.begunThen = c.matching(v.pattern, &c.begun)
				v.endedThen = c.matching(v.pattern, &c.ended)
			}
			if stopEarly { // the stop has ended it, nobody knows when
				v.endedThen = v.begunAfter
			}
			if err := v.audit(patient && !lossy); err != nil {
				t.Errorf("visitor %d (%q, %v): %v", i, v.pattern, v.policy, err)
			}
			delivered += int64(v.calls.Load())
			dropped += int64(v.sub.Dropped())
		}
		tel := s.Telemetry()
		if tel.EventsPublished != published.Load() || tel.EventsDelivered != delivered || tel.EventsDropped != dropped {
			t.Errorf("counted: %d published, %d delivered, %d dropped; were: %d, %d, %d",
				tel.EventsPublished, tel.EventsDelivered, tel.EventsDropped, published.Load(), delivered, dropped)
		}
	})
}
