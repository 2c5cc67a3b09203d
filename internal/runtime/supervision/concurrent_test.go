package supervision

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
)

// unlimited is an intensity that nobody exceeds.
var unlimited = &Intensity{Restarts: 1 << 30}

// A grove is a tree of three levels with agents of which some are only ever restarted, and
// others stopped for good too.
type grove struct {
	t          *testing.T
	s          *mabeam.System
	root       *Supervisor
	strategies [3]Strategy
}

// spec is the supervisor of a level, with two agents that stay, one that may be stopped for
// good, and another supervisor if there is a level below.
func (g *grove) spec(level int) Spec {
	id := fmt.Sprint("level", level)
	spec := Spec{ID: id, Strategy: g.strategies[level], Intensity: unlimited, Children: []Child{
		plainChild(id+".stays0", Permanent), plainChild(id+".stays1", Transient), plainChild(id+".goes", Permanent),
	}}
	if level+1 < len(g.strategies) {
		spec.Children = slices.Insert(spec.Children, 1, below(g.spec(level+1)))
	}
	return spec
}

// supervisor is the present one of a level; nil while there is none.
func (g *grove) supervisor(level int) *Supervisor {
	v := g.root
	for range level {
		children := v.Children()
		i := slices.IndexFunc(children, func(c ChildInfo) bool { return strings.HasPrefix(c.ID, "level") && !strings.Contains(c.ID, ".") })
		if i < 0 || children[i].Supervisor == nil {
			return nil
		}
		v = children[i].Supervisor
	}
	return v
}

// A groveOp is what somebody does to a grove.
type groveOp struct {
	do, agent string
	level     int
}

func drawGroveOp(t *rapid.T) groveOp {
	return groveOp{
		do: rapid.SampledFrom([]string{
			"crash", "crash", "crash", "kill", "kill", "kill", "restart", "StopAgent", "StopChild", "Stop", "crash all",
		}).Draw(t, "do"),
		agent: rapid.SampledFrom([]string{"stays0", "stays1", "goes"}).Draw(t, "agent"),
		level: rapid.IntRange(0, 2).Draw(t, "level"),
	}
}

// do carries an operation out, and notes an error that there must not be.
func (g *grove) do(ctx context.Context, o groveOp) {
	level := fmt.Sprint("level", o.level)
	id := level + "." + o.agent
	v := g.supervisor(o.level)
	var err error
	switch o.do {
	case "crash":
		_, _ = g.s.Execute(ctx, id, "crash", nil)
	case "kill":
		g.s.KillAgent(id)
	case "restart":
		_ = g.s.RestartAgent(ctx, id) // it may not be there
	case "StopAgent":
		err = g.s.StopAgent(ctx, level+".goes")
	case "StopChild":
		if v != nil {
			err = v.StopChild(ctx, level+".goes")
		}
	case "Stop":
		if v != nil && v != g.root {
			err = v.Stop(ctx)
		}
	case "crash all":
		err = faults.Crash(g.s, "agents")
	}
	if err != nil && !errors.Is(err, mabeam.ErrSystemStopped) && !errors.Is(err, mabeam.ErrKilled) && !errors.Is(err, faults.ErrNothingToCrash) {
		g.t.Errorf("%+v: %v", o, err)
	}
}

// check says what is wrong with a grove at rest.
func (g *grove) check() error {
	registered := map[string]bool{}
	for _, r := range g.s.Registry().All() {
		registered[r.ID()] = true
	}
	n := 0
	for level := range g.strategies {
		v := g.supervisor(level)
		if v == nil {
			return fmt.Errorf("there is no supervisor of level %d", level)
		}
		var stay []string
		for _, c := range v.Children() {
			if c.Supervisor != nil {
				continue
			}
			if !c.Alive || !registered[c.ID] {
				return fmt.Errorf("%+v is registered: %v", c, registered[c.ID])
			}
			if _, err := g.s.Execute(context.Background(), c.ID, "x", nil); err != nil {
				return err
			}
			n++
			if strings.Contains(c.ID, "stays") {
				stay = append(stay, c.ID)
			}
		}
		if want := fmt.Sprintf("[level%d.stays0 level%[1]d.stays1]", level); fmt.Sprint(stay) != want {
			return fmt.Errorf("%v live of %s", stay, want)
		}
	}
	if tel := g.s.Telemetry(); len(registered) != n || tel.Agents != int64(n) || tel.AgentsStarted != tel.AgentsStopped+tel.AgentsCrashed+tel.Agents {
		return fmt.Errorf("%d agents in the tree, %d registered, %+v", n, len(registered), tel)
	}
	return nil
}

// checkLives says of which agents an end was told without a start before, or a start without
// an end. The end of a life that was killed while it began may be told after the start of the
// next.
func checkLives(chronicle string) error {
	lives := map[string]int{}
	for line := range strings.SplitSeq(chronicle, ", ") {
		what, id, _ := strings.Cut(line, " ")
		switch what {
		case "started":
			lives[id]++
		case "stopped", "crashed":
			if lives[id]--; lives[id] < 0 {
				return fmt.Errorf("%s has ended before it began", id)
			}
		}
	}
	for id, n := range lives {
		if n != 0 {
			return fmt.Errorf("%d lives of %s began without an end", n, id)
		}
	}
	return nil
}

// run has several do something to the grove at once, and says what is wrong then.
func (g *grove) run(plan [][]groveOp, stopAtOnce bool) error {
	told := keepChronicle(g.t, g.s)
	g.root = startSupervisor(g.t, g.s, g.spec(0))
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	var all sync.WaitGroup
	for _, ops := range plan {
		all.Go(func() {
			for _, o := range ops {
				g.do(ctx, o)
			}
		})
	}
	var err error
	if !stopAtOnce {
		all.Wait()
		synctest.Wait()
		err = g.check()
	}
	err = errors.Join(err, g.s.Stop(ctx))
	all.Wait()
	return errors.Join(err, checkLives(told.take()), mabeamtest.Leftovers(g.s))
}

// Whatever happens to the agents and supervisors of a tree at the same time: in the end all
// live that were not stopped for good, nobody lives beside the tree, each life was told from
// its start to its end, and nothing is left when the system has stopped.
func TestTreeAmongMany(t *testing.T) {
	// More than there may be, so that each may be interrupted anywhere.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	rapid.Check(t, func(r *rapid.T) {
		var strategies [3]Strategy
		for i := range strategies {
			strategies[i] = Strategy(rapid.IntRange(0, 2).Draw(r, "strategy"))
		}
		plan := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawGroveOp), 1, 30), 2, 4).Draw(r, "plan")
		stopAtOnce := rapid.IntRange(0, 3).Draw(r, "stop at once") == 0
		var err error
		synctest.Test(t, func(t *testing.T) {
			s, startErr := mabeam.Start(context.Background(), mabeam.Options{})
			if startErr != nil {
				t.Fatal(startErr)
			}
			err = (&grove{t: t, s: s, strategies: strategies}).run(plan, stopAtOnce)
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}
