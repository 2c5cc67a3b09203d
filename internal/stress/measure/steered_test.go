package measure

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// A step whose load is paused for a minute ends and has no verdict. What is timed by the
// load excludes the pause. The subscribers and actions are slow, so that the load lasts.
func TestPausedForAMinute(t *testing.T) {
	slow := func(_ int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		return func(ctx context.Context, e mabeam.Event) {
			time.Sleep(time.Millisecond)
			handler(ctx, e)
		}
	}
	for _, test := range []steeredTest{
		{
			"{measure: event-throughput, with: {events: 2000, subscribers: 1}}",
			func(ctx context.Context, env *stress.Env) error { return measureThroughput(ctx, env, slow) },
			map[string]float64{"events_per_second": 1000, "deliveries_per_second": 1000},
		},
		{
			"{measure: event-stress, with: {rate: 500/s, duration: 2s, burst: 800/s, burst_duration: 1s, subscribers: 1}}",
			func(ctx context.Context, env *stress.Env) error { return measureStress(ctx, env, slow) },
			map[string]float64{"burst_event_rate": 800, "latency_ms": 1},
		},
		{
			"{measure: agent-action, with: {scenarios: [{agent_type: complex, action: sleep, params: {for: 1ms}, action_count: 3000}]}}",
			nil,
			map[string]float64{"actions_per_second": 1000, "execution_time_ms": 1},
		},
		{
			"{measure: system-load, with: {agents: 10, rate: 200/s, duration: 3s}}",
			nil,
			map[string]float64{"load_capacity_operations_per_sec": 200, "offered_rate": 200},
		},
	} {
		test.run(t, func(steer func(stream.Command)) {
			time.Sleep(1200 * time.Millisecond)
			for _, paused := range []bool{true, false} {
				steer(stream.Command{Do: stream.SetPaused, Paused: paused})
				time.Sleep(time.Minute)
			}
		})
	}
}

// A user who lowers the rate lowers what is due, and the step has no verdict.
func TestLoweredRate(t *testing.T) {
	for _, test := range []steeredTest{
		{
			"{measure: event-stress, with: {rate: 1000/s, duration: 4s, burst: 1000/s, burst_duration: 1s, subscribers: 2}}",
			nil,
			map[string]float64{"sustained_event_rate": 0.5 * (1000 + 400)},
		},
		{
			"{measure: system-load, with: {agents: 10, rate: 1000/s, duration: 4s}}",
			nil,
			map[string]float64{"offered_rate": 0.5 * (1000 + 400)},
		},
	} {
		test.run(t, func(steer func(stream.Command)) {
			time.Sleep(2 * time.Second)
			steer(stream.Command{Do: stream.SetRate, Rate: 0.4})
		})
	}
}

// A steeredTest is a step, and what it measures while a user steers it.
type steeredTest struct {
	step    string
	measure func(context.Context, *stress.Env) error // replaces its own Run; may be nil
	metrics map[string]float64
}

func (test steeredTest) run(t *testing.T, hand func(steer func(stream.Command))) {
	t.Run(test.step, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cat := Catalogue()
			if test.measure != nil {
				name, _, _ := strings.Cut(strings.TrimPrefix(test.step, "{measure: "), ",")
				cat = withRun(name, test.measure)
			}
			baselines := verdict.Builtin()
			scenarios, err := scenario.Parse(cat.Descriptions(), baselines.Components(), scenario.Document{File: "held.yaml", Source: []byte("name: s\ntitle: S\nsystem: {mailbox: 16}\nsteps:\n  - " + test.step + "\n")})
			if err != nil {
				t.Fatal(err)
			}
			source := withReport(stress.Engine{Catalogue: cat, Baselines: baselines, Steerable: true}.Source(scenario.Plan{Scenarios: scenarios}))
			var wg sync.WaitGroup
			wg.Go(func() {
				hand(func(c stream.Command) {
					if err := source.(stream.Steerable).Command(c); err != nil {
						t.Error(err)
					}
				})
			})
			var s report.Step
			if err := source.Run(t.Context(), func(e stream.Event) {
				if e.Type == stream.RunFinished {
					s = e.Report.Scenarios[0].Steps[0]
				}
			}); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			if !s.Steered || s.Verdict != report.Inconclusive {
				t.Fatalf("steered %v, verdict %s: %+v", s.Steered, s.Verdict, s.Errors)
			}
			for name, want := range test.metrics {
				wantWithin(t, name, value(t, s, name), want, 0.03)
			}
		})
	})
}
