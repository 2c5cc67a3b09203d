package coordination_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
)

// start starts a system for an example.
func start() *mabeam.System {
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return system
}

// An answering agent has one answer to one action.
type answering struct {
	mabeam.Defaults
	action string
	answer any
}

func (a answering) HandleAction(_ context.Context, _ *mabeam.Agent, action string, _ any) (any, error) {
	if action != a.action {
		return nil, mabeam.ErrUnknownAction
	}
	return a.answer, nil
}

// A does is a behaviour that is one function.
type does struct {
	mabeam.Defaults
	action func(ctx context.Context, self *mabeam.Agent, params any) (any, error)
}

func (d does) HandleAction(ctx context.Context, self *mabeam.Agent, _ string, params any) (any, error) {
	return d.action(ctx, self, params)
}

// startAnswering starts an agent for each id, with its answer to an action.
func startAnswering(system *mabeam.System, action string, answers map[string]any) {
	for id, answer := range answers {
		_, err := system.StartAgent(context.Background(), mabeam.Spec{ID: id, Behaviour: answering{action: action, answer: answer}})
		if err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleVote() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionVote, map[string]any{"ada": "tea", "ben": "coffee", "cem": "tea", "dea": nil})

	result, err := coordination.Vote(ctx, system, []string{"ada", "ben", "cem"}, "what to drink", coordination.VoteRule{})
	fmt.Println(result.Winner, "with", result.Votes, "of", result.Total, err)
	// Two of four are no majority: who abstains counts against everything.
	result, err = coordination.Vote(ctx, system, []string{"ada", "ben", "cem", "dea"}, "what to drink", coordination.VoteRule{})
	fmt.Println(result.Decided(), result.Ballots.Missing()[0].Err, err)
	// Output:
	// tea with 2 of 3 <nil>
	// false action "vote" of agent "dea": declined <nil>
}

// With a quorum, those who vote decide, if enough members take part.
func ExampleVoteRule_quorum() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionVote, map[string]any{"ada": "tea", "ben": "tea", "cem": nil})
	members := []string{"ada", "ben", "cem", "dea", "eli"}

	for _, quorum := range []int{3, 4} {
		result, err := coordination.Vote(ctx, system, members, "what to drink", coordination.VoteRule{Quorum: quorum})
		fmt.Println(quorum, "of", result.Total, "needed:", result.Winner, err)
		fmt.Println("cast", result.Cast, "abstained", result.Abstained, "absent", len(result.Absent()))
	}
	// Output:
	// 3 of 5 needed: tea <nil>
	// cast 2 abstained 1 absent 2
	// 4 of 5 needed: <nil> <nil>
	// cast 2 abstained 1 absent 2
}

// A member may have more votes than the others.
func ExampleVoteRule_weights() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionVote, map[string]any{"ada": "tea", "ben": "coffee", "cem": "coffee"})

	result, err := coordination.Vote(ctx, system, []string{"ada", "ben", "cem"}, "what to drink", coordination.VoteRule{
		Weights: map[string]int{"ada": 3},
	})
	fmt.Println(result.Winner, "with", result.Votes, "of", result.Total, err)
	// Output: tea with 3 of 5 <nil>
}

// One member that is against it, or absent, prevents a unanimous vote.
func ExampleVoteRule_unanimous() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionVote, map[string]any{"ada": "commit", "ben": "commit"})
	members := []string{"ada", "ben"}

	result, err := coordination.Vote(ctx, system, members, nil, coordination.VoteRule{Unanimous: true})
	fmt.Println(result.Decided(), err)
	system.KillAgent("ben")
	result, err = coordination.Vote(ctx, system, members, nil, coordination.VoteRule{Unanimous: true})
	fmt.Println(result.Decided(), result.Absent()[0].Err, err)
	// Output:
	// true <nil>
	// false action "vote" of agent "ben": unknown agent <nil>
}

// Of equal bids, that of the smallest id wins. Whoever made none is among the bids.
func ExampleAuction() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionBid, map[string]any{"ada": 7, "ben": 9, "cem": 9.0, "dea": nil})

	sale, err := coordination.Auction(ctx, system, []string{"ada", "ben", "cem", "dea"}, "a painting", coordination.AuctionRule{})
	fmt.Println(sale.Winner, "pays", sale.Price, err)
	fmt.Println(sale.Bids.Missing()[0].Err)
	// Output:
	// ben pays 9 <nil>
	// action "bid" of agent "dea": declined
}

// In a second-price auction the winner pays what it had to bid to win: more than the others,
// and no less than the reserve.
func ExampleAuctionRule_secondPrice() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionBid, map[string]any{"ada": 7, "ben": 9})
	bidders := []string{"ada", "ben"}

	for _, reserve := range []float64{5, 8, 10} {
		sale, err := coordination.Auction(ctx, system, bidders, "a painting", coordination.AuctionRule{SecondPrice: true, Reserve: &reserve})
		fmt.Printf("reserve %v: %q pays %v, %v\n", reserve, sale.Winner, sale.Price, err)
	}
	// Output:
	// reserve 5: "ben" pays 7, <nil>
	// reserve 8: "ben" pays 8, <nil>
	// reserve 10: "" pays 0, <nil>
}

func ExamplePipeline() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	for id, change := range map[string]func(string) string{"upper": strings.ToUpper, "trim": strings.TrimSpace} {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: does{
			action: func(_ context.Context, _ *mabeam.Agent, params any) (any, error) {
				return change(params.(string)), nil
			},
		}})
	}

	fmt.Println(coordination.Pipeline(ctx, system, []string{"trim", "upper"}, "change", "  hello "))
	_, err := coordination.Pipeline(ctx, system, []string{"trim", "print", "upper"}, "change", "  hello ")
	var at *coordination.StageError
	if errors.As(err, &at) {
		fmt.Println("stopped at", at.Stage, "-", at.Err)
	}
	// Output:
	// HELLO <nil>
	// stopped at 1 - action "change" of agent "print": unknown agent
}

// When the leader has ended, another one is elected, and the bus tells who.
func ExampleStartElection() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	startAnswering(system, coordination.ActionStand, map[string]any{"ada": 3, "ben": 2, "cem": 1})
	leaders := make(chan coordination.LeaderData)
	system.Bus().Subscribe(coordination.EventLeaderElected, func(_ context.Context, e mabeam.Event) {
		leaders <- e.Data.(coordination.LeaderData)
	}, mabeam.SubscribeOptions{})

	election, err := coordination.StartElection(ctx, system, []string{"ada", "ben", "cem"}, coordination.ElectionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer election.Close()
	first := <-leaders
	fmt.Println("term", first.Term, first.Leader)
	system.KillAgent(first.Leader)
	second := <-leaders
	fmt.Println("term", second.Term, second.Leader, "after", second.Previous)
	// Output:
	// term 1 ada
	// term 2 ben after ada
}

// All go on at the same time, or none does.
func ExampleBarrier() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	for _, id := range []string{"ada", "ben"} {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: does{
			action: func(context.Context, *mabeam.Agent, any) (any, error) { return nil, nil },
		}})
	}

	result, err := coordination.Barrier(ctx, system, []string{"ada", "ben"}, nil)
	fmt.Println(len(result.Told), "go on:", err)
	result, err = coordination.Barrier(ctx, system, []string{"ada", "ben", "cem"}, nil)
	fmt.Println(result.Arrived.Missing()[0].Agent, "is missing:", errors.Is(err, coordination.ErrBarrierBroken))
	// Output:
	// 2 go on: <nil>
	// cem is missing: true
}

// The steps of one agent run in order, and what they return is compared with what is
// expected.
func ExampleRunScript() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	sum := 0
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: does{
		action: func(_ context.Context, _ *mabeam.Agent, params any) (any, error) {
			sum += params.(int)
			return sum, nil
		},
	}})

	results, err := coordination.RunScript(ctx, system, []string{"counter"}, []coordination.Step{
		{Agent: 0, Action: "add", Params: 2, Expected: 2},
		{Agent: 0, Action: "add", Params: 2, Expected: 5},
		{Agent: 0, Action: "add", Params: 2},
	}, coordination.InSequence)
	if err != nil {
		log.Fatal(err) // no step was run
	}
	for _, r := range results {
		fmt.Println(r.Got, r.Err)
	}
	// Output:
	// 2 <nil>
	// 4 expected 5 (int), got 4 (int)
	// <nil> skipped after a failure
}
