package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A groupRun is the steps of one group while they are carried out, side by side
// on the same system.
type groupRun struct {
	parent *run
	// scenario and group are its place in the plan.
	scenario, group int
	// alone says that each repetition needs a process of its own, within
	// limits.
	ownProcess bool
	limits     scenario.MemoryLimits
	steps      []*stepRun
	// number is of the next repetition; 0 is the warm-up.
	number   int
	paused   time.Time // when its latest repetition ended
	finished bool
	results  []report.Step
}

func newGroupRun(r *run, at, group int) *groupRun {
	steps := r.plan.Scenarios[at].Groups[group]
	g := &groupRun{parent: r, scenario: at, group: group, number: 1, steps: make([]*stepRun, len(steps))}
	for _, step := range steps {
		if limits, needed := step.OwnProcess(); needed {
			g.ownProcess, g.limits = true, limits // of the only one; others are not beside it
		}
	}
	for i := range steps {
		g.steps[i] = newStepRun(r, &steps[i], group+1, g.ownProcess || r.engine.Isolate, len(steps) > 1)
		g.steps[i].scenario = r.plan.Scenarios[at].Name
		if (steps[i].Warmup != scenario.Warmup{}) {
			g.number = 0
		}
	}
	return g
}

// next carries out the group's next repetition, with the warm-up before the
// first, and ends the steps after the last. It does nothing once the group has
// finished or ctx has ended.
func (g *groupRun) next(ctx context.Context) {
	if g.finished || ctx.Err() != nil {
		return
	}
	g.resume()
	if g.number == 0 {
		g.repetition(ctx)
		for ctx.Err() == nil && slices.ContainsFunc(g.steps, (*stepRun).isWarmingUp) {
			g.repetition(ctx)
		}
		g.number = 1
	}
	if ctx.Err() == nil && g.hasMore() {
		if g.repetition(ctx) {
			g.number++
		}
	}
	if ctx.Err() == nil && !g.hasMore() {
		g.steps[0].extend()
	}
	if !g.hasMore() {
		g.finish(ctx)
		return
	}
	if ctx.Err() == nil {
		g.paused = time.Now()
	}
}

// goesOn says whether a step has another repetition: not if all are done,
// broken or stopped.
func (g *groupRun) hasMore() bool {
	return slices.ContainsFunc(g.steps, func(s *stepRun) bool { return s.hasRepetition(g.number) })
}

// resume takes the time in which others had their turn out of the steps' own.
func (g *groupRun) resume() {
	if g.paused.IsZero() {
		return
	}
	for _, step := range g.steps {
		step.began = step.began.Add(time.Since(g.paused))
	}
	g.paused = time.Time{}
}

// finish tells what came of the steps, once.
func (g *groupRun) finish(ctx context.Context) {
	if g.finished {
		return
	}
	waited := !g.paused.IsZero()
	g.resume()
	g.finished = true
	g.results = make([]report.Step, len(g.steps))
	for i, step := range g.steps {
		g.results[i] = step.finish(ctx, waited)
		g.parent.emit(stream.Event{Type: stream.StepFinished, StepResult: &g.results[i]})
	}
}

// repetition carries out the repetition whose turn it is, and takes in what it
// says of each step. It returns false if the same one is to be carried out again.
func (g *groupRun) repetition(ctx context.Context) (taken bool) {
	j := job{Scenario: g.scenario, Group: g.group, Number: g.number}
	j.Reference = j.Number > 0 && len(g.parent.engine.Baselines.Works()) > 0
	var taking []*stepRun
	for i, step := range g.steps {
		if step.hasRepetition(j.Number) {
			taking = append(taking, step)
			j.Parts = append(j.Parts, step.begin(j.Number, i, g.parent.plan.Scenarios[g.scenario].Seed))
		}
	}
	if j.Number > 0 {
		j.Profiles = g.parent.profiles.Wanted()
	}
	where := g.parent.shared
	if g.ownProcess {
		where = g.parent.newChildProcess(g.limits)
		defer g.parent.close(where)
	}
	g.parent.setExecutor(where, taking)
	outcomes, profiled, err := where.run(ctx, j, jobObserver{g.parent, taking})
	g.parent.setExecutor(nil, nil)
	if j.Number > 0 {
		g.parent.profiles.Add(profiled)
	}
	var death *Death
	if errors.As(err, &death) && ctx.Err() == nil {
		g.parent.log("error", fmt.Sprintf("%s, repetition %d: %v", taking[0].step.Name, g.number, death))
	}
	if err == nil && ctx.Err() == nil && taking[0].shouldRetry(outcomes[0]) {
		return false
	}
	for i, step := range taking {
		step.addOutcome(ctx, outcomes[i], err)
	}
	return true
}

// A jobWatcher passes on what goes on in a job, and tells its steps.
type jobObserver struct {
	parent *run
	steps  []*stepRun
}

// pass implements watcher.
func (w jobObserver) event(at time.Time, e stream.Event, measured bool) {
	for _, s := range w.steps {
		switch {
		case e.Type == stream.SampleTaken && measured:
			s.sample(e.Sample)
		case e.Type == stream.FaultInjected && e.Fault != nil && e.Fault.Step == s.step.Name:
			s.injected(at, *e.Fault)
		}
	}
	w.parent.emitAt(at, e)
}

// took implements watcher.
func (w jobObserver) interval(at time.Time, part int, i interval) { w.steps[part].addInterval(at, i) }

// driving implements watcher.
func (w jobObserver) loadChanged(at time.Time, part int, l loadState) {
	w.steps[part].loadChanged(at, l)
}
