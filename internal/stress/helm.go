package stress

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A helm is what a viewer has set of a run: whether its loads are held, and by
// what the rates of open ones are multiplied. Both stay so until they are set
// again, also for the steps that follow.
type helm struct {
	// clock stands still while all that the steps whose turn it is could do is
	// to wait until their loads are let go.
	clock clock

	mu     sync.Mutex // guards what follows, also of the gates
	rate   float64
	opened chan struct{} // closed when the loads are let go
	turned chan struct{} // closed when anything changes
	taking []*gate       // of the steps whose turn it is

	// Both change with the lock held. Workers look at them without: held is
	// whether the loads are, and turns counts the changes.
	held  atomic.Bool
	turns atomic.Uint64
}

// newHelm returns that of a run which is left alone.
func newHelm() *helm {
	return &helm{rate: 1, opened: make(chan struct{}), turned: make(chan struct{})}
}

// hold holds the loads, or lets them go. It says whether they were not so
// already.
func (h *helm) hold(held bool) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held.Load() == held {
		return false
	}
	h.held.Store(held)
	if !held {
		close(h.opened)
		h.opened = make(chan struct{})
	}
	h.turn(func(g *gate, now time.Time) {
		if g.load != nil && !held {
			g.load.working += g.load.parked
			g.load.parked = 0
		}
		g.settle(now)
	})
	return true
}

// setRate multiplies the rates of open loads from now on. It says whether it
// was another one before.
func (h *helm) setRate(rate float64) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rate == rate {
		return false
	}
	h.rate = rate
	h.turn(func(g *gate, now time.Time) {
		if g.load.follows() {
			at := g.clock.at(now).Sub(g.load.begun)
			g.load.tempo = g.load.tempo.turn(at, rate)
			g.turns.add(at, g.load.tempo)
			g.steered = true
		}
	})
	return true
}

// turn makes a change known; the lock is held.
func (h *helm) turn(change func(*gate, time.Time)) {
	now := time.Now()
	for _, g := range h.taking {
		change(g, now)
	}
	h.turns.Add(1)
	close(h.turned)
	h.turned = make(chan struct{})
}

// take says which steps have their turn from now on.
func (h *helm) take(gates []*gate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taking = gates
	h.settle(time.Now())
}

// settle stops or starts the helm's clock; the lock is held.
func (h *helm) settle(now time.Time) {
	works := func(g *gate) bool { return !g.clock.isStill() }
	h.clock.set(len(h.taking) > 0 && !slices.ContainsFunc(h.taking, works), now)
}

// await waits until the loads are not held, or says false when ctx ends. It is
// called, and returns, with the lock held.
func (h *helm) await(ctx context.Context) bool {
	for h.held.Load() && ctx.Err() == nil {
		h.rest(ctx)
	}
	return ctx.Err() == nil
}

// rest waits until the loads are let go, which opened tells afterwards, or ctx
// ends. It is called, and returns, with the lock held.
func (h *helm) rest(ctx context.Context) (opened <-chan struct{}) {
	opened = h.opened
	h.mu.Unlock()
	defer h.mu.Lock()
	select {
	case <-opened:
	case <-ctx.Done():
	}
	return opened
}

// A gate is what the operations of a step's loads pass. While the loads are held
// none begins, and the gate's clock stands still: that of an open load at once,
// because its schedule stands still from then on, and that of a closed load from
// when its last operation under way has ended, because until then it works. A
// load that is to begin meanwhile waits too. What a measurement does between its
// loads is not held.
type gate struct {
	helm  *helm
	clock clock

	// Guarded by helm.mu.
	load    *passage // the load that runs; nil if there is none
	turns   turns    // the tempos of that, or of the load before; none of a closed one
	waits   bool     // a load is to begin
	steered bool     // a load was held, or had another rate than planned
}

func newGate(h *helm) *gate { return &gate{helm: h} }

// A passage is what a gate knows of a load that runs.
type passage struct {
	begun time.Time // by the gate's clock
	// tempo is that of an open load; nil of a closed one.
	tempo  *tempo
	steady bool
	// working and parked count the workers of a closed load that carry out
	// operations, and those that are held.
	working, parked int
}

// follows says whether it is a load with a rate that can be set.
func (p *passage) follows() bool { return p != nil && p.tempo != nil && !p.steady }

// settle stops or starts the clock; the lock is held.
func (g *gate) settle(now time.Time) {
	rests := g.waits
	if p := g.load; p != nil {
		rests = p.tempo != nil || p.working == 0 && p.parked > 0
	}
	still := rests && g.helm.held.Load()
	g.steered = g.steered || still
	g.clock.set(still, now)
	g.helm.settle(now)
}

// begin lets a load begin. While the loads are held it waits, or says false when
// ctx ends.
func (g *gate) begin(ctx context.Context, l Load) bool {
	h := g.helm
	h.mu.Lock()
	defer h.mu.Unlock()
	g.waits = true
	g.settle(time.Now())
	ok := h.await(ctx)
	g.waits = false
	now := time.Now()
	if ok {
		p := &passage{begun: g.clock.at(now), steady: l.Steady, working: l.Workers}
		if len(l.Stages) > 0 {
			p.tempo = newTempo(l.Stages)
		}
		if p.follows() && h.rate != 1 {
			p.tempo = p.tempo.turn(0, h.rate)
			g.steered = true
		}
		g.load, g.turns = p, nil
		if p.tempo != nil {
			g.turns.add(0, p.tempo)
		}
	}
	g.settle(now)
	return ok
}

// due is how many operations of the open load that runs were due by now; 0 if
// none does.
func (g *gate) due(now time.Time) int64 {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	if g.load == nil || g.load.tempo == nil {
		return 0
	}
	return int64(g.load.tempo.by(g.clock.at(now).Sub(g.load.begun)))
}

// waiting returns for how long the first operation has been due that has not
// begun, if so many have; 0 if none is due, or the load is no open one.
func (g *gate) waiting(now time.Time, begun int) time.Duration {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	if g.load == nil || g.load.tempo == nil || begun >= g.load.tempo.count() {
		return 0
	}
	at, _ := g.load.tempo.due(begun)
	return max(g.clock.at(now).Sub(g.load.begun)-at, 0)
}

// offered tells what was due when of the latest load that is over.
func (g *gate) offered() turns {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	return g.turns
}

// end notes that the load has ended.
func (g *gate) end() {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	g.load = nil
	g.settle(time.Now())
}

// park holds a worker of a closed load as long as the loads are held, or until
// ctx ends.
func (g *gate) park(ctx context.Context) {
	h := g.helm
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.held.Load() && ctx.Err() == nil {
		g.load.working--
		g.load.parked++
		g.settle(time.Now())
		opened := h.rest(ctx)
		select {
		case <-opened: // hold has counted the worker as working
		default:
			g.load.working++
			g.load.parked--
			g.settle(time.Now())
		}
	}
}

// leave notes that a worker of a closed load has done its last operation.
func (g *gate) leave() {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	g.load.working--
	g.settle(time.Now())
}

// A pace is when operations of an open load are due, until the next turn.
type pace struct {
	*tempo
	origin time.Time // what the tempo counts from
	turn   uint64    // of helm.turns
	turned <-chan struct{}
}

// pace tells it for the operations from next on. While the load is held it
// waits, or says false when ctx ends.
func (g *gate) pace(ctx context.Context, next int) (pace, bool) {
	h := g.helm
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.await(ctx) {
		return pace{}, false
	}
	g.load.tempo.forget(next)
	origin := g.load.begun.Add(g.clock.lost(time.Now()))
	return pace{tempo: g.load.tempo, origin: origin, turn: h.turns.Load(), turned: h.turned}, true
}

// wasSteered says whether a load was held, or had another rate than planned,
// since it was asked last.
func (g *gate) wasSteered() bool {
	g.helm.mu.Lock()
	defer g.helm.mu.Unlock()
	was := g.steered
	g.steered = false
	return was
}
