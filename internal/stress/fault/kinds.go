package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

const (
	// garbagePiece is the size of one allocation of garbage.
	garbagePiece = 64 << 10
	// panicWithin is how long an agent can take to panic, if it is busy.
	panicWithin = time.Second
	// maxHogs is how many goroutines are kept busy at once: more than there are
	// processors.
	maxHogs = 1024
	// hogRests is how often a goroutine that keeps a processor busy checks
	// whether a paused load has resumed.
	hogRests = 10 * time.Millisecond
)

// errInjected is what an agent panics with that panic_agents hits.
var errInjected = errors.New("panic injected by panic_agents")

// inject has a function for each kind of fault, which injects it once. It returns
// what it hit, which is empty for the process; false means that there was nothing
// to hit. A lasting effect ends with ctx at the latest.
var inject = map[scenario.FaultKind]func(ctx context.Context, i *Injector, p scenario.Params, draw *rand.Rand) (target string, ok bool){
	scenario.KillAgents:       killAgent,
	scenario.PanicAgents:      panicAgent,
	scenario.SlowActions:      slowActions,
	scenario.StallSubscribers: stallSubscriber,
	scenario.CrashComponent:   crashComponent,
	scenario.Garbage:          makeGarbage,
	scenario.HogCPU:           hogCPU,
}

func killAgent(_ context.Context, i *Injector, _ scenario.Params, draw *rand.Rand) (string, bool) {
	id, ok := i.agents.take(draw, i.alive)
	if ok {
		i.ended.Store(id, true)
		i.system.Load().KillAgent(id)
	}
	return id, ok
}

func (i *Injector) alive(id string) bool {
	_, ok := i.system.Load().Registry().Lookup(id)
	return ok
}

// A panicOrder is the data of the signal that makes an agent panic.
type panicOrder struct{ done chan struct{} }

func panicAgent(_ context.Context, i *Injector, _ scenario.Params, draw *rand.Rand) (string, bool) {
	for {
		id, ok := i.agents.take(draw, i.alive)
		if !ok {
			return "", false
		}
		i.ended.Store(id, true)
		order := &panicOrder{done: make(chan struct{})}
		if err := i.system.Load().Signal(mabeam.Signal{Type: "fault.panic", Priority: mabeam.High, Data: order}, id); err != nil {
			continue // the agent has just ended by itself
		}
		// A busy agent panics when it has finished its action. The load can end
		// before that, and waits for it.
		i.after(context.Background(), 0, func() {
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

// crashComponent crashes one component. Any component is one that has something to
// lose.
func crashComponent(_ context.Context, i *Injector, p scenario.Params, draw *rand.Rand) (string, bool) {
	names := []string{p.Text("component")}
	if names[0] == scenario.AnyComponent {
		names = slices.Clone(scenario.CrashableComponents)
		draw.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	}
	for _, name := range names {
		if faults.Crash(i.system.Load(), name) == nil {
			if name == scenario.SupervisorsComponent {
				i.supervisors.Add(1)
			}
			return name, true
		}
	}
	return "", false
}

func slowActions(ctx context.Context, i *Injector, p scenario.Params, draw *rand.Rand) (string, bool) {
	return i.hold(ctx, &i.agents, draw, i.alive, p.Duration("by"), p.Duration("for"))
}

func stallSubscriber(ctx context.Context, i *Injector, p scenario.Params, draw *rand.Rand) (string, bool) {
	return i.hold(ctx, &i.subscribers, draw, func(string) bool { return true }, 0, p.Duration("for"))
}

// hold makes one target that is not held yet wait before everything that it does.
func (i *Injector) hold(ctx context.Context, s *targets, draw *rand.Rand, alive func(string) bool, by, d time.Duration) (string, bool) {
	h := &hold{by: by, over: make(chan struct{})}
	t, name := s.hold(draw, alive, h)
	if t == nil {
		return "", false
	}
	i.after(ctx, d, func() {
		t.held.Store(nil)
		close(h.over)
	})
	return name, true
}

func makeGarbage(ctx context.Context, _ *Injector, p scenario.Params, _ *rand.Rand) (string, bool) {
	for left := p.Size("size"); left > 0 && ctx.Err() == nil; left -= garbagePiece {
		// A size that the compiler does not know is never on the stack.
		runtime.KeepAlive(make([]byte, min(left, garbagePiece)))
	}
	return "", true
}

func hogCPU(ctx context.Context, i *Injector, p scenario.Params, _ *rand.Rand) (string, bool) {
	d := p.Duration("for")
	if i.hogs.Add(1) > maxHogs {
		i.hogs.Add(-1)
		return "", false
	}
	i.wg.Go(func() {
		defer i.hogs.Add(-1)
		until := time.Now().Add(d)
		for now := time.Now(); now.Before(until) && ctx.Err() == nil; now = time.Now() {
			if i.Control.Paused() { // a paused load is not disturbed
				load.Sleep(ctx, hogRests)
				until = until.Add(time.Since(now))
			}
		}
	})
	return "", true
}
