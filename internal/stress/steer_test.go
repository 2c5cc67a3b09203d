package stress

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/stream"
)

// steered runs a plan in a bubble while somebody steers it, and returns what was
// told.
func steered(t *testing.T, source string, by func(stream.Steerable)) (events []stream.Event) {
	t.Helper()
	run := Engine{Steerable: true}.Source(planOf(t, probing(nil), source)).(stream.Steerable)
	var wg sync.WaitGroup
	wg.Go(func() { by(run) })
	events, _ = collect(t.Context(), t, run.(stream.Source))
	wg.Wait()
	return events
}

func obey(t *testing.T, s stream.Steerable, c stream.Command) {
	t.Helper()
	if err := s.Command(c); err != nil {
		t.Errorf("%+v: %v", c, err)
	}
}

const openLoad = `
name: open
title: Open
timeout: 30s
steps:
  - {measure: probe, with: {rate: 100/s, duration: 10s, operations: 10}}
`

// A load that is held for a minute is held up by that, and nothing else is: no
// operation is late, the rate is what was asked for, and the timeout is of the
// time in which it went on.
func TestHeldLoadLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := steered(t, openLoad, func(s stream.Steerable) {
			time.Sleep(3 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true})
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true}) // again
			time.Sleep(time.Minute)
			obey(t, s, stream.Command{Do: stream.SetPaused})
		})
		result := events[len(events)-1].Report
		step := result.Scenarios[0].Steps[0]
		if step.Operations.Succeeded != 1000 || step.Operations.Attempted != 1000 {
			t.Errorf("operations %+v, want 1000", step.Operations)
		}
		if d := step.Metrics["time_ms"].Distribution; d == nil || d.Max > 10 {
			t.Errorf("latency %+v: the pause is in it", d)
		}
		if rate, _ := step.Metrics["rate"].Value.(float64); rate < 99 || rate > 101 {
			t.Errorf("the rate is %v, want 100", rate)
		}
		if !step.Steered || result.Verdict == "error" {
			t.Errorf("steered %v, verdict %s, %v", step.Steered, result.Verdict, step.Errors)
		}
		var byHand []string
		for _, e := range events {
			if e.Log != nil && e.Log.ByHand {
				byHand = append(byHand, e.Log.Message)
			}
		}
		if got := strings.Join(byHand, ", "); got != "the load is held, the load goes on" {
			t.Errorf("told %q", got)
		}
	})
}

func TestRateIsMultipliedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := steered(t, openLoad, func(s stream.Steerable) {
			time.Sleep(5 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetRate, Rate: 2})
			for _, bad := range []float64{0, -1, 1e9} {
				if err := s.Command(stream.Command{Do: stream.SetRate, Rate: bad}); err == nil {
					t.Errorf("a rate of %v was taken", bad)
				}
			}
		})
		step := events[len(events)-1].Report.Scenarios[0].Steps[0]
		// Five seconds at 100 and five at 200 a second.
		if n := step.Operations.Succeeded; n < 1499 || n > 1501 || !step.Steered {
			t.Errorf("%d operations, steered %v", n, step.Steered)
		}
	})
}

func TestFaultsAndLooksByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var source stream.Steerable
		events := steered(t, openLoad, func(s stream.Steerable) {
			source = s
			time.Sleep(2 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetInspection, Inspect: stream.Inspect{Agents: 5, Subscriptions: 5}})
			obey(t, s, stream.Command{Do: stream.InjectFault, Fault: "garbage: 3, size: 1MB"})
			obey(t, s, stream.Command{Do: stream.InjectFault, Fault: "stall_subscribers: 1"}) // which it has none of
			if err := s.Command(stream.Command{Do: stream.InjectFault, Fault: "earthquake: 1"}); err == nil {
				t.Error("an unknown fault was taken")
			}
			time.Sleep(2 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetInspection})
		})
		injected, looks, last := 0, 0, 0.0
		refused := false
		for _, e := range events {
			if e.Fault != nil && e.Fault.ByHand && e.Fault.Fault == "garbage" {
				injected++
			}
			if e.Inspection != nil {
				looks, last = looks+1, e.T
				if e.Inspection.AgentsTotal != 1 || len(e.Inspection.Agents) != 1 || e.Inspection.Agents[0].Type == "" {
					t.Errorf("a look: %+v", e.Inspection)
				}
			}
			refused = refused || e.Log != nil && strings.Contains(e.Log.Message, "stall_subscribers")
		}
		if injected != 3 || !refused {
			t.Errorf("%d faults were injected, and the impossible one was refused: %v", injected, refused)
		}
		if looks < 5 || looks > 9 || last > 4.2 {
			t.Errorf("%d looks in two seconds, the last at %.1f s", looks, last)
		}
		step := events[len(events)-1].Report.Scenarios[0].Steps[0]
		if !step.Steered || len(step.Faults) != 1 || step.Faults[0].Injected != 3 {
			t.Errorf("steered %v, faults %+v", step.Steered, step.Faults)
		}
		if err := source.Command(stream.Command{Do: stream.SetRate, Rate: 2}); !errors.Is(err, stream.ErrNotSteerable) {
			t.Errorf("a run that is over took a command: %v", err)
		}
	})
}

// Nobody steers a load that nobody steers.
func TestUnsteeredLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, _ := collect(context.Background(), t, Engine{Steerable: true}.Source(planOf(t, probing(nil), openLoad)))
		if step := events[len(events)-1].Report.Scenarios[0].Steps[0]; step.Steered || step.Operations.Succeeded != 1000 {
			t.Errorf("steered %v, %+v", step.Steered, step.Operations)
		}
	})
}
