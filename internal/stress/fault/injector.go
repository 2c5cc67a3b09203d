// Package fault injects faults while a load runs. It kills agents and makes them
// panic or slow, stalls subscribers, crashes components of the system, and takes
// memory and processors from the process.
package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// ErrNoLoad is the error of a manual fault that comes between loads.
var ErrNoLoad = errors.New("no load is running")

// A Config describes the faults of one repetition.
type Config struct {
	// Faults are those of the step.
	Faults []scenario.Fault
	// Manual says that a viewer can inject faults too.
	Manual bool
	// Control is that of the loads: while they are paused, no fault is due.
	Control *load.Control
	// Seed determines every random choice.
	Seed   uint64
	System *mabeam.System

	// Injected is called after each injection with the kind of the fault and what
	// it hit, which is empty for the process.
	Injected func(kind scenario.FaultKind, target string, manual bool)
	// Missed is called with the number of injections that did not happen, and
	// why.
	Missed func(message string, count int64)
	// Refused is called with the reason why a manual fault did not happen.
	Refused func(message string)
}

// An Injector injects the faults of one repetition, and knows what they can hit.
// It injects only while a load runs, and nothing of a fault outlasts the load. A
// nil Injector injects nothing.
type Injector struct {
	Config
	system atomic.Pointer[mabeam.System] // that does the work now

	planned             []*running
	agents, subscribers targets
	ended               sync.Map       // the ids of agents that were killed or panicked
	supervisors         atomic.Int64   // how often all supervisors crashed
	hogs                atomic.Int64   // goroutines that are busy now
	wg                  sync.WaitGroup // of everything that goes on while a load runs
	loaded              time.Duration  // length of the previous loads

	mu      sync.Mutex      // guards what follows
	loading context.Context // of the load that runs; nil if none does
	manual  uint64          // number of manual faults
}

// A running fault belongs to one goroutine while a load runs.
type running struct {
	scenario.Fault
	draw *rand.Rand // its own, so that its choices do not depend on other faults
	next int
	// manual says that a viewer injected it, and refused that the viewer knows
	// that there was nothing to hit.
	manual, refused bool
}

// New returns an injector; nil if the step has no faults and no viewer can inject
// any.
func New(c Config) *Injector {
	if len(c.Faults) == 0 && !c.Manual {
		return nil
	}
	i := &Injector{Config: c}
	i.system.Store(c.System)
	for n, f := range c.Faults {
		i.planned = append(i.planned, &running{Fault: f, draw: rand.New(rand.NewPCG(c.Seed, uint64(n)))})
	}
	return i
}

// SetSystem makes another system than that of the Config the one that faults hit.
func (i *Injector) SetSystem(s *mabeam.System) {
	if i == nil {
		return
	}
	i.system.Store(s)
	i.supervisors.Store(0) // those that crashed were of the other system
}

// During injects faults until ctx ends or end is called. End returns when
// everything is undone.
func (i *Injector) During(ctx context.Context) (end func()) {
	if i == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	watch, loaded := i.Control.Start(), i.loaded
	for _, f := range i.planned {
		i.wg.Go(func() { i.run(ctx, f, watch, loaded) })
	}
	i.mu.Lock()
	i.loading = ctx
	i.mu.Unlock()
	return func() {
		took := watch.Elapsed()
		i.mu.Lock()
		i.loading = nil
		i.mu.Unlock()
		stop()
		i.wg.Wait()
		i.loaded += took
	}
}

// Inject injects a manual fault now. If it has a rate, it goes on until the load
// ends.
func (i *Injector) Inject(f scenario.Fault) error {
	if i == nil {
		return errors.New("this run does not take manual faults")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.loading == nil {
		return ErrNoLoad
	}
	i.manual++
	one := &running{Fault: f, draw: rand.New(rand.NewPCG(i.Seed, 1<<32+i.manual)), manual: true}
	ctx := i.loading
	i.wg.Go(func() { i.run(ctx, one, i.Control.Start(), 0) })
	return nil
}

// run injects one fault whenever it is due. Before the stopwatch started, so much of
// its time was over.
func (i *Injector) run(ctx context.Context, f *running, watch load.Stopwatch, before time.Duration) {
	for ; ; f.next++ {
		at, ok := f.Due(f.next)
		if !ok || !watch.Sleep(ctx, at-before) {
			return
		}
		if target, ok := inject[f.Kind](ctx, i, f.Params, f.draw); ok {
			i.Injected(f.Kind, target, f.manual)
			continue
		}
		why := f.NotInjected("nothing was left to hit")
		i.Missed(why, 1)
		if f.manual && !f.refused {
			f.refused = true // once: a rate would fill the log
			i.Refused(why)
		}
	}
}

// Finish reports, after the last load, the faults that were due and did not
// happen.
func (i *Injector) Finish() {
	if i == nil {
		return
	}
	for _, f := range i.planned {
		if planned, ok := f.Planned(); ok && f.next < planned {
			i.Missed(f.NotInjected("the load ended first"), int64(planned-f.next))
		}
	}
}

// Hits reports whether a fault of the step can hit such targets.
func (i *Injector) Hits(t scenario.Target) bool {
	return i != nil && slices.ContainsFunc(i.planned, func(f *running) bool { return f.Target() == t })
}

// Ended reports whether a fault has ended a life of the agent of that id, which
// has a supervisor.
func (i *Injector) Ended(id string) bool {
	if i == nil {
		return false
	}
	_, hit := i.ended.Load(id)
	return hit || i.supervisors.Load() > 0
}

// after undoes something when d has passed, or at the end of the load if that is
// sooner. Pauses count: operations in flight go on while the load is paused, and
// their latency would include the pause.
func (i *Injector) after(ctx context.Context, d time.Duration, undo func()) {
	i.wg.Go(func() {
		load.Sleep(ctx, d)
		undo()
	})
}
