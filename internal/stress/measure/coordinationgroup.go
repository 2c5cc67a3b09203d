package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
)

const (
	actionEcho    = "echo"        // its rank and its params, a number
	actionFold    = "fold"        // its params, a number, with its rank folded in
	actionDouble  = "double"      // twice its params, a number
	actionSilence = "fall_silent" // answers nothing from now on
)

// A member is an agent of a group. Its answers show who gave them and to which request.
type member struct {
	mabeam.Defaults
	rank   int
	silent bool
}

func (m *member) HandleAction(ctx context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
	// Nobody waits for the answer to a break, so it would block forever.
	if m.silent && action != coordination.ActionBreak {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	switch action {
	case actionEcho:
		return echo(m.rank, params.(int)), nil
	case actionFold:
		return fold(m.rank, params.(int)), nil
	case actionDouble:
		return 2 * params.(int), nil
	case actionSilence:
		m.silent = true
		return nil, nil
	case coordination.ActionVote:
		return ballot(m.rank, params.(proposal)), nil
	case coordination.ActionBid, coordination.ActionStand:
		return price(m.rank, params.(int)), nil
	case coordination.ActionArrive, coordination.ActionRelease, coordination.ActionBreak:
		params, _ := params.(*barrierState)
		params.record(action)
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// echo is the answer to n of the agent with that rank.
func echo(rank, n int) int { return rank<<32 | n&(1<<32-1) }

// fold combines n with the rank of an agent. The result depends on the order of the
// agents.
func fold(rank, n int) int { return 31*n + rank }

// price is the bid and the priority in round n of the agent with that rank.
func price(rank, n int) int { return (7919*rank + 31*n) % 1009 }

// A proposal is what a group votes on; in each round, different agents vote no.
type proposal struct{ round, agents, noes int }

// ballot is the vote of the agent with that rank.
func ballot(rank int, p proposal) string {
	if (rank+p.round)%p.agents < p.noes {
		return "no"
	}
	return "yes"
}

// A barrierState is what the members at a barrier have seen of it.
type barrierState struct {
	agents                   int64
	arrived, released, early atomic.Int64
}

// record records what a member is asked to do.
func (g *barrierState) record(action string) {
	switch {
	case g == nil:
	case action == coordination.ActionArrive:
		g.arrived.Add(1)
	case action == coordination.ActionRelease:
		g.released.Add(1)
		if g.arrived.Load() != g.agents {
			g.early.Add(1)
		}
	}
}

// A sharedDeadline is a context with a deadline that several operations share. A context
// for each would take a twentieth of the time of the fastest operations.
type sharedDeadline struct {
	ctx    context.Context
	cancel context.CancelFunc
	made   time.Time
}

// sharedDeadlineShare is the share of the timeout for which operations share a context.
// Their deadlines are early by as much.
const sharedDeadlineShare = 0.01

// context returns a context for an operation that begins at that time.
func (l *sharedDeadline) context(ctx context.Context, begins time.Time, timeout time.Duration) context.Context {
	if l.ctx == nil || l.ctx.Err() != nil || begins.Sub(l.made) > time.Duration(sharedDeadlineShare*float64(timeout)) {
		l.cancelContext()
		l.made = begins
		l.ctx, l.cancel = context.WithTimeout(ctx, timeout)
	}
	return l.ctx
}

func (l *sharedDeadline) cancelContext() {
	if l.cancel != nil {
		l.cancel()
	}
}

// A coordinationGroup is the agents that coordinate. The rank of each is its position,
// from 1.
type coordinationGroup struct {
	system  coordinator
	runtime *mabeam.System
	wrong   *conformance.Checker
	ids     []string
	script  []coordination.Step
	noes    int // how many vote no
	timeout time.Duration
	done    atomic.Int64 // operations that have begun
	rounds  atomic.Int64 // coordinations among them
	failed  map[string]bool

	mu     sync.Mutex
	missed map[string]*missedAnswers // by id
}

// missedAnswers is how often an agent did not answer, and the first reason.
type missedAnswers struct {
	times  int64
	reason string
}

// newCoordinationGroup starts a group. The ranks of its members are in the order of ids.
func newCoordinationGroup(ctx context.Context, env *stress.Env, system coordinator, wrong *conformance.Checker, behaviour func(rank int) mabeam.Behaviour) (*coordinationGroup, error) {
	t := &coordinationGroup{
		system: system, runtime: env.System(), wrong: wrong, ids: make([]string, env.Params.Int("agents")),
		timeout: env.Params.Duration("timeout"), missed: map[string]*missedAnswers{}, failed: map[string]bool{},
	}
	if env.Params.Int("fail_agents") == 0 {
		t.noes = (len(t.ids) - 1) / 4
	}
	for i := range t.ids {
		id, err := t.runtime.StartAgent(ctx, env.Agent(mabeam.Spec{Type: "member", Behaviour: behaviour(i + 1)}))
		if err != nil {
			return nil, fmt.Errorf("start agent %d of %d of a group: %w", i+1, len(t.ids), err)
		}
		t.ids[i] = id
		t.script = append(t.script,
			coordination.Step{Agent: i, Action: actionDouble, Params: i + 1, Expected: 2 * (i + 1)},
			coordination.Step{Agent: i, Action: actionDouble, Params: 2 * (i + 1), Expected: 4 * (i + 1)})
	}
	return t, nil
}

// coordinate runs the next operation of the group until limited ends. The error names the
// agents without an answer if they made it fail.
func (t *coordinationGroup) coordinate(ctx, limited context.Context, kind string) error {
	n := int(t.done.Add(1)) - 1
	if kind == "mixed" {
		kind = coordinationTypes[n%len(coordinationTypes)]
	}
	if kind != "simple" {
		t.rounds.Add(1)
	}
	missing, err := t.runRound(limited, kind, n)
	var wrong resultError
	if errors.As(err, &wrong) && ctx.Err() == nil {
		t.wrong.Add(1, kind+": "+string(wrong))
	}
	if len(missing) == 0 || ctx.Err() != nil {
		return err
	}
	t.countMissed(missing)
	if err == nil {
		return nil // it succeeded without them
	}
	if wrong != "" {
		return err
	}
	return t.missingError(kind, missing)
}

// countMissed counts the agents that did not answer.
func (t *coordinationGroup) countMissed(missing mabeam.Answers) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range missing {
		known := t.missed[m.Agent]
		if known == nil {
			known = &missedAnswers{reason: reason(m.Err)}
			t.missed[m.Agent] = known
		}
		known.times++
	}
}

// reason returns why an agent did not answer, without the agent and the action.
func reason(err error) string {
	var action *mabeam.ActionError
	if errors.As(err, &action) {
		err = action.Err
	}
	return err.Error()
}

// maxNamedAgents limits the agents that an error names.
const maxNamedAgents = 5

// missingError names the agents that made an operation fail.
func (t *coordinationGroup) missingError(kind string, missing mabeam.Answers) error {
	names := make([]string, 0, maxNamedAgents+1)
	for i, m := range missing {
		if i == maxNamedAgents {
			names = append(names, fmt.Sprintf("and %d more", len(missing)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", t.name(m.Agent), reason(m.Err)))
	}
	return fmt.Errorf("%s failed: of %d agents these did not answer: %s", kind, len(t.ids), strings.Join(names, ", "))
}

// name identifies an agent by its position, which is the same in every repetition.
func (t *coordinationGroup) name(id string) string {
	return fmt.Sprintf("agent %d", slices.Index(t.ids, id)+1)
}

// fail makes some agents of the group fail, and returns their names. They are spread
// evenly over the group, the same in every repetition.
func (t *coordinationGroup) fail(ctx context.Context, env *stress.Env) ([]string, error) {
	n, failing := len(t.ids), env.Params.Int("fail_agents")
	names := make([]string, failing)
	for i := range failing {
		id := t.ids[(2*i+1)*n/(2*failing)]
		t.failed[id] = true
		names[i] = t.name(id)
		if env.Params.Text("failure") == killedAgents {
			t.runtime.KillAgent(id)
		} else if _, err := t.runtime.Execute(ctx, id, actionSilence, nil); err != nil && !errors.Is(err, mabeam.ErrUnknownAgent) {
			return nil, fmt.Errorf("silence %s: %w", names[i], err)
		}
	}
	return names, nil
}

// reportMissedAnswers reports how often each agent did not answer, and returns how many
// answers of healthy agents are missing.
func (t *coordinationGroup) reportMissedAnswers(env *stress.Env) (missing int64) {
	for _, id := range t.ids {
		if a := t.missed[id]; a != nil {
			env.Detail(fmt.Sprintf("%s did not answer: %s", t.name(id), a.reason), a.times)
			if !t.failed[id] && !env.EndedByFault(id) {
				missing += a.times
			}
		}
	}
	return missing
}
