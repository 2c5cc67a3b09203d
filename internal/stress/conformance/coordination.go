package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/stress/resources"
)

// unknownAgent is the id of an agent that does not exist.
const unknownAgent = "nobody"

// actionEcho is the action of agents that answer.
const actionEcho = "echo"

// A Coordinator is the part of the runtime that coordinates agents.
type Coordinator interface {
	Gather(ctx context.Context, ids []string, action string, params any) (mabeam.Answers, error)
	Pipeline(ctx context.Context, ids []string, action string, params any) (any, error)
	Barrier(ctx context.Context, ids []string, params any) (coordination.BarrierResult, error)
	Vote(ctx context.Context, members []string, proposal any) (coordination.VoteResult, error)
	Elect(ctx context.Context, candidates []string, params any) (coordination.ElectionResult, error)
	Auction(ctx context.Context, bidders []string, lot any) (coordination.AuctionResult, error)
	RunScript(ctx context.Context, ids []string, steps []coordination.Step, mode coordination.ScriptMode) ([]coordination.StepResult, error)
}

// coordinationChecks check what a load of healthy agents does not exercise: ties,
// abstentions, dead agents, and the replacement of a leader.
type coordinationChecks struct {
	*Checker
	runtime *mabeam.System
	system  Coordinator
}

// CheckCoordination checks the documented rules of coordination.
func CheckCoordination(ctx context.Context, runtime *mabeam.System, system Coordinator, wrong *Checker) error {
	c := &coordinationChecks{wrong, runtime, system}
	for _, check := range []func(context.Context) error{
		c.checkVotes, c.checkAuctions, c.checkElections, c.checkGather, c.checkBarriers, c.checkPipelines, c.checkScripts, c.checkLeaderChange,
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

// start starts an agent for each answer, which it gives to one action. The caller stops
// them.
func (c *coordinationChecks) start(ctx context.Context, action string, answers ...any) (ids []string, stop func(), err error) {
	handlers := make([]actionFunc, len(answers))
	for i, answer := range answers {
		handlers[i] = func(_ context.Context, _ *mabeam.Agent, asked string, _ any) (any, error) {
			if asked != action {
				return nil, mabeam.ErrUnknownAction
			}
			return answer, nil
		}
	}
	return c.startEach(ctx, handlers)
}

// startEach starts an agent for each handler. The caller stops them.
func (c *coordinationChecks) startEach(ctx context.Context, handlers []actionFunc) (ids []string, stop func(), err error) {
	stop = func() {
		for _, id := range ids {
			c.runtime.KillAgent(id)
		}
	}
	for _, handle := range handlers {
		id, err := c.runtime.StartAgent(ctx, mabeam.Spec{Type: "answering", Behaviour: actionAgent{handle: handle}})
		if err != nil {
			stop()
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	return ids, stop, nil
}

func (c *coordinationChecks) checkVotes(ctx context.Context) error {
	for _, vote := range []struct {
		what    string
		ballots []any
		winner  any
		votes   int
	}{
		{"a tie", []any{"yes", "no", "yes", "no"}, nil, 0},
		{"half of all agents", []any{"yes", "yes", nil, "no"}, nil, 0},
		{"more than half of all agents", []any{"no", "yes", "yes", "yes"}, "yes", 3},
	} {
		ids, stop, err := c.start(ctx, coordination.ActionVote, vote.ballots...)
		if err != nil {
			return err
		}
		result, err := c.system.Vote(ctx, ids, nil)
		c.Expect(err == nil && result.Winner == vote.winner && result.Votes == vote.votes && result.Decided() == (vote.winner != nil),
			fmt.Sprintf("vote: %s does not result in %v with %d votes", vote.what, vote.winner, vote.votes))
		for i, b := range result.Ballots {
			c.Expect(errors.Is(b.Err, coordination.ErrDeclined) == (vote.ballots[i] == nil), "vote: an abstention is not reported as ErrDeclined")
		}
		_, err = c.system.Vote(ctx, []string{ids[0], ids[0]}, nil)
		c.Expect(errors.Is(err, mabeam.ErrBadCoordination), "vote: an agent can vote twice")
		stop()
	}
	ids, stop, err := c.start(ctx, coordination.ActionVote, "yes", "yes")
	if err != nil {
		return err
	}
	defer stop()
	result, err := c.system.Vote(ctx, append(ids, unknownAgent, unknownAgent+"-else"), nil)
	c.Expect(err == nil && !result.Decided() && len(result.Ballots.Missing()) == 2, "vote: ballots of dead agents are counted")
	return nil
}

// checkBest checks the winner among several answers, of which the two highest are equal.
func (c *coordinationChecks) checkBest(ctx context.Context, kind, action string, hold func(ids []string) (winner string, highest float64, answers mabeam.Answers, err error)) error {
	ids, stop, err := c.start(ctx, action, 5, 7, 7.0, nil, "none")
	if err != nil {
		return err
	}
	defer stop()
	winner, highest, answers, err := hold(append(ids, unknownAgent))
	c.Expect(err == nil && winner == min(ids[1], ids[2]) && highest == 7, kind+": of two equal highest answers, that of the smaller id does not win")
	if c.Expect(len(answers) == 6, kind+": there is not one answer for each agent") {
		c.Expect(errors.Is(answers[3].Err, coordination.ErrDeclined), kind+": an agent that declines is not reported as ErrDeclined")
		c.Expect(errors.Is(answers[4].Err, coordination.ErrBadAnswer), kind+": an answer that is not a number is not reported as ErrBadAnswer")
		c.Expect(errors.Is(answers[5].Err, mabeam.ErrUnknownAgent), kind+": a dead agent is not reported as ErrUnknownAgent")
	}
	winner, _, _, err = hold([]string{ids[3], unknownAgent})
	c.Expect(err == nil && winner == "", kind+": there is a winner although no agent takes part")
	return nil
}

func (c *coordinationChecks) checkAuctions(ctx context.Context) error {
	return c.checkBest(ctx, "auction", coordination.ActionBid, func(ids []string) (string, float64, mabeam.Answers, error) {
		r, err := c.system.Auction(ctx, ids, nil)
		return r.Winner, r.Price, r.Bids, err
	})
}

func (c *coordinationChecks) checkElections(ctx context.Context) error {
	return c.checkBest(ctx, "election", coordination.ActionStand, func(ids []string) (string, float64, mabeam.Answers, error) {
		r, err := c.system.Elect(ctx, ids, nil)
		return r.Leader, r.Priority, r.Candidates, err
	})
}

func (c *coordinationChecks) checkGather(ctx context.Context) error {
	ids, stop, err := c.start(ctx, actionEcho, 1, 2)
	if err != nil {
		return err
	}
	defer stop()
	answers, err := c.system.Gather(ctx, []string{ids[0], unknownAgent, ids[1]}, actionEcho, nil)
	c.Expect(err == nil && len(answers) == 3 && answers[0].Value == 1 && errors.Is(answers[1].Err, mabeam.ErrUnknownAgent) && answers[2].Value == 2,
		"fan-out: with one dead agent, its answer or those of the others are wrong")
	return nil
}

// checkBarriers checks that a barrier releases nobody if one agent does not arrive.
func (c *coordinationChecks) checkBarriers(ctx context.Context) error {
	var released, broken atomic.Int64
	arrive := func(_ context.Context, _ *mabeam.Agent, action string, _ any) (any, error) {
		switch action {
		case coordination.ActionRelease:
			released.Add(1)
		case coordination.ActionBreak:
			broken.Add(1)
		}
		return nil, nil
	}
	ids, stop, err := c.startEach(ctx, []actionFunc{arrive, arrive, arrive})
	if err != nil {
		return err
	}
	defer stop()
	result, err := c.system.Barrier(ctx, slices.Concat(ids, []string{unknownAgent}), nil)
	c.Expect(errors.Is(err, coordination.ErrBarrierBroken) && len(result.Arrived.Missing()) == 1, "barrier: it is not broken although one agent is dead")
	resources.WaitWhile(ctx, func() bool { return broken.Load() < int64(len(ids)) })
	c.Expect(released.Load() == 0, "barrier: agents are released although one agent is dead")
	c.Expect(broken.Load() == int64(len(ids)), "barrier: not all agents that arrived learn that it broke")
	return nil
}

func (c *coordinationChecks) checkPipelines(ctx context.Context) error {
	ids, stop, err := c.start(ctx, actionEcho, 1, 2)
	if err != nil {
		return err
	}
	defer stop()
	_, err = c.system.Pipeline(ctx, []string{ids[0], unknownAgent, ids[1]}, actionEcho, nil)
	var stopped *coordination.StageError
	c.Expect(errors.As(err, &stopped) && stopped.Stage == 1 && errors.Is(err, mabeam.ErrUnknownAgent), "pipeline: the error does not name the dead stage")
	return nil
}

// checkScripts checks that an unexpected result is reported, skips the further steps of its
// agent, and does not affect other agents.
func (c *coordinationChecks) checkScripts(ctx context.Context) error {
	ids, stop, err := c.start(ctx, actionEcho, 1, 2)
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
	results, err := c.system.RunScript(ctx, ids, steps, coordination.SideBySide)
	var mismatch *coordination.MismatchError
	c.Expect(err == nil && len(results) == len(steps) && errors.As(results[0].Err, &mismatch) && errors.Is(results[1].Err, coordination.ErrSkipped) &&
		results[2].Err == nil && results[3].Err == nil, "script: an unexpected result is not reported, or affects the steps of other agents")
	return nil
}

// checkLeaderChange checks that the best remaining candidate replaces a leader that ends.
func (c *coordinationChecks) checkLeaderChange(ctx context.Context) error {
	ids, stop, err := c.start(ctx, coordination.ActionStand, 1, 3, 2)
	if err != nil {
		return err
	}
	defer stop()
	election, err := coordination.StartElection(ctx, c.runtime, ids, coordination.ElectionOptions{})
	if err != nil {
		return err
	}
	defer election.Close()
	for _, best := range []string{ids[1], ids[2], ids[0]} {
		resources.WaitWhile(ctx, func() bool { return election.Leader() != best })
		if !c.Expect(election.Leader() == best, "election: after the end of the leader, the best remaining candidate does not lead") {
			return nil
		}
		c.runtime.KillAgent(best)
		c.Expect(election.Leader() != best, "election: a killed agent is still the leader")
	}
	resources.WaitWhile(ctx, func() bool { return election.Leader() != "" })
	c.Expect(election.Leader() == "", "election: there is a leader although no candidate is left")
	election.Close()
	return nil
}
