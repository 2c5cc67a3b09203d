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
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

const (
	// scaledTeams is how many teams work side by side to see how coordination
	// scales: that many times the agents.
	scaledTeams = 4
	// coordinationParts is into how many parts the load is divided, one team
	// and several by turns, so that a busy machine slows both alike.
	coordinationParts = 8
)

// How the agents of fail_agents fail.
const (
	killedAgents = "killed"
	silentAgents = "silent"
)

func coordination() *stress.Measurement {
	return &stress.Measurement{
		Name:      "coordination",
		Summary:   "How fast do agents agree with each other, does more of that fit side by side, and what does a dead agent cost?",
		Component: "system_coordination",
		Params: []stress.Param{
			{Name: "agents", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Agents of the team that works together; to see how it scales, three more teams of as many are started."},
			{
				Name: "type", Kind: stress.Text, Default: "simple", Choices: append(slices.Clone(coordinationTypes), "mixed"),
				Doc: "What one operation is. simple: a request from one agent to the next, and its reply. " +
					"complex: a script in which all agents side by side do two steps each, the second with the result of the first, and each result is checked. " +
					"fan-out: all agents are asked at once, and the answers of all gathered. " +
					"pipeline: the agents one after the other, each with the answer of the one before, and the last answer is checked. " +
					"barrier: all agents arrive, and then all are told to go on. " +
					"vote: all agents vote, and there is a majority. " +
					"election: all agents stand, and the one of the highest priority leads. " +
					"auction: all agents bid, and the highest bid wins. " +
					"mixed: these eight in turn.",
			},
			{Name: "operations", Kind: stress.Int, Default: 1000, Min: 1, Max: 100_000_000, Doc: "Operations of the team."},
			{Name: "concurrency", Kind: stress.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Operations of a team under way at once."},
			{Name: "fail_agents", Kind: stress.Int, Default: 0, Min: 0, Max: 100_000, Doc: "Agents of the team that fail, spread evenly over it, after the operations were done once with all agents well; they are then done again."},
			{Name: "failure", Kind: stress.Text, Default: killedAgents, Choices: []string{killedAgents, silentAgents}, Doc: "How they fail. killed: they are gone, which is known at once. silent: they take what they are asked and never answer, so that who asks waits for the timeout."},
			{Name: "timeout", Kind: stress.Duration, Default: time.Second, Min: 0.001, Max: 60, Doc: "The deadline of one operation."},
		},
		Metrics: []stress.Metric{
			{Name: "coordination_latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one operation; with fail_agents, while they fail."},
			{Name: "throughput_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Operations of one team that succeeded per second; with fail_agents, while they fail."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Doc: "Operations of one team that succeeded / operations; with fail_agents, while they fail."},
			{Name: "scalability_factor", Unit: "ratio", Better: report.Higher, Doc: "Operations per second of four such teams side by side, which are 4 times the agents / of one, all agents being well."},
			{Name: "failure_impact", Unit: "ratio", Better: report.Lower, Doc: "1 − success rate with the failing agents / without; reported with fail_agents."},
		},
		Estimate: func(p stress.Params) time.Duration {
			operations := time.Duration(p.Int("operations"))
			estimate := 50*time.Millisecond + operations*scaledTeams*time.Duration(2+p.Int("agents"))*time.Microsecond
			if p.Int("fail_agents") > 0 && p.Text("failure") == silentAgents {
				estimate += operations * p.Duration("timeout") / time.Duration(p.Int("concurrency"))
			}
			return estimate
		},
		Check: func(p stress.Params) error {
			if p.Int("fail_agents") >= p.Int("agents") {
				return fmt.Errorf("of %d agents %d cannot fail: at least one has to be left", p.Int("agents"), p.Int("fail_agents"))
			}
			return nil
		},
		Targets: []stress.Target{stress.Agents, stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measureCoordination(ctx, env, func(rank int) mabeam.Behaviour { return &member{rank: rank} })
		},
	}
}

// coordinationTypes are the types of operations, in the order in which mixed
// takes them.
var coordinationTypes = []string{"simple", "complex", "fan-out", "pipeline", "barrier", "vote", "election", "auction"}

const (
	actionDouble = "double"      // twice its params, a number
	actionAddOne = "add_one"     // one more than its params, a number
	actionHush   = "fall_silent" // answers nothing from now on
)

// A member is an agent of a team. It answers all that coordinations ask for.
type member struct {
	mabeam.Defaults
	rank   int // its priority in elections and its bid in auctions
	silent bool
}

func (m *member) HandleAction(ctx context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
	// Nobody waits for the answer to a break, so that would hang forever.
	if m.silent && action != mabeam.ActionBreak {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	switch action {
	case actionDouble:
		return 2 * params.(int), nil
	case actionAddOne:
		return 1 + params.(int), nil
	case actionHush:
		m.silent = true
		return nil, nil
	case mabeam.ActionVote:
		return "yes", nil
	case mabeam.ActionBid, mabeam.ActionStand:
		return m.rank, nil
	case "ping", mabeam.ActionArrive, mabeam.ActionRelease, mabeam.ActionBreak:
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// A team is a number of agents that coordinate.
type team struct {
	system  *mabeam.System
	ids     []string
	script  []mabeam.Step
	timeout time.Duration
	done    atomic.Int64 // operations that were begun

	mu     sync.Mutex
	absent map[string]*absence // by id
}

// An absence is how often an agent did not answer, and why the first time.
type absence struct {
	times int64
	why   string
}

// newTeam starts a team. The ranks of its members are in the order of ids.
func newTeam(ctx context.Context, env *stress.Env, behaviour func(rank int) mabeam.Behaviour) (*team, error) {
	t := &team{
		system: env.System(), ids: make([]string, env.Params.Int("agents")),
		timeout: env.Params.Duration("timeout"), absent: map[string]*absence{},
	}
	for i := range t.ids {
		id, err := t.system.StartAgent(ctx, env.Agent(mabeam.Spec{Type: "member", Behaviour: behaviour(i + 1)}))
		if err != nil {
			return nil, fmt.Errorf("start agent %d of %d of a team: %w", i+1, len(t.ids), err)
		}
		t.ids[i] = id
		t.script = append(t.script,
			mabeam.Step{Agent: i, Action: actionDouble, Params: 1, Expected: 2},
			mabeam.Step{Agent: i, Action: actionDouble, Params: 2, Expected: 4})
	}
	return t, nil
}

// coordinate carries out the team's next operation, of a type. The error says
// who did not answer if that made it fail.
func (t *team) coordinate(ctx context.Context, kind string) error {
	n := int(t.done.Add(1)) - 1
	if kind == "mixed" {
		kind = coordinationTypes[n%len(coordinationTypes)]
	}
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	missing, err := t.round(limited, kind, n)
	if len(missing) == 0 || ctx.Err() != nil {
		return err
	}
	t.note(missing)
	if err == nil {
		return nil // it did without them
	}
	return t.missingError(kind, missing)
}

// round carries out one operation, and returns who did not answer. An error
// says that the operation failed.
func (t *team) round(ctx context.Context, kind string, n int) (mabeam.Answers, error) {
	switch kind {
	case "simple":
		return t.request(ctx, n)
	case "complex":
		return t.runScript(ctx)
	case "fan-out":
		answers, err := t.system.Gather(ctx, t.ids, "ping", nil)
		if missing := answers.Missing(); len(missing) > 0 {
			return missing, errIncomplete
		}
		return nil, err
	case "pipeline":
		return t.pipeline(ctx)
	case "barrier":
		result, err := t.system.Barrier(ctx, t.ids, nil)
		if missing := result.Arrived.Missing(); len(missing) > 0 {
			return missing, err
		}
		return result.Told.Missing(), err
	case "vote":
		result, err := t.system.Vote(ctx, t.ids, nil)
		if err == nil && result.Winner != "yes" {
			err = errNoMajority
		}
		return result.Ballots.Missing(), err
	case "election":
		result, err := t.system.Elect(ctx, t.ids, nil)
		return result.Candidates.Missing(), mustWin(err, result.Candidates, result.Leader)
	case "auction":
		result, err := t.system.Auction(ctx, t.ids, nil)
		return result.Bids.Missing(), mustWin(err, result.Bids, result.Winner)
	}
	panic("unknown type " + kind) // parameters were checked
}

var (
	errIncomplete  = errors.New("not all agents answered")
	errNoMajority  = errors.New("no majority, although most agents are well and vote for the same")
	errWrongWinner = errors.New("another agent won than the best of those that answered")
	errWrongAnswer = errors.New("an answer is wrong")
)

// mustWin returns err, or what is wrong with a winner: the best is the last of
// those who answered.
func mustWin(err error, answers mabeam.Answers, winner string) error {
	if err != nil {
		return err
	}
	for _, a := range slices.Backward(answers) {
		if a.Err == nil {
			if a.Agent != winner {
				return errWrongWinner
			}
			return nil
		}
	}
	return errWrongWinner
}

// request has an agent, another one each time, ask the next one.
func (t *team) request(ctx context.Context, n int) (mabeam.Answers, error) {
	to := t.ids[(n+1)%len(t.ids)]
	_, err := t.system.Request(ctx, mabeam.Message{
		Type: "ping", Source: t.ids[n%len(t.ids)], Target: to, Timeout: t.timeout,
	})
	if err != nil {
		return mabeam.Answers{{Agent: to, Err: err}}, err
	}
	return nil, nil
}

func (t *team) runScript(ctx context.Context) (mabeam.Answers, error) {
	results, err := t.system.RunScript(ctx, t.ids, t.script, mabeam.SideBySide)
	var missing mabeam.Answers
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, mabeam.ErrSkipped) {
			missing, err = append(missing, mabeam.Answer{Agent: r.Agent, Err: r.Err}), errIncomplete
		}
	}
	return missing, err
}

func (t *team) pipeline(ctx context.Context) (mabeam.Answers, error) {
	result, err := t.system.Pipeline(ctx, t.ids, actionAddOne, 0)
	var stopped *mabeam.StageError
	switch {
	case errors.As(err, &stopped):
		return mabeam.Answers{{Agent: t.ids[stopped.Stage], Err: stopped.Err}}, err
	case err == nil && result != len(t.ids):
		return nil, errWrongAnswer
	}
	return nil, err
}

// note counts who did not answer.
func (t *team) note(missing mabeam.Answers) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range missing {
		known := t.absent[m.Agent]
		if known == nil {
			known = &absence{why: reason(m.Err)}
			t.absent[m.Agent] = known
		}
		known.times++
	}
}

// reason is why an agent did not answer, without the agent and the action.
func reason(err error) string {
	var action *mabeam.ActionError
	if errors.As(err, &action) {
		err = action.Err
	}
	return err.Error()
}

// namedMissing is how many agents an error names at most.
const namedMissing = 5

// missingError says who kept an operation from succeeding.
func (t *team) missingError(kind string, missing mabeam.Answers) error {
	names := make([]string, 0, namedMissing+1)
	for i, m := range missing {
		if i == namedMissing {
			names = append(names, fmt.Sprintf("and %d more", len(missing)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", t.name(m.Agent), reason(m.Err)))
	}
	return fmt.Errorf("%s failed, because of the %d agents these did not answer: %s", kind, len(t.ids), strings.Join(names, ", "))
}

// name tells an agent by its place, which is the same in every repetition.
func (t *team) name(id string) string {
	return fmt.Sprintf("agent %d", slices.Index(t.ids, id)+1)
}

// fail makes some agents of the team fail, and returns their names. They are
// spread evenly over the team, the same in every repetition.
func (t *team) fail(ctx context.Context, env *stress.Env) ([]string, error) {
	n, failing := len(t.ids), env.Params.Int("fail_agents")
	names := make([]string, failing)
	for i := range failing {
		id := t.ids[(2*i+1)*n/(2*failing)]
		names[i] = t.name(id)
		if env.Params.Text("failure") == killedAgents {
			t.system.KillAgent(id)
		} else if _, err := t.system.Execute(ctx, id, actionHush, nil); err != nil && !errors.Is(err, mabeam.ErrUnknownAgent) {
			return nil, fmt.Errorf("make %s fall silent: %w", names[i], err)
		}
	}
	return names, nil
}

// tellAbsences tells how often each agent did not answer.
func (t *team) tellAbsences(env *stress.Env) {
	for _, id := range t.ids {
		if a := t.absent[id]; a != nil {
			env.Detail(fmt.Sprintf("%s did not answer: %s", t.name(id), a.why), a.times)
		}
	}
}

func measureCoordination(ctx context.Context, env *stress.Env, behaviour func(rank int) mabeam.Behaviour) error {
	p := env.Params
	teams := make([]*team, scaledTeams)
	for i := range teams {
		var err error
		if teams[i], err = newTeam(ctx, env, behaviour); err != nil {
			return err
		}
	}
	first, operations := teams[0], env.Count(p.Int("operations"))
	drive := func(ctx context.Context, of []*team, operations int, metrics []string) (stress.Driven, error) {
		workers := min(p.Int("concurrency")*len(of), operations)
		return env.Drive(ctx, stress.Load{Workers: workers, Operations: operations, Metrics: metrics},
			func(ctx context.Context, op stress.Op) error {
				return of[op.Worker%len(of)].coordinate(ctx, p.Text("type"))
			})
	}
	results := []string{"coordination_latency_ms", "throughput_operations_per_sec", "success_rate"}
	ofOne := results
	if p.Int("fail_agents") > 0 {
		ofOne = []string{"failure_impact"} // the results are those of the failing team
	}

	var one, several stress.Driven
	parts := min(coordinationParts, operations)
	for part := range parts {
		n := operations*(part+1)/parts - operations*part/parts
		driven, err := drive(ctx, teams[:1], n, ofOne)
		if err != nil {
			return err
		}
		one.Add(driven)
		if driven, err = drive(ctx, teams, n*scaledTeams, []string{"scalability_factor"}); err != nil {
			return err
		}
		several.Add(driven)
	}
	result := one
	if p.Int("fail_agents") > 0 {
		failed, err := first.fail(ctx, env)
		if err != nil {
			return err
		}
		if result, err = drive(ctx, teams[:1], operations, results); err != nil {
			return err
		}
		tellCost(env, failed, one, result)
	}
	for _, t := range teams {
		t.tellAbsences(env)
	}
	env.Latency("coordination_latency_ms", result.Latency)
	env.Value("throughput_operations_per_sec", result.PerSecond())
	env.Value("success_rate", ratio(result.Succeeded, result.Attempted))
	if one.PerSecond() > 0 {
		env.Value("scalability_factor", several.PerSecond()/one.PerSecond())
	} else {
		env.Unmeasured("scalability_factor", "no operation of a single team succeeded")
	}
	return nil
}

// tellCost tells what the agents that failed cost.
func tellCost(env *stress.Env, failed []string, well, failing stress.Driven) {
	before, after := ratio(well.Succeeded, well.Attempted), ratio(failing.Succeeded, failing.Attempted)
	if before == 0 {
		env.Unmeasured("failure_impact", "no operation succeeded even before agents failed")
		return
	}
	env.Value("failure_impact", 1-after/before)
	how := "killed"
	if env.Params.Text("failure") == silentAgents {
		how = "silent"
	}
	const was = "%s (before: %s)"
	env.Note(fmt.Sprintf("%s on purpose by fail_agents: %s. What it cost: success rate "+was+", throughput "+was+", median latency "+was,
		how, strings.Join(failed, ", "),
		report.Quantity(after, "ratio"), report.Quantity(before, "ratio"),
		report.Quantity(failing.PerSecond(), "1/s"), report.Quantity(well.PerSecond(), "1/s"),
		report.Quantity(stress.Milliseconds(failing.Latency.Quantile(0.5)), "ms"), report.Quantity(stress.Milliseconds(well.Latency.Quantile(0.5)), "ms")), 1)
}
