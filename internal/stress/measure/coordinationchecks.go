package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
)

// nobody is the id of an agent that is not there.
const unknownAgent = "nobody"

// A coordinationChecks checks the rules of coordination that a load of well agents does
// not meet: ties, abstentions, dead agents, and the replacement of a leader.
type coordinationChecks struct {
	runtime *mabeam.System
	system  coordinator
	checks  *checker
}

// checkCoordination adds each broken rule to the violations.
func checkCoordination(ctx context.Context, runtime *mabeam.System, system coordinator, rules *checker) error {
	t := &coordinationChecks{runtime, system, rules}
	for _, check := range []func(context.Context) error{
		t.checkVotes, t.checkAuctions, t.checkElections, t.checkGather, t.checkBarriers, t.checkPipelines, t.checkScripts, t.checkLeaderChange,
	} {
		limited, cancel := context.WithTimeout(ctx, mabeam.CoordinationTimeout)
		err := check(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("check the rules of coordination: %w", err)
		}
	}
	return nil
}

// An answering agent has an answer to one action.
type answering struct {
	mabeam.Defaults
	action string
	answer any
}

// HandleAction implements mabeam.Behaviour.
func (a answering) HandleAction(_ context.Context, _ *mabeam.Agent, action string, _ any) (any, error) {
	if action != a.action {
		return nil, mabeam.ErrUnknownAction
	}
	return a.answer, nil
}

// start starts agents with an answer each to an action. They are to be stopped.
func (t *coordinationChecks) start(ctx context.Context, action string, answers ...any) (ids []string, stop func(), err error) {
	agents := make([]mabeam.Behaviour, len(answers))
	for i, answer := range answers {
		agents[i] = answering{action: action, answer: answer}
	}
	return t.startEach(ctx, agents)
}

// startAgents starts an agent of each behaviour. They are to be stopped.
func (t *coordinationChecks) startEach(ctx context.Context, agents []mabeam.Behaviour) (ids []string, stop func(), err error) {
	stop = func() {
		for _, id := range ids {
			t.runtime.KillAgent(id)
		}
	}
	for _, behaviour := range agents {
		id, err := t.runtime.StartAgent(ctx, mabeam.Spec{Type: "answering", Behaviour: behaviour})
		if err != nil {
			stop()
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	return ids, stop, nil
}

func (t *coordinationChecks) checkVotes(ctx context.Context) error {
	for _, c := range []struct {
		what    string
		ballots []any
		winner  any
		votes   int
	}{
		{"a tie", []any{"yes", "no", "yes", "no"}, nil, 0},
		{"half of all agents", []any{"yes", "yes", nil, "no"}, nil, 0},
		{"more than half of all", []any{"no", "yes", "yes", "yes"}, "yes", 3},
	} {
		ids, stop, err := t.start(ctx, coordination.ActionVote, c.ballots...)
		if err != nil {
			return err
		}
		result, err := t.system.Vote(ctx, ids, nil)
		t.checks.expect(err == nil && result.Winner == c.winner && result.Votes == c.votes && result.Decided() == (c.winner != nil),
			fmt.Sprintf("vote: %s does not result in %v with %d votes", c.what, c.winner, c.votes))
		for i, b := range result.Ballots {
			t.checks.expect(errors.Is(b.Err, coordination.ErrDeclined) == (c.ballots[i] == nil), "vote: an abstention is not reported as ErrDeclined")
		}
		_, err = t.system.Vote(ctx, []string{ids[0], ids[0]}, nil)
		t.checks.expect(errors.Is(err, mabeam.ErrBadCoordination), "vote: an agent may vote twice")
		stop()
	}
	ids, stop, err := t.start(ctx, coordination.ActionVote, "yes", "yes")
	if err != nil {
		return err
	}
	defer stop()
	result, err := t.system.Vote(ctx, append(ids, unknownAgent, unknownAgent+"-else"), nil)
	t.checks.expect(err == nil && !result.Decided() && len(result.Ballots.Missing()) == 2, "vote: the ballots of dead agents are counted")
	return nil
}

// best checks who is the highest of some that answer, of whom two are equal.
func (t *coordinationChecks) checkBest(ctx context.Context, kind, action string, hold func(ids []string) (winner string, highest float64, answers mabeam.Answers, err error)) error {
	ids, stop, err := t.start(ctx, action, 5, 7, 7.0, nil, "none")
	if err != nil {
		return err
	}
	defer stop()
	winner, highest, answers, err := hold(append(ids, unknownAgent))
	t.checks.expect(err == nil && winner == min(ids[1], ids[2]) && highest == 7, kind+": of two equal highest answers, that of the smaller id does not win")
	if t.checks.expect(len(answers) == 6, kind+": the answers are not one of each agent") {
		t.checks.expect(errors.Is(answers[3].Err, coordination.ErrDeclined), kind+": an agent that declines is not reported as ErrDeclined")
		t.checks.expect(errors.Is(answers[4].Err, coordination.ErrBadAnswer), kind+": an answer that is no number is not reported as ErrBadAnswer")
		t.checks.expect(errors.Is(answers[5].Err, mabeam.ErrUnknownAgent), kind+": a dead agent is not reported as ErrUnknownAgent")
	}
	winner, _, _, err = hold([]string{ids[3], unknownAgent})
	t.checks.expect(err == nil && winner == "", kind+": there is a winner where no agent takes part")
	return nil
}

func (t *coordinationChecks) checkAuctions(ctx context.Context) error {
	return t.checkBest(ctx, "auction", coordination.ActionBid, func(ids []string) (string, float64, mabeam.Answers, error) {
		r, err := t.system.Auction(ctx, ids, nil)
		return r.Winner, r.Price, r.Bids, err
	})
}

func (t *coordinationChecks) checkElections(ctx context.Context) error {
	return t.checkBest(ctx, "election", coordination.ActionStand, func(ids []string) (string, float64, mabeam.Answers, error) {
		r, err := t.system.Elect(ctx, ids, nil)
		return r.Leader, r.Priority, r.Candidates, err
	})
}

func (t *coordinationChecks) checkGather(ctx context.Context) error {
	ids, stop, err := t.start(ctx, actionEcho, 1, 2)
	if err != nil {
		return err
	}
	defer stop()
	answers, err := t.system.Gather(ctx, []string{ids[0], unknownAgent, ids[1]}, actionEcho, nil)
	t.checks.expect(err == nil && len(answers) == 3 && answers[0].Value == 1 && errors.Is(answers[1].Err, mabeam.ErrUnknownAgent) && answers[2].Value == 2,
		"fan-out: where one agent is dead, the answers of the others, or its own, are wrong")
	return nil
}

// barriers checks that of a barrier to which one does not come nobody is released.
func (t *coordinationChecks) checkBarriers(ctx context.Context) error {
	var released, broken atomic.Int64
	arriving := atBarrier{released: &released, broken: &broken}
	ids, stop, err := t.startEach(ctx, []mabeam.Behaviour{arriving, arriving, arriving})
	if err != nil {
		return err
	}
	defer stop()
	result, err := t.system.Barrier(ctx, slices.Concat(ids, []string{unknownAgent}), nil)
	t.checks.expect(errors.Is(err, coordination.ErrBarrierBroken) && len(result.Arrived.Missing()) == 1, "barrier: it is not broken though one agent is dead")
	waitWhile(ctx, func() bool { return broken.Load() < int64(len(ids)) })
	t.checks.expect(released.Load() == 0, "barrier: agents are released though one agent is dead")
	t.checks.expect(broken.Load() == int64(len(ids)), "barrier: not all agents that arrived are told that it broke")
	return nil
}

// atBarrier is an agent that arrives, and counts what it is told then.
type atBarrier struct {
	mabeam.Defaults
	released, broken *atomic.Int64
}

// HandleAction implements mabeam.Behaviour.
func (a atBarrier) HandleAction(_ context.Context, _ *mabeam.Agent, action string, _ any) (any, error) {
	switch action {
	case coordination.ActionRelease:
		a.released.Add(1)
	case coordination.ActionBreak:
		a.broken.Add(1)
	}
	return nil, nil
}

func (t *coordinationChecks) checkPipelines(ctx context.Context) error {
	ids, stop, err := t.start(ctx, actionEcho, 1, 2)
	if err != nil {
		return err
	}
	defer stop()
	_, err = t.system.Pipeline(ctx, []string{ids[0], unknownAgent, ids[1]}, actionEcho, nil)
	var stopped *coordination.StageError
	t.checks.expect(errors.As(err, &stopped) && stopped.Stage == 1 && errors.Is(err, mabeam.ErrUnknownAgent), "pipeline: the error does not name the dead stage")
	return nil
}

// scripts checks that an unexpected result is reported, skips the further steps of its
// agent, and does not affect other agents.
func (t *coordinationChecks) checkScripts(ctx context.Context) error {
	ids, stop, err := t.start(ctx, actionEcho, 1, 2)
	if err != nil {
		return err
	}
	defer stop()
	steps := []coordination.Step{
		{Agent: 0, Action: actionEcho, Expected: 99},
		{Agent: 0, Action: actionEcho, Expected: 1},
		{Agent: 1, Action: actionEcho, Expected: 2},
		{Agent: 1, Action: actionEcho, Expected: 2},
	}
	results, err := t.system.RunScript(ctx, ids, steps, coordination.SideBySide)
	var mismatch *coordination.MismatchError
	t.checks.expect(err == nil && len(results) == len(steps) && errors.As(results[0].Err, &mismatch) && errors.Is(results[1].Err, coordination.ErrSkipped) &&
		results[2].Err == nil && results[3].Err == nil, "script: an unexpected result is not reported, or affects the steps of other agents")
	return nil
}

// leaders checks that a leader that ends is replaced by the best of those left.
func (t *coordinationChecks) checkLeaderChange(ctx context.Context) error {
	ids, stop, err := t.start(ctx, coordination.ActionStand, 1, 3, 2)
	if err != nil {
		return err
	}
	defer stop()
	election, err := coordination.StartElection(ctx, t.runtime, ids, coordination.ElectionOptions{})
	if err != nil {
		return err
	}
	defer election.Close()
	for _, best := range []string{ids[1], ids[2], ids[0]} {
		waitWhile(ctx, func() bool { return election.Leader() != best })
		if !t.checks.expect(election.Leader() == best, "election: after the leader has ended, the best remaining candidate does not lead") {
			return nil
		}
		t.runtime.KillAgent(best)
		t.checks.expect(election.Leader() != best, "election: a killed agent is still the leader")
	}
	waitWhile(ctx, func() bool { return election.Leader() != "" })
	t.checks.expect(election.Leader() == "", "election: there is a leader though no candidate is left")
	election.Close()
	return nil
}
