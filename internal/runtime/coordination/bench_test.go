package coordination

import (
	"context"
	"strconv"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// benchAgents starts agents that answer every coordination with a number.
func benchAgents(b *testing.B, s *mabeam.System, n int) []string {
	b.Helper()
	answer := any(1)
	behaviour := &mabeamtest.Script{OnAction: func(context.Context, *mabeam.Agent, string, any) (any, error) { return answer, nil }}
	ids := make([]string, n)
	for i := range ids {
		id, err := s.StartAgent(context.Background(), mabeam.Spec{Behaviour: behaviour})
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

// BenchmarkCoordination measures one coordination of each kind after the other.
func BenchmarkCoordination(b *testing.B) {
	steps := make([]Step, 10_000)
	for i := range steps {
		steps[i] = Step{Agent: i, Action: "x", Expected: 1.0}
	}
	for _, kind := range []struct {
		name string
		hold func(ctx context.Context, s *mabeam.System, ids []string) error
	}{
		{"pipeline", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := Pipeline(ctx, s, ids, "x", nil)
			return err
		}},
		{"barrier", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := Barrier(ctx, s, ids, nil)
			return err
		}},
		{"vote", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := Vote(ctx, s, ids, nil, VoteRule{})
			return err
		}},
		{"election", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := Elect(ctx, s, ids, nil)
			return err
		}},
		{"auction", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := Auction(ctx, s, ids, nil, AuctionRule{})
			return err
		}},
		{"script-in-sequence", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := RunScript(ctx, s, ids, steps[:len(ids)], InSequence)
			return err
		}},
		{"script-side-by-side", func(ctx context.Context, s *mabeam.System, ids []string) error {
			_, err := RunScript(ctx, s, ids, steps[:len(ids)], SideBySide)
			return err
		}},
	} {
		for _, agents := range []int{10, 10_000} {
			b.Run(kind.name+"/"+strconv.Itoa(agents), func(b *testing.B) {
				s := mabeamtest.Start(b, mabeam.Options{})
				ids := benchAgents(b, s, agents)
				ctx := context.Background()
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if err := kind.hold(ctx, s, ids); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkReelection kills the leader of ten candidates and waits for the
// next.
func BenchmarkReelection(b *testing.B) {
	s := mabeamtest.Start(b, mabeam.Options{})
	ids := benchAgents(b, s, 10)
	behaviour := &mabeamtest.Script{OnAction: func(context.Context, *mabeam.Agent, string, any) (any, error) { return 1, nil }}
	elected := make(chan string, 1)
	if _, err := s.Bus().Subscribe(EventLeaderElected, func(_ context.Context, e mabeam.Event) { elected <- e.Source }, mabeam.SubscribeOptions{}); err != nil {
		b.Fatal(err)
	}
	e, err := StartElection(context.Background(), s, ids, ElectionOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	leader := <-elected
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.KillAgent(leader)
		next := <-elected
		if _, err := s.StartAgent(context.Background(), mabeam.Spec{ID: leader, Behaviour: behaviour}); err != nil {
			b.Fatal(err)
		}
		leader = next
	}
}
