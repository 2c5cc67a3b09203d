package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A groupRun is a group that runs: its steps run in parallel on the same system.
type groupRun struct {
	parent *run
	// scenario and group are its indices in the plan.
	scenario, group int
	// ownProcess says that each repetition needs its own process, with limits.
	ownProcess bool
	limits     scenario.MemoryLimits
	steps      []*stepRun
	// number is that of the next repetition; 0 is the warm-up.
	number   int
	paused   time.Time // when its latest repetition ended
	finished bool
}

func newGroupRun(r *run, at, group int) *groupRun {
	steps := r.plan.Scenarios[at].Groups[group]
	g := &groupRun{parent: r, scenario: at, group: group, number: 1, steps: make([]*stepRun, len(steps))}
	for _, step := range steps {
		if limits, needed := step.OwnProcess(); needed {
			g.ownProcess, g.limits = true, limits // such a step is the only one of its group
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

// next runs the next repetition of the group, with the warm-up before the first, and
// finishes the steps after the last. It does nothing if the group is finished or ctx
// has ended.
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
	if ctx.Err() == nil && g.hasMore() && g.repetition(ctx) {
		g.number++
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

// hasMore reports whether a step has another repetition.
func (g *groupRun) hasMore() bool {
	return slices.ContainsFunc(g.steps, func(s *stepRun) bool { return s.hasRepetition(g.number) })
}

// resume excludes the time of the other groups from that of the steps.
func (g *groupRun) resume() {
	if g.paused.IsZero() {
		return
	}
	for _, step := range g.steps {
		step.began = step.began.Add(time.Since(g.paused))
	}
	g.paused = time.Time{}
}

// finish judges the steps and emits their results, once.
func (g *groupRun) finish(ctx context.Context) {
	if g.finished {
		return
	}
	waited := !g.paused.IsZero()
	g.resume()
	g.finished = true
	for _, step := range g.steps {
		g.parent.emit(stream.Event{Type: stream.StepFinished, StepResult: new(step.finish(ctx, waited))})
	}
}

// repetition runs the next repetition and adds its outcomes to the steps. It returns
// false if the repetition has to run again.
func (g *groupRun) repetition(ctx context.Context) (taken bool) {
	r := g.parent
	j, steps := g.job()
	e := r.shared
	if g.ownProcess {
		e = r.newChildProcess(g.limits)
		defer r.close(e)
	}
	r.setExecutor(e, steps)
	outcomes, profiled, err := e.run(ctx, j, jobObserver{r, steps})
	r.setExecutor(nil, nil)
	if j.Number > 0 {
		r.profiles.Add(profiled)
	}
	var death *Death
	if errors.As(err, &death) && ctx.Err() == nil {
		r.log("error", fmt.Sprintf("%s, repetition %d: %v", steps[0].step.Name, g.number, death))
	}
	if err == nil && ctx.Err() == nil && steps[0].shouldRetry(outcomes[0]) {
		return false
	}
	for i, step := range steps {
		step.addOutcome(ctx, outcomes[i], err)
	}
	return true
}

// job begins the next repetition of the steps that have it, and returns the job and
// those steps.
func (g *groupRun) job() (j job, steps []*stepRun) {
	r := g.parent
	j = job{Scenario: g.scenario, Group: g.group, Number: g.number}
	if j.Number > 0 {
		j.Reference = len(r.engine.Baselines.ReferenceWorkloads()) > 0
		j.Profiles = r.profiles.Next()
	}
	for i, step := range g.steps {
		if step.hasRepetition(j.Number) {
			steps = append(steps, step)
			j.Parts = append(j.Parts, step.begin(j.Number, i, r.plan.Scenarios[g.scenario].Seed))
		}
	}
	return j, steps
}

// A jobObserver passes the events of a job on to the run and to its steps.
type jobObserver struct {
	parent *run
	steps  []*stepRun
}

// event implements observer.
func (o jobObserver) event(at time.Time, e stream.Event, measured bool) {
	for _, s := range o.steps {
		switch {
		case e.Type == stream.SampleTaken && measured:
			s.sample(e.Sample)
		case e.Type == stream.FaultInjected && e.Fault != nil && e.Fault.Step == s.step.Name:
			s.injected(at, *e.Fault)
		}
	}
	o.parent.emitAt(at, e)
}

// interval implements observer.
func (o jobObserver) interval(at time.Time, part int, i interval) { o.steps[part].addInterval(at, i) }

// loadChanged implements observer.
func (o jobObserver) loadChanged(at time.Time, part int, l loadState) {
	o.steps[part].loadChanged(at, l)
}
