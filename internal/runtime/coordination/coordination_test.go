package coordination

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// startNamed starts agents of which each answers every action with what answer
// returns for its id.
func startNamed(t testing.TB, s *mabeam.System, ids []string, answer func(id, action string, params any) (any, error)) {
	t.Helper()
	for _, id := range ids {
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: id, Behaviour: &mabeamtest.Script{OnAction: func(_ context.Context, self *mabeam.Agent, action string, params any) (any, error) {
			return answer(self.ID(), action, params)
		}}})
	}
}

// manyIDs returns n different ids.
func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%05d", i)
	}
	return ids
}

// Each coordination, for what holds for all of them.
var coordinations = map[string]func(ctx context.Context, s *mabeam.System, ids []string) error{
	"gather": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := s.Gather(ctx, ids, "x", nil)
		return err
	},
	"pipeline": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := Pipeline(ctx, s, ids, "x", nil)
		return err
	},
	"barrier": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := Barrier(ctx, s, ids, nil)
		return err
	},
	"vote": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := Vote(ctx, s, ids, nil, VoteRule{})
		return err
	},
	"auction": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := Auction(ctx, s, ids, nil, AuctionRule{})
		return err
	},
	"elect": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := Elect(ctx, s, ids, nil)
		return err
	},
	"start election": func(ctx context.Context, s *mabeam.System, ids []string) error {
		e, err := StartElection(ctx, s, ids, ElectionOptions{})
		if err == nil {
			e.Close()
		}
		return err
	},
	"script": func(ctx context.Context, s *mabeam.System, ids []string) error {
		_, err := RunScript(ctx, s, ids, []Step{{Agent: 0, Action: "x"}}, SideBySide)
		return err
	},
}

// What makes no sense, comes too late or has nobody to ask is told before
// anything is sent.
func TestCoordinationIsRefused(t *testing.T) {
	twice := append(manyIDs(100), "a00099")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	for name, hold := range coordinations {
		s := mabeamtest.Start(t, mabeam.Options{})
		ids := manyIDs(3)
		startNamed(t, s, ids, func(string, string, any) (any, error) { return 1, nil })
		for _, c := range []struct {
			why  string
			ctx  context.Context
			ids  []string
			want error
		}{
			{"no agents", context.Background(), nil, mabeam.ErrBadCoordination},
			{"one of few twice", context.Background(), []string{"a00000", "a00001", "a00000"}, mabeam.ErrBadCoordination},
			{"one of many twice", context.Background(), twice, mabeam.ErrBadCoordination},
			{"a cancelled context", ended, ids, context.Canceled},
			{"a deadline in the past", late, ids, mabeam.ErrTimeout},
		} {
			err := hold(c.ctx, s, c.ids)
			if !errors.Is(err, c.want) || !strings.HasPrefix(fmt.Sprint(err), name) {
				t.Errorf("%s: %s: %v, want %v", name, c.why, err, c.want)
			}
		}
		if tel := s.Telemetry(); tel.ActionsDone+tel.ActionsFailed+tel.CoordinationRounds != 0 {
			t.Errorf("%s: something was done: %+v", name, tel)
		}
		if err := hold(context.Background(), s, ids); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := s.Telemetry().CoordinationRounds; n != 1 {
			t.Errorf("%s: %d rounds are counted, want 1", name, n)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := hold(context.Background(), s, ids); !errors.Is(err, mabeam.ErrSystemStopped) {
			t.Errorf("%s of a stopped system: %v", name, err)
		}
	}
}

// Two agents that coordinate with each other, in whatever ways, are told of the deadlock at
// once.
func TestRingOfCoordinationsIsFound(t *testing.T) {
	ways := map[string]func(ctx context.Context, s *mabeam.System, other string) error{
		"vote": func(ctx context.Context, s *mabeam.System, other string) error {
			result, err := Vote(ctx, s, []string{other}, nil, VoteRule{})
			return errors.Join(err, result.Ballots[0].Err)
		},
		"pipeline": func(ctx context.Context, s *mabeam.System, other string) error {
			_, err := Pipeline(ctx, s, []string{other}, "x", nil)
			return err
		},
		"script": func(ctx context.Context, s *mabeam.System, other string) error {
			results, err := RunScript(ctx, s, []string{other}, []Step{{Agent: 0, Action: "x"}}, SideBySide)
			return errors.Join(err, results[0].Err)
		},
	}
	for first, ask := range ways {
		for second, askBack := range ways {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				errs := make(chan error, 2)
				spec := func(id, other string, ask func(context.Context, *mabeam.System, string) error) mabeam.Spec {
					return mabeam.Spec{ID: id, Behaviour: &mabeamtest.Script{OnAction: func(ctx context.Context, self *mabeam.Agent, _ string, _ any) (any, error) {
						time.Sleep(time.Second) // so that both have begun
						err := ask(ctx, self.System(), other)
						errs <- err
						return nil, err
					}}}
				}
				mabeamtest.StartAgent(t, s, spec("a", "b", ask))
				mabeamtest.StartAgent(t, s, spec("b", "a", askBack))
				began := time.Now()
				_ = s.Tell(t.Context(), "a", "x", nil)
				_ = s.Tell(t.Context(), "b", "x", nil)
				var ring *mabeam.DeadlockError
				if err := <-errs; !errors.As(err, &ring) || time.Since(began) != time.Second {
					t.Errorf("%s and %s: %v after %v", first, second, err, time.Since(began))
				}
				<-errs
			})
		}
	}
}
