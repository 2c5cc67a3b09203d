package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// disturbed returns the catalogue with the subscribers of event-stress, or of
// event-throughput, disturbed.
func disturbed(name string, wrap handlerWrap) stress.Catalogue {
	return with(name, func(ctx context.Context, env *stress.Env) error {
		if name == "event-stress" {
			return measureStress(ctx, env, wrap)
		}
		return measureThroughput(ctx, env, wrap)
	})
}

// At low rates each event counts: the rate is what was handled by the end of the
// phase, which is later than when the last event was due.
func TestLowRatesAreExact(t *testing.T) {
	for _, rate := range []float64{1, 5, 10, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := onlyStep(t, Catalogue(), "", fmt.Sprintf("{measure: event-stress, baseline: none, with: {rate: %v/s, duration: 1s, burst: 10/s, burst_duration: 100ms, subscribers: 3}}", rate))
			if v := value(t, s, "sustained_event_rate"); v != rate {
				t.Errorf("%v/s are told as %v", rate, v)
			}
			if v := value(t, s, "burst_event_rate"); v != 10 {
				t.Errorf("a burst of 10/s is told as %v", v)
			}
			if v := value(t, s, "processed_ratio"); v != 1 {
				t.Errorf("processed_ratio %v", v)
			}
		})
	}
}

// What a subscriber misses, gets twice, or late, is counted by what it was.
func TestReceiverCounts(t *testing.T) {
	for name, test := range map[string]struct {
		seqs                          []int
		missing, disorder, duplicates int64
	}{
		"in order":             {[]int{0, 1, 2, 3}, 0, 0, 0},
		"one skipped":          {[]int{0, 2, 3}, 1, 0, 0},
		"the first skipped":    {[]int{3}, 3, 0, 0},
		"swapped":              {[]int{1, 0, 3, 2}, 0, 2, 0},
		"twice at once":        {[]int{0, 0, 1}, 0, 0, 1},
		"twice later":          {[]int{0, 1, 2, 0, 3}, 0, 0, 1},
		"late, and then again": {[]int{0, 4, 2, 2}, 2, 1, 1},
		"late from the middle": {[]int{0, 9, 5, 4, 6, 1, 8, 7, 2, 3}, 0, 8, 0},
	} {
		r := &receiver{shard: load.NewRecorder().Shard()}
		handle := subscriberGroup{publishers: 2}.handler(r)
		for _, seq := range test.seqs {
			handle(t.Context(), mabeam.Event{Data: &payload{publisher: 1, seq: seq}})
		}
		if r.missing.Load() != test.missing || r.disorder.Load() != test.disorder || r.duplicates.Load() != test.duplicates {
			t.Errorf("%s: %d missing, %d out of order, %d twice", name, r.missing.Load(), r.disorder.Load(), r.duplicates.Load())
		}
	}
}

// Every twentieth event comes twice: deliveries in excess are no better efficiency.
func TestDuplicatesFail(t *testing.T) {
	cat := disturbed("event-throughput", func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		seen := 0
		return func(ctx context.Context, e mabeam.Event) {
			handle(ctx, e)
			if seen++; seen%20 == 0 {
				handle(ctx, e)
			}
		}
	})
	s := onlyStep(t, cat, "", "{measure: event-throughput, with: {events: 1000, subscribers: 2}}")
	if value(t, s, "duplicates") != 100 || value(t, s, "ordering_violations") != 0 || value(t, s, "lost") != 0 {
		t.Errorf("%+v", s.Metrics)
	}
	for _, metric := range []string{"duplicates", "propagation_efficiency", "telemetry_mismatches"} {
		if s.Metrics[metric].Status != report.StatusFail {
			t.Errorf("%s is %v: %s", metric, s.Metrics[metric].Value, s.Metrics[metric].Status)
		}
	}
}

// An event that never comes is waited for, and then no recovery: the time has no
// value, and the system was not stable.
func TestWaitingInVainIsNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := 0
		cat := disturbed("event-stress", func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
			return func(ctx context.Context, e mabeam.Event) {
				if seen++; seen != 100 {
					handle(ctx, e)
				}
			}
		})
		s := onlyStep(t, cat, "", "{measure: event-stress, baseline: none, with: {rate: 1000/s, duration: 2s, burst_duration: 0s, subscribers: 1}}")
		if s.Metrics["recovery_time_ms"].Value != nil || timesTold(s, "recovery_time_ms was not measured") != 1 {
			t.Errorf("recovery %v, %+v", s.Metrics["recovery_time_ms"].Value, s.Errors)
		}
		if s.Metrics["system_stable"].Value != false || value(t, s, "lost") != 1 || s.Verdict != report.Fail {
			t.Errorf("stable %v, lost %v, %s", s.Metrics["system_stable"].Value, s.Metrics["lost"].Value, s.Verdict)
		}
		if value(t, s, "stability_score") != 1 { // one event of a thousand
			t.Errorf("stability_score %v", s.Metrics["stability_score"].Value)
		}
	})
}

// A system that keeps a hundred bytes of each event grows.
func TestMemoryKeptOfEachEvent(t *testing.T) {
	var kept [][]byte
	leak := func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		return func(ctx context.Context, e mabeam.Event) {
			kept = append(kept, make([]byte, 100))
			handle(ctx, e)
		}
	}
	for name, wrap := range map[string]handlerWrap{"keeps": leak, "keeps nothing": nil} {
		s := onlyStep(t, disturbed("event-stress", wrap), "", "{measure: event-stress, baseline: none, with: {rate: 20000/s, duration: 1s, burst_duration: 0s, subscribers: 1}}")
		if want := wrap == nil; s.Metrics["memory_usage_stable"].Value != want {
			t.Errorf("%s: stable %v, growth %v", name, s.Metrics["memory_usage_stable"].Value, s.Metrics["memory_growth_rate"].Value)
		}
	}
	clear(kept)
}

// A subscriber that still gets events after it has unsubscribed is a failure, and so
// is a subscription that stays.
func TestEventsAfterUnsubscribe(t *testing.T) {
	cat := with("event-stress", func(ctx context.Context, env *stress.Env) error {
		return measureStress(ctx, env, func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
			_, err := env.System().Bus().Subscribe("stress.event", func(ctx context.Context, e mabeam.Event) {
				if p := e.Data.(*payload); !p.timed { // published after all had unsubscribed
					handle(ctx, e)
				}
			}, mabeam.SubscribeOptions{})
			if err != nil {
				t.Error(err)
			}
			return handle
		})
	})
	s := onlyStep(t, cat, "", "{measure: event-stress, baseline: none, with: {rate: 1000/s, duration: 200ms, burst_duration: 0s, subscribers: 1}}")
	if value(t, s, "findings") != 3 || timesTold(s, "had unsubscribed before") != 3 || s.Metrics["memory_usage_stable"].Value != false {
		t.Errorf("%v findings, %+v", value(t, s, "findings"), s.Errors)
	}
}

// Several windows in which nothing ended stay so, however late somebody looks and
// however fast all is caught up with.
func TestWindowsOfAFreeze(t *testing.T) {
	w := &loadWindows{clock: func(t time.Time) time.Time { return t }, length: time.Second, window: 100 * time.Millisecond, start: time.Unix(0, 0)}
	for i := range w.shards {
		w.shards[i] = make([]slice, 41)
	}
	due := func(at time.Duration) float64 { return 100 * at.Seconds() }
	for i := range 100 {
		at := time.Duration(i) * 10 * time.Millisecond
		if at >= 300*time.Millisecond && at < 600*time.Millisecond {
			at = 605 * time.Millisecond
		}
		w.count(i, w.start.Add(at), 1, 0)
	}
	w.count(0, w.start.Add(1001*time.Millisecond), 1, 0) // after the load
	if stable, of := w.stable(time.Second, due); stable != 7 || of != 10 || w.total() != 100 {
		t.Errorf("%d of %d windows are stable, %d in all", stable, of, w.total())
	}
	w.count(0, w.start.Add(50*time.Millisecond), 0, 1) // one of eleven failed
	if stable, _ := w.stable(time.Second, due); stable != 6 {
		t.Errorf("%d windows are stable besides one with a failure", stable)
	}
	first, last := w.quarters(time.Second, due)
	if len(first) != 4 || len(last) != 4 || slices.Min(last) < 0.5 {
		t.Errorf("quarters %v and %v", first, last)
	}
}

// lying is a demo agent that answers something else, or that forgets.
type lying struct {
	mabeam.Behaviour
	lie func(action string, self *mabeam.Agent, answer any) any
}

func (l lying) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	answer, err := l.Behaviour.HandleAction(ctx, self, action, params)
	return l.lie(action, self, answer), err
}

// An agent that answers nonsense, or forgets every third increment, or counts one
// twice, is caught.
func TestWrongResultsOfALoad(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(action string, self *mabeam.Agent, answer any) any
		most float64
	}{
		"true": {func(_ string, _ *mabeam.Agent, answer any) any { return answer }, 0},
		"ping": {func(action string, _ *mabeam.Agent, answer any) any {
			if action == "ping" {
				return "ping"
			}
			return answer
		}, 1000},
		"forgets": {func(_ string, self *mabeam.Agent, answer any) any {
			if n, ok := answer.(int); ok && n%3 == 0 {
				self.SetState(agents.DemoState{Counter: n - 1})
			}
			return answer
		}, 20},
		"wrong answer": {func(_ string, _ *mabeam.Agent, answer any) any {
			if n, ok := answer.(int); ok && n == 2 {
				return 1
			}
			return answer
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := with("system-load", func(ctx context.Context, env *stress.Env) error {
					return measureLoad(ctx, env, func() mabeam.Spec {
						spec := agents.Demo()
						spec.Behaviour = lying{spec.Behaviour, test.lie}
						return spec
					})
				})
				s := onlyStep(t, cat, "", "{measure: system-load, baseline: none, with: {agents: 10, rate: 1000/s, duration: 1s, mix: {ping: 1, increment: 1}}}")
				v := value(t, s, "wrong_results")
				if (v > 0) != (test.most > 0) || v > test.most || (s.Verdict == report.Fail) != (test.most > 0) {
					t.Errorf("%v wrong results, %s, %+v", v, s.Verdict, s.Errors)
				}
			})
		})
	}
}

// An agent that ends by itself during the load is a failure.
func TestAgentsThatEndDuringALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls := 0
		cat := with("system-load", func(ctx context.Context, env *stress.Env) error {
			return measureLoad(ctx, env, func() mabeam.Spec {
				spec := agents.Demo()
				spec.Behaviour = lying{spec.Behaviour, func(_ string, _ *mabeam.Agent, answer any) any {
					mu.Lock()
					defer mu.Unlock()
					if calls++; calls == 200 {
						panic("ends")
					}
					return answer
				}}
				return spec
			})
		})
		s := onlyStep(t, cat, "", "{measure: system-load, baseline: none, with: {agents: 10, rate: 1000/s, duration: 1s, mix: {ping: 1}}}")
		if value(t, s, "max_concurrent_agents") != 9 || s.Metrics["all_agents_alive"].Value != false || timesTold(s, "gone at the load's end") != 1 {
			t.Errorf("%v alive, %+v", value(t, s, "max_concurrent_agents"), s.Errors)
		}
	})
}

// An event that reaches a pattern that does not match it, or misses one that does,
// counts, even if as many come as should.
func TestWrongPatternsAreCounted(t *testing.T) {
	cat := with("event-propagation", func(ctx context.Context, env *stress.Env) error {
		return measurePropagation(ctx, env, func(ctx context.Context, _ int, e mabeam.Event) error {
			if e.Type == "matching.3.3" {
				e.Type = "matching.4.3"
			}
			return env.System().Bus().Publish(ctx, e)
		})
	})
	s := onlyStep(t, cat, "", "{measure: event-propagation, with: {subscriber_counts: [1, 10], patterns: 10, events: 100}}")
	if v := value(t, s, "pattern_mismatches"); v != 2 || s.Verdict != report.Fail { // one too few, and one too many
		t.Errorf("%v mismatches, %s, %+v", v, s.Verdict, s.Errors)
	}
}

// A healthy bus keeps every rule, whatever the options.
func TestRulesOfTheBus(t *testing.T) {
	for _, system := range []string{"", "system: {mailbox: 3}", "system: {bus_policy: drop-oldest}"} {
		s := onlyStep(t, Catalogue(), system, "{measure: event-propagation, with: {subscriber_counts: [1, 10], patterns: 10, events: 100}}")
		if value(t, s, "bus_rules_broken") != 0 || value(t, s, "pattern_mismatches") != 0 || value(t, s, "telemetry_mismatches") != 0 {
			t.Errorf("%s: %+v", system, s.Errors)
		}
	}
}

// What a publisher costs that the patterns cost too, though the type is known, shows.
func TestKnownTypesThatCostByPattern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onlyStep(t, publishing(func(n int) time.Duration { return time.Duration(n) * time.Microsecond }), "",
			"{measure: event-propagation, baseline: none, with: {subscriber_counts: [1, 10], patterns: 100, events: 20}}")
		within(t, "pattern_scaling_exponent", value(t, s, "pattern_scaling_exponent"), 1, 0.01)
		if s.Metrics["pattern_scaling_exponent"].Status != report.StatusFail {
			t.Errorf("%+v", s.Metrics["pattern_scaling_exponent"])
		}
	})
}

// A capacity that was not found fails, and one that the generator limited is told as
// at least that.
func TestWhatLimitsACapacity(t *testing.T) {
	for name, test := range map[string]struct {
		most      float64 // the highest rate that is held
		lagged    bool
		found     bool
		limitedBy any
	}{
		"system":    {most: 5000, found: true, limitedBy: "system"},
		"generator": {most: 5000, lagged: true, found: true, limitedBy: "generator"},
		"none":      {},
	} {
		t.Run(name, func(t *testing.T) {
			cat := carrying(func(_ context.Context, env *stress.Env) (probe, error) {
				return func(_ context.Context, stage load.Stage) (probed, error) {
					env.Operations(1, 0, 0)
					latency := load.NewHistogram()
					latency.Record(time.Millisecond)
					if stage.Rate > test.most {
						latency.Record(time.Second)
					}
					return probed{latency: latency, due: 1, done: 1, lagged: test.lagged && stage.Rate > test.most}, nil
				}, nil
			})
			s := onlyStep(t, cat, "", capacityStep)
			if s.Metrics["capacity_found"].Value != test.found || s.Metrics["capacity_limited_by"].Value != test.limitedBy {
				t.Errorf("%v, limited by %v", s.Metrics["capacity_found"].Value, s.Metrics["capacity_limited_by"].Value)
			}
			if (timesTold(s, "the capacity is at least") == 1) != test.lagged || (s.Verdict == report.Fail) == test.found {
				t.Errorf("%s, %+v", s.Verdict, s.Errors)
			}
		})
	}
}

// A rate at which an event is lost is not one that was not held: the search ends, and
// the step fails.
func TestCapacityThatLosesEvents(t *testing.T) {
	rates := 0
	cat := carrying(func(_ context.Context, env *stress.Env) (probe, error) {
		return func(_ context.Context, stage load.Stage) (probed, error) {
			rates++
			env.Operations(1, 0, 0)
			latency := load.NewHistogram()
			latency.Record(time.Millisecond)
			result := probed{latency: latency, due: 1, done: 1}
			if stage.Rate > 1000 {
				result.lost = 7
			}
			return result, nil
		}, nil
	})
	s := onlyStep(t, cat, "", capacityStep)
	if value(t, s, "lost") != 7 || s.Metrics["capacity_found"].Value != false || s.Metrics["capacity_per_second"].Value != nil || s.Verdict != report.Fail || rates > 10 {
		t.Errorf("%s after %d rates: %+v", s.Verdict, rates, s.Errors)
	}
}
