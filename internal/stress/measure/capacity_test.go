package measure

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// withCapacityLoad returns the catalogue with capacity measuring another load.
func withCapacityLoad(open func(ctx context.Context, env *stress.Env) (trial, error)) stress.Catalogue {
	return withRun("capacity", func(ctx context.Context, env *stress.Env) error {
		return measureCapacity(ctx, env, capacityLoad{measurement: "test", open: open})
	})
}

// working runs operations that are one unit of work each.
func working(env *stress.Env, op func(ctx context.Context, op load.Op) error) trial {
	return func(ctx context.Context, stage load.Stage) (trialResult, error) {
		loadResult, err := env.RunLoad(ctx, load.Load{Workers: capacityWorkers, Stages: []load.Stage{stage}, MayLag: true}, op)
		return trialResult{latency: loadResult.Latency, due: loadResult.Attempted, done: loadResult.Succeeded, lagged: loadResult.Undelivered()}, err
	}
}

// queueing is a load whose operations wait for the previous ones and then take some time.
// The times are computed; nobody waits.
func queueing(takes func() time.Duration) func(ctx context.Context, env *stress.Env) (trial, error) {
	return func(_ context.Context, env *stress.Env) (trial, error) {
		return func(_ context.Context, stage load.Stage) (trialResult, error) {
			n, free, latency := int(stage.Rate*stage.For.Seconds()), time.Duration(0), load.NewHistogram()
			for i := range n {
				due := time.Duration(float64(i) / stage.Rate * float64(time.Second))
				free = max(free, due) + takes()
				latency.Record(free - due)
			}
			env.Operations(int64(n), 0, 0)
			return trialResult{latency: latency, due: int64(n), done: int64(n)}, nil
		}, nil
	}
}

// withProbes returns the catalogue with capacity offering a load of known results.
func withProbes(offer func(rate float64) trialResult) stress.Catalogue {
	return withCapacityLoad(func(_ context.Context, env *stress.Env) (trial, error) {
		return func(_ context.Context, stage load.Stage) (trialResult, error) {
			env.Operations(1, 0, 0)
			return offer(stage.Rate), nil
		}, nil
	})
}

// trialWithin is a trial whose latency is within its limit, or not.
func trialWithin(ok bool) trialResult {
	latency := load.NewHistogram()
	latency.Record(time.Millisecond)
	if !ok {
		latency.Record(time.Second)
	}
	return trialResult{latency: latency, due: 1, done: 1}
}

const capacityStep = "{measure: capacity, with: {start: 100/s, step: 100/s, probe_duration: 500ms}}"

// A server that takes a millisecond has a capacity of a thousand a second, wherever the
// search begins. In half a second, 2 % more delay the last operation by 10 ms.
func TestCapacityOfAServer(t *testing.T) {
	for _, start := range []string{"10/s", "700/s", "1000/s", "20000/s"} {
		cat := withCapacityLoad(queueing(func() time.Duration { return time.Millisecond }))
		s := runStep(t, cat, "", "{measure: capacity, with: {start: "+start+", step: 100/s, probe_duration: 500ms}}")
		if v := value(t, s, "capacity_per_second"); v < 950 || v > 1022 {
			t.Errorf("from %s: capacity %v of a thousand a second", start, v)
		}
		d := s.Metrics["knee_latency_ms"].Distribution
		if d.P99 > 10 || d.Min < 0.99 || s.Verdict != report.Pass {
			t.Errorf("from %s: at the knee %+v, verdict %s, %+v", start, d, s.Verdict, s.Errors)
		}
		if v := value(t, s, "probes_tried"); v < 5 || v > maxTrials {
			t.Errorf("from %s: %v probes", start, v)
		}
	}
}

// The same with a server for which operations really wait.
func TestCapacityByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withCapacityLoad(func(_ context.Context, env *stress.Env) (trial, error) {
			turn := make(chan struct{}, 1)
			return working(env, func(context.Context, load.Op) error {
				turn <- struct{}{}
				defer func() { <-turn }()
				time.Sleep(10 * time.Millisecond)
				return nil
			}), nil
		})
		s := runStep(t, cat, "", "{measure: capacity, with: {start: 40/s, step: 40/s, precision: 10%, probe_duration: 1s, latency_limit: 50ms}}")
		if v := value(t, s, "capacity_per_second"); v < 88 || v > 106 {
			t.Errorf("capacity %v of a hundred a second", v)
		}
	})
}

// A server with random stalls, one a second, has the same capacity in several runs, within
// 15 %.
func TestCapacityIsTheSameAgain(t *testing.T) {
	least, most := math.Inf(1), 0.0
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := runStep(t, withCapacityLoad(queueing(func() time.Duration {
			if random.IntN(100000) == 0 {
				return 20 * time.Millisecond
			}
			return 10 * time.Microsecond
		})), "", "{measure: capacity, with: {start: 10000/s, step: 10000/s}}")
		v := value(t, s, "capacity_per_second")
		least, most = min(least, v), max(most, v)
	}
	if most > 1.15*least {
		t.Errorf("between %v and %v in ten runs", least, most)
	}
}

// Operations that take no time, but fail within 500 µs of the previous one, are limited by
// their success.
func TestCapacityWithinSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withCapacityLoad(func(_ context.Context, env *stress.Env) (trial, error) {
			var last time.Time
			return working(env, func(_ context.Context, op load.Op) error {
				if op.Due.Sub(last) < 500*time.Microsecond {
					return errors.New("too soon")
				}
				last = op.Due
				return nil
			}), nil
		})
		s := runStep(t, cat, "", capacityStep)
		if v := value(t, s, "capacity_per_second"); v < 1900 || v > 2000 {
			t.Errorf("capacity %v of 2,000 a second", v)
		}
	})
}

// A load that is never on time has no capacity.
func TestNoCapacity(t *testing.T) {
	s := runStep(t, withCapacityLoad(queueing(func() time.Duration { return time.Second })), "", capacityStep)
	if m := s.Metrics["capacity_per_second"]; m.Value != nil || len(s.Errors) == 0 {
		t.Errorf("%+v, %+v", m, s.Errors)
	}
}

// A machine that holds a rate only the first time it is offered is inconclusive.
func TestCapacityOfABusyMachine(t *testing.T) {
	offered := map[float64]int{}
	cat := withProbes(func(rate float64) trialResult {
		offered[rate]++
		return trialWithin(offered[rate] == 1 && rate <= 1000)
	})
	s := runStep(t, cat, "", capacityStep)
	// The first error notes that the repetition was tried again.
	if s.Verdict != report.Inconclusive || len(s.Errors) != 2 || s.Errors[0].Kind != report.Note || s.Errors[0].Count != 3 || !strings.Contains(s.Errors[1].Message, "held again") {
		t.Errorf("%s, %+v", s.Verdict, s.Errors)
	}
}

// Every capacity is found within the precision, wherever the search begins.
func TestSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string, least, most float64) float64 {
			return math.Exp(rapid.Float64Range(math.Log(least), math.Log(most)).Draw(t, name))
		}
		truth := number("capacity", 1, 1e6)
		s := search{start: number("start", 1, 1e7), step: number("step", 1, 1e7), precision: number("precision", 0.005, 1), maxRate: 1e7}
		rates := 0
		got, err := s.run(func(rate float64) (bool, error) {
			rates++
			return rate <= truth, nil
		}, func() bool { return rates > 300 })
		if err != nil || got > truth || got < truth/(1+s.precision)*(1-1e-9) {
			t.Fatalf("found %v of %v after %d tries, %v", got, truth, rates, err)
		}
	})
}

// Deliveries to subscribers are counted, and nothing remains on the bus.
func TestCapacityOfEvents(t *testing.T) {
	cat := withRun("capacity", func(ctx context.Context, env *stress.Env) error {
		offer, err := openEventLoad(ctx, env)
		if err != nil {
			return err
		}
		got, err := offer(ctx, load.Stage{Rate: 1000, For: 100 * time.Millisecond})
		if err != nil {
			return err
		}
		if got.due != 300 || got.done != 300 || got.latency.Count() != 300 {
			t.Errorf("%d of %d deliveries done, %d timed; 300 were due", got.done, got.due, got.latency.Count())
		}
		if n := env.System().Telemetry().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		env.Value("probes_tried", 1)
		return nil
	})
	runStep(t, cat, "", "{measure: capacity, with: {subscribers: 3}}")
}

// Every operation of the mixed load is answered.
func TestCapacityOfLoad(t *testing.T) {
	cat := withRun("capacity", func(ctx context.Context, env *stress.Env) error {
		offer, err := openMixedLoad(ctx, env)
		if err != nil {
			return err
		}
		got, err := offer(ctx, load.Stage{Rate: 1000, For: 100 * time.Millisecond})
		if err != nil {
			return err
		}
		if got.due != 100 || got.done != 100 || got.latency.Count() != 100 {
			t.Errorf("%d of %d operations done, %d timed; 100 were due", got.done, got.due, got.latency.Count())
		}
		agents := env.System().Telemetry()
		if agents.Agents != 50 || agents.Subscriptions != 50 { // one for each agent
			t.Errorf("%d agents, %d subscriptions", agents.Agents, agents.Subscriptions)
		}
		env.Value("probes_tried", 1)
		return nil
	})
	runStep(t, cat, "", "{measure: capacity, with: {of: system-load, agents: 50}}")
}

// A capacity that is not found fails, and one that the generator limits is reported as a
// minimum.
func TestWhatLimitsACapacity(t *testing.T) {
	for name, test := range map[string]struct {
		most      float64 // the highest rate that holds
		lagged    bool
		found     bool
		limitedBy any
	}{
		"system":    {most: 5000, found: true, limitedBy: "system"},
		"generator": {most: 5000, lagged: true, found: true, limitedBy: "generator"},
		"none":      {},
	} {
		t.Run(name, func(t *testing.T) {
			cat := withProbes(func(rate float64) trialResult {
				result := trialWithin(rate <= test.most)
				result.lagged = test.lagged && rate > test.most
				return result
			})
			s := runStep(t, cat, "", capacityStep)
			if s.Metrics["capacity_found"].Value != test.found || s.Metrics["capacity_limited_by"].Value != test.limitedBy {
				t.Errorf("%v, limited by %v", s.Metrics["capacity_found"].Value, s.Metrics["capacity_limited_by"].Value)
			}
			if (errorCount(s, "the capacity is at least") == 1) != test.lagged || (s.Verdict == report.Fail) == test.found {
				t.Errorf("%s, %+v", s.Verdict, s.Errors)
			}
		})
	}
}

// A rate at which an event is lost does not count as too high: the search ends, and the
// step fails.
func TestCapacityThatLosesEvents(t *testing.T) {
	rates := 0
	cat := withProbes(func(rate float64) trialResult {
		rates++
		result := trialWithin(true)
		if rate > 1000 {
			result.lost = 7
		}
		return result
	})
	s := runStep(t, cat, "", capacityStep)
	if value(t, s, "lost") != 7 || s.Metrics["capacity_found"].Value != false || s.Metrics["capacity_per_second"].Value != nil || s.Verdict != report.Fail || rates > 10 {
		t.Errorf("%s after %d rates: %+v", s.Verdict, rates, s.Errors)
	}
}
