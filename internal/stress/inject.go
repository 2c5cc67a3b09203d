package stress

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress/scenario"

	mabeam "mabeam-top/internal/runtime"

	runtimefaults "mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress/load"
)

// errInjected is what an agent panics with that panic_agents hit.
var errInjected = errors.New("panic injected by panic_agents")

const (
	// garbagePiece is how much garbage is allocated with one allocation.
	garbagePiece = 64 << 10
	// panicWithin is how long an agent may take to panic, if it is busy.
	panicWithin = time.Second
	// maxHogs is how many goroutines are kept busy at once: more processors
	// than there are to take.
	maxHogs = 1024
	// hogRests is how often a goroutine that keeps a processor busy looks
	// whether a load that is held goes on.
	hogRests = 10 * time.Millisecond
)

// faults are those of one repetition, and what they can hit. They are injected
// only while a load runs, and nothing of them goes on after it. Their clock is
// the load's: it stands still between two loads.
type faults struct {
	system atomic.Pointer[mabeam.System] // that does the work now
	clock  *load.Clock                   // stands still while the load is held
	told   func(kind, hit string, byHand bool)
	missed func(message string, count int64)
	// refused tells who asked for a fault by hand that it did not come.
	refused func(message string)

	running             []*runningFault
	agents, subscribers targets
	ended               sync.Map       // the ids of agents that were killed or panicked
	supervisors         atomic.Int64   // how often all of the system's crashed
	hogs                atomic.Int64   // goroutines that are kept busy now
	wg                  sync.WaitGroup // of all that goes on while a load runs
	loaded              time.Duration  // how long loads have run before

	handMu  sync.Mutex      // guards what follows
	loading context.Context // of the load that runs; nil if none does
	byHand  uint64          // faults that were injected by hand
	seed    uint64
}

// A runningFault belongs to one goroutine while a load runs.
type runningFault struct {
	scenario.Fault
	draw *rand.Rand // of its own, so that its choices do not hang on others'
	next int
	// byHand says that a person asked for it, and refused that this person was told
	// of nothing to hit.
	byHand, refused bool
}

// newFaults returns nil if there are none, and none can come by hand.
func newFaults(plan []scenario.Fault, steerable bool, c *load.Clock, seed uint64, system *mabeam.System, told func(kind, hit string, byHand bool), missed func(string, int64)) *faults {
	if len(plan) == 0 && !steerable {
		return nil
	}
	f := &faults{told: told, missed: missed, seed: seed, clock: c}
	f.system.Store(system)
	for i, one := range plan {
		f.running = append(f.running, &runningFault{Fault: one, draw: rand.New(rand.NewPCG(seed, uint64(i)))})
	}
	return f
}

// during injects until ctx ends or calm is called, which returns when all is
// undone.
func (f *faults) during(ctx context.Context) (calm func()) {
	if f == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	began := f.clock.Now()
	for _, one := range f.running {
		f.wg.Go(func() { f.run(ctx, one, began.Add(-f.loaded)) })
	}
	f.handMu.Lock()
	f.loading = ctx
	f.handMu.Unlock()
	return func() {
		took := f.clock.Now().Sub(began)
		f.handMu.Lock()
		f.loading = nil
		f.handMu.Unlock()
		stop()
		f.wg.Wait()
		f.loaded += took
	}
}

// handDraw is where the choices of the next fault by hand come from.
func (f *faults) handDraw() *rand.Rand { return rand.New(rand.NewPCG(f.seed, 1<<32+f.byHand)) }

// run injects one fault whenever it is due.
func (f *faults) run(ctx context.Context, one *runningFault, start time.Time) {
	for ; ; one.next++ {
		at, ok := one.Due(one.next)
		if !ok || !f.clock.Sleep(ctx, start.Add(at).Sub(f.clock.Now())) || ctx.Err() != nil {
			return
		}
		if hit, ok := injectors[one.Kind](ctx, f, one.Params, one.draw); ok {
			f.told(one.Kind, hit, one.byHand)
		} else {
			why := one.NotInjected("nothing was left to hit")
			f.missed(why, 1)
			if one.byHand && !one.refused {
				one.refused = true // once: a rate would fill the log
				f.refused(why)
			}
		}
	}
}

// tellRest tells, after the last load, what was due and did not come.
func (f *faults) tellRest() {
	if f == nil {
		return
	}
	for _, one := range f.running {
		if planned, ok := one.Planned(); ok && one.next < planned {
			f.missed(one.NotInjected("the load ended before"), int64(planned-one.next))
		}
	}
}

// after undoes something when the time is over, or the load if that is sooner. It
// does not go by the clock: what is under way when a load is held goes on, and
// would have a hold in its latency that it waits for.
func (f *faults) after(ctx context.Context, d time.Duration, undo func()) {
	f.wg.Go(func() {
		load.Sleep(ctx, d)
		undo()
	})
}

// An injector injects a fault once. It returns what it hit, which is empty if that is
// the process; false means that there was nothing to hit. What lasts ends with ctx at
// the latest.
type injector func(ctx context.Context, f *faults, p scenario.Params, draw *rand.Rand) (hit string, ok bool)

// injectors are those of the kinds of faults.
var injectors = map[string]injector{
	"kill_agents":       killAgent,
	"panic_agents":      panicAgent,
	"slow_actions":      slowActions,
	"stall_subscribers": stallSubscriber,
	"crash_component":   crashComponent,
	"garbage":           makeGarbage,
	"hog_cpu":           hogCPU,
}

func killAgent(_ context.Context, f *faults, _ scenario.Params, draw *rand.Rand) (string, bool) {
	id, ok := f.agents.take(draw, f.alive)
	if ok {
		f.ended.Store(id, true)
		f.system.Load().KillAgent(id)
	}
	return id, ok
}

func (f *faults) alive(id string) bool {
	_, ok := f.system.Load().Registry().Lookup(id)
	return ok
}

// A panicOrder is the data of the signal that makes an agent panic.
type panicOrder struct{ done chan struct{} }

func panicAgent(_ context.Context, f *faults, _ scenario.Params, draw *rand.Rand) (string, bool) {
	for {
		id, ok := f.agents.take(draw, f.alive)
		if !ok {
			return "", false
		}
		f.ended.Store(id, true)
		order := &panicOrder{done: make(chan struct{})}
		if err := f.system.Load().Signal(mabeam.Signal{Type: "fault.panic", Priority: mabeam.High, Data: order}, id); err != nil {
			continue // it has just ended by itself
		}
		// A busy agent panics when it is done with what it does. The load may
		// end before, and then that is still waited for.
		f.after(context.Background(), 0, func() {
			late := time.NewTimer(panicWithin)
			defer late.Stop()
			select {
			case <-order.done:
			case <-late.C:
			}
		})
		return id, true
	}
}

// crashComponent crashes one component; of any, those that have nothing to lose
// are passed over.
func crashComponent(_ context.Context, f *faults, p scenario.Params, draw *rand.Rand) (string, bool) {
	names := []string{p.Text("component")}
	if names[0] == scenario.AnyComponent {
		names = slices.Clone(scenario.CrashableComponents)
		draw.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	for _, name := range names {
		if runtimefaults.Crash(f.system.Load(), name) == nil {
			if name == scenario.SupervisorsComponent {
				f.supervisors.Add(1)
			}
			return name, true
		}
	}
	return "", false
}

func slowActions(ctx context.Context, f *faults, p scenario.Params, draw *rand.Rand) (string, bool) {
	return f.hold(ctx, &f.agents, draw, f.alive, p.Duration("by"), p.Duration("for"))
}

func stallSubscriber(ctx context.Context, f *faults, p scenario.Params, draw *rand.Rand) (string, bool) {
	return f.hold(ctx, &f.subscribers, draw, func(string) bool { return true }, 0, p.Duration("for"))
}

// hold makes one target that is not held yet wait before all that it does.
func (f *faults) hold(ctx context.Context, s *targets, draw *rand.Rand, alive func(string) bool, by, d time.Duration) (string, bool) {
	h := &hold{by: by, over: make(chan struct{})}
	t, name := s.hold(draw, alive, h)
	if t == nil {
		return "", false
	}
	f.after(ctx, d, func() {
		t.held.Store(nil)
		close(h.over)
	})
	return name, true
}

func makeGarbage(ctx context.Context, _ *faults, p scenario.Params, _ *rand.Rand) (string, bool) {
	for left := p.Size("size"); left > 0 && ctx.Err() == nil; left -= garbagePiece {
		// A size that the compiler does not know is never on the stack.
		runtime.KeepAlive(make([]byte, min(left, garbagePiece)))
	}
	return "", true
}

func hogCPU(ctx context.Context, f *faults, p scenario.Params, _ *rand.Rand) (string, bool) {
	d := p.Duration("for")
	if f.hogs.Add(1) > maxHogs {
		f.hogs.Add(-1)
		return "", false
	}
	f.wg.Go(func() {
		defer f.hogs.Add(-1)
		for began := f.clock.Now(); f.clock.Now().Sub(began) < d && ctx.Err() == nil; {
			if f.clock.Stopped() {
				load.Sleep(ctx, hogRests) // a load that is held is not disturbed
			}
		}
	})
	return "", true
}

// A target is one agent or subscriber that faults can hit.
type target struct {
	name string // guarded by the targets' lock
	at   int    // its place among the targets; -1 if it is not there
	held atomic.Pointer[hold]
}

// A hold makes its target wait before all that it does.
type hold struct {
	by   time.Duration // at most so long; 0 is until it is over
	over chan struct{}
}

// wait is called by the target.
func (t *target) wait(ctx context.Context) {
	h := t.held.Load()
	if h == nil {
		return
	}
	var late <-chan time.Time
	if h.by > 0 {
		timer := time.NewTimer(h.by)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-h.over:
	case <-late:
	case <-ctx.Done():
	}
}

// targets are what a kind of fault can hit now.
type targets struct {
	mu    sync.Mutex
	all   []*target
	named map[string]*target
}

// add adds a target; one that is there already stays. It takes the place of
// one of its name: the life before of an agent that crashed by itself.
func (s *targets) add(t *target, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.at >= 0 {
		return
	}
	if before := s.named[name]; before != nil {
		s.drop(before)
	}
	if s.named == nil {
		s.named = make(map[string]*target)
	}
	t.name, t.at, s.named[name] = name, len(s.all), t
	s.all = append(s.all, t)
}

func (s *targets) remove(t *target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(t)
}

// drop puts the last target in the place of one. The lock is held.
func (s *targets) drop(t *target) {
	if t.at < 0 {
		return
	}
	last := s.all[len(s.all)-1]
	s.all[t.at], last.at = last, t.at
	s.all[len(s.all)-1] = nil
	s.all, t.at = s.all[:len(s.all)-1], -1
	delete(s.named, t.name)
}

// take draws a living target and removes it; false if there is none.
func (s *targets) take(draw *rand.Rand, alive func(name string) bool) (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) > 0 {
		t := s.all[draw.IntN(len(s.all))]
		s.drop(t)
		if alive(t.name) {
			return t.name, true
		}
	}
	return "", false
}

// hold draws a living target that is not held, and holds it; nil if there is
// none.
func (s *targets) hold(draw *rand.Rand, alive func(string) bool, h *hold) (*target, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return nil, ""
	}
	first := draw.IntN(len(s.all))
	for i := range s.all {
		t := s.all[(first+i)%len(s.all)]
		if alive(t.name) && t.held.CompareAndSwap(nil, h) {
			return t, t.name
		}
	}
	return nil, ""
}

// Agent returns the spec of an agent that the step's faults can hit. Each life
// of each agent needs a call of its own, and has to be started on System, or on
// the one given to Watch.
// Without faults it is the spec as it is.
func (e *Env) Agent(spec mabeam.Spec) mabeam.Spec {
	if e.faults != nil {
		spec.Behaviour = &targetAgent{Behaviour: spec.Behaviour, faults: e.faults, target: &target{at: -1}}
	}
	return spec
}

// Hits says whether a fault of the step can hit such targets.
func (e *Env) Hits(t scenario.Target) bool {
	return e.faults != nil && slices.ContainsFunc(e.faults.running, func(f *runningFault) bool { return f.Target() == t })
}

// Ended says whether a fault has ended a life of the agent of that id, which has
// a supervisor.
func (e *Env) Ended(id string) bool {
	if e.faults == nil {
		return false
	}
	_, hit := e.faults.ended.Load(id)
	return hit || e.faults.supervisors.Load() > 0
}

// SubscriberName is what the subscriber of that number, counted from 0, is called
// wherever it is told of: by faults, on the bus, in a report.
func SubscriberName(n int) string { return fmt.Sprintf("subscriber-%d", n+1) }

// Subscriber returns the handler of a subscriber that the step's faults can
// hit, with its number. Without faults it is the handler as it is.
func (e *Env) Subscriber(n int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
	if e.faults == nil {
		return handler
	}
	t := &target{at: -1}
	e.faults.subscribers.add(t, SubscriberName(n))
	return func(ctx context.Context, event mabeam.Event) {
		t.wait(ctx)
		handler(ctx, event)
	}
}

// A targetAgent is an agent's behaviour with a place for faults.
type targetAgent struct {
	mabeam.Behaviour
	faults *faults
	target *target
}

// Init implements mabeam.Behaviour.
func (b *targetAgent) Init(ctx context.Context, self *mabeam.Agent) error {
	if err := b.Behaviour.Init(ctx, self); err != nil {
		return err
	}
	b.faults.agents.add(b.target, self.ID())
	return nil
}

// HandleAction implements mabeam.Behaviour.
func (b *targetAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	b.target.wait(ctx)
	return b.Behaviour.HandleAction(ctx, self, action, params)
}

// HandleSignal implements mabeam.Behaviour.
func (b *targetAgent) HandleSignal(ctx context.Context, self *mabeam.Agent, signal mabeam.Signal) {
	if order, ok := signal.Data.(*panicOrder); ok {
		close(order.done)
		panic(errInjected)
	}
	b.Behaviour.HandleSignal(ctx, self, signal)
}

// Terminate implements mabeam.Behaviour.
func (b *targetAgent) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	b.faults.agents.remove(b.target)
	b.Behaviour.Terminate(ctx, self, reason)
}
