package measure

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/stress/conformance"
)

// A coordinator is the part of the runtime that coordinates agents. Tests replace it by
// one with wrong results.
type coordinator interface {
	conformance.Coordinator
	Request(context.Context, mabeam.Message) (mabeam.Message, error)
}

// A runtimeCoordinator is the coordinator under test.
type runtimeCoordinator struct{ *mabeam.System }

func (c runtimeCoordinator) Pipeline(ctx context.Context, ids []string, action string, params any) (any, error) {
	return coordination.Pipeline(ctx, c.System, ids, action, params)
}

func (c runtimeCoordinator) Barrier(ctx context.Context, ids []string, params any) (coordination.BarrierResult, error) {
	return coordination.Barrier(ctx, c.System, ids, params)
}

func (c runtimeCoordinator) Vote(ctx context.Context, members []string, proposal any) (coordination.VoteResult, error) {
	return coordination.Vote(ctx, c.System, members, proposal, coordination.VoteRule{})
}

func (c runtimeCoordinator) Elect(ctx context.Context, candidates []string, params any) (coordination.ElectionResult, error) {
	return coordination.Elect(ctx, c.System, candidates, params)
}

func (c runtimeCoordinator) Auction(ctx context.Context, bidders []string, lot any) (coordination.AuctionResult, error) {
	return coordination.Auction(ctx, c.System, bidders, lot, coordination.AuctionRule{})
}

func (c runtimeCoordinator) RunScript(ctx context.Context, ids []string, steps []coordination.Step, mode coordination.ScriptMode) ([]coordination.StepResult, error) {
	return coordination.RunScript(ctx, c.System, ids, steps, mode)
}

// A resultError says what is wrong with the result of an operation.
type resultError string

func (w resultError) Error() string { return string(w) }

const (
	errWrongAnswer = resultError("an answer is wrong")
	errWrongAgents = resultError("there is not one answer for each agent, in order")
	errDeadAnswer  = resultError("a failed agent is reported to have answered")
	errWrongCount  = resultError("the votes or the winner do not match the ballots of the agents")
	errWrongWinner = resultError("the winner or the price does not match the best answer")
	errEarly       = resultError("agents were released before all had arrived")
	errNotReleased = resultError("not every agent arrived and was released exactly once")
)

var (
	errIncomplete = errors.New("not all agents answered")
	errNoMajority = errors.New("no majority although most agents are healthy and vote the same")
	errNobody     = errors.New("no agent answered")
)

// runRound runs one operation, and returns the agents that did not answer. An error means
// that the operation failed.
func (t *coordinationGroup) runRound(ctx context.Context, kind string, n int) (mabeam.Answers, error) {
	switch kind {
	case "simple":
		return t.request(ctx, n)
	case "complex":
		return t.runScript(ctx)
	case "fan-out":
		answers, err := t.system.Gather(ctx, t.ids, actionEcho, n)
		if err != nil {
			return nil, err
		}
		missing, err := checkAnswers(t, answers, func(rank int) int { return echo(rank, n) })
		if err == nil && len(missing) > 0 {
			err = errIncomplete
		}
		return missing, err
	case "pipeline":
		return t.pipeline(ctx, n)
	case "barrier":
		return t.barrier(ctx)
	case "vote":
		return t.vote(ctx, n)
	case "election":
		result, err := t.system.Elect(ctx, t.ids, n)
		if err != nil {
			return nil, err
		}
		return t.checkWinner(n, result.Candidates, result.Leader, result.Priority)
	case "auction":
		result, err := t.system.Auction(ctx, t.ids, n)
		if err != nil {
			return nil, err
		}
		return t.checkWinner(n, result.Bids, result.Winner, result.Price)
	}
	panic("unknown type " + kind) // parameters are checked
}

// checkAnswers returns the agents that did not answer, and what is wrong with the answers.
func checkAnswers[T comparable](t *coordinationGroup, answers mabeam.Answers, want func(rank int) T) (missing mabeam.Answers, err error) {
	if len(answers) != len(t.ids) {
		return nil, errWrongAgents
	}
	for i, a := range answers {
		got, ok := a.Value.(T)
		switch {
		case a.Agent != t.ids[i]:
			err = errWrongAgents
		case a.Err != nil:
			missing = append(missing, a)
		case t.failed[a.Agent]:
			err = errDeadAnswer
		case !ok || got != want(i+1):
			err = errWrongAnswer
		}
	}
	return missing, err
}

// checkWinner checks that the highest answer won; of equal answers, that of the smallest
// id.
func (t *coordinationGroup) checkWinner(n int, answers mabeam.Answers, winner string, prize float64) (mabeam.Answers, error) {
	missing, err := checkAnswers(t, answers, func(rank int) int { return price(rank, n) })
	if err != nil {
		return missing, err
	}
	best, most := "", 0
	for i, a := range answers {
		p := price(i+1, n)
		if a.Err == nil && (best == "" || p > most || p == most && a.Agent < best) {
			best, most = a.Agent, p
		}
	}
	switch {
	case best != winner || best != "" && float64(most) != prize:
		return missing, errWrongWinner
	case best == "":
		return missing, errNobody
	}
	return missing, nil
}

// vote runs a vote, and counts the ballots itself.
func (t *coordinationGroup) vote(ctx context.Context, n int) (mabeam.Answers, error) {
	p := proposal{n, len(t.ids), t.noes}
	result, err := t.system.Vote(ctx, t.ids, p)
	if err != nil {
		return nil, err
	}
	missing, err := checkAnswers(t, result.Ballots, func(rank int) string { return ballot(rank, p) })
	if err != nil {
		return missing, err
	}
	votes := map[string]int{}
	for i, b := range result.Ballots {
		if b.Err == nil {
			votes[ballot(i+1, p)]++
		}
	}
	var winner any
	won := 0
	for choice, n := range votes {
		if 2*n > len(t.ids) {
			winner, won = choice, n
		}
	}
	switch {
	case result.Winner != winner || result.Votes != won || result.Decided() != (won > 0):
		return missing, errWrongCount
	case winner != "yes":
		return missing, errNoMajority
	}
	return missing, nil
}

// barrier runs a barrier, and checks what its members saw.
func (t *coordinationGroup) barrier(ctx context.Context) (mabeam.Answers, error) {
	g := &barrierState{agents: int64(len(t.ids))}
	result, err := t.system.Barrier(ctx, t.ids, g)
	arrived, released := g.arrived.Load(), g.released.Load()
	missing := result.Arrived.Missing()
	switch {
	case g.early.Load() > 0 || len(missing) > 0 && released > 0:
		return missing, errEarly
	case len(missing) > 0:
		return missing, err
	case err != nil:
		return result.Told.Missing(), err
	case arrived != g.agents || released != g.agents || len(result.Arrived) != len(t.ids) || len(result.Told) != len(t.ids):
		return nil, errNotReleased
	}
	for i, id := range t.ids {
		if result.Arrived[i].Agent != id || result.Told[i].Agent != id {
			return nil, errWrongAgents
		}
		if t.failed[id] {
			return nil, errDeadAnswer
		}
	}
	return nil, nil
}

// request lets an agent, a different one each time, send a request to the next agent.
func (t *coordinationGroup) request(ctx context.Context, n int) (mabeam.Answers, error) {
	from, to := t.ids[n%len(t.ids)], t.ids[(n+1)%len(t.ids)]
	reply, err := t.system.Request(ctx, mabeam.Message{Type: actionEcho, Source: from, Target: to, Data: n, Timeout: t.timeout})
	switch {
	case err != nil:
		return mabeam.Answers{{Agent: to, Err: err}}, err
	case t.failed[to]:
		return nil, errDeadAnswer
	case reply.Data != echo((n+1)%len(t.ids)+1, n) || reply.Source != to || reply.Target != from:
		return nil, errWrongAnswer
	}
	return nil, nil
}

// runScript runs the script and checks each result itself.
func (t *coordinationGroup) runScript(ctx context.Context) (mabeam.Answers, error) {
	results, err := t.system.RunScript(ctx, t.ids, t.script, coordination.SideBySide)
	if err != nil {
		return nil, err
	}
	if len(results) != len(t.script) {
		return nil, errWrongAgents
	}
	var missing mabeam.Answers
	for i, r := range results {
		var mismatch *coordination.MismatchError
		switch {
		case r.Agent != t.ids[t.script[i].Agent]:
			return missing, errWrongAgents
		case errors.As(r.Err, &mismatch):
			return missing, errWrongAnswer
		case errors.Is(r.Err, coordination.ErrSkipped):
		case r.Err != nil:
			missing, err = append(missing, mabeam.Answer{Agent: r.Agent, Err: r.Err}), errIncomplete
		case t.failed[r.Agent]:
			return missing, errDeadAnswer
		case r.Got != t.script[i].Expected:
			return missing, errWrongAnswer
		}
	}
	return missing, err
}

// pipeline lets the agents fold their ranks into a number, in order.
func (t *coordinationGroup) pipeline(ctx context.Context, n int) (mabeam.Answers, error) {
	result, err := t.system.Pipeline(ctx, t.ids, actionFold, n)
	var stopped *coordination.StageError
	switch {
	case errors.As(err, &stopped):
		return mabeam.Answers{{Agent: t.ids[stopped.Stage], Err: stopped.Err}}, err
	case err != nil:
		return nil, err
	case len(t.failed) > 0:
		return nil, errDeadAnswer
	}
	want := n
	for i := range t.ids {
		want = fold(i+1, want)
	}
	if result != want {
		return nil, errWrongAnswer
	}
	return nil, nil
}
