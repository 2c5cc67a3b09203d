package stress

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/report"
)

func TestBlame(t *testing.T) {
	for _, c := range []struct {
		name    string
		used    usage
		usable  float64
		culprit Culprit
		says    string
	}{
		{
			"the system under test burns CPU",
			usage{probes.ProcessorTimes{Own: 7.9, Busy: 8.2, Total: 10}, 1000},
			1, SystemCulprit, "other programs used 3 % of the processors meanwhile, and this process 79 %",
		},
		{
			"other programs do",
			usage{probes.ProcessorTimes{Own: 3, Busy: 7.3, Total: 10}, 1000},
			1, OthersCulprit, "other programs used 43 % of the processors",
		},
		{
			"both do",
			usage{probes.ProcessorTimes{Own: 7, Busy: 9, Total: 10}, 1000},
			1, OthersCulprit, "other programs used 20 %",
		},
		{
			"a hypervisor does",
			usage{probes.ProcessorTimes{Own: 7, Busy: 7.1, Stolen: 2, Total: 10}, 1000},
			1, OthersCulprit, "other machines on the same host 20 %",
		},
		{
			"nobody does",
			usage{probes.ProcessorTimes{Own: 1, Busy: 1.3, Total: 10}, 1000},
			1, OthersCulprit, "did not wake the generator",
		},
		{
			"the generator does",
			usage{probes.ProcessorTimes{Own: 9.5, Busy: 9.7, Total: 10}, 3_000_000},
			1, GeneratorCulprit, "60 % of the processors for itself",
		},
		{
			// 4 of 64 processors are usable, and others use 20 of those that are not.
			"the system under test burns what it may use",
			usage{probes.ProcessorTimes{Own: 3.9, Busy: 24, Total: 64}, 1000},
			4.0 / 64, SystemCulprit, "system under test",
		},
		{
			"the tick of the kernel counts less than this process used",
			usage{probes.ProcessorTimes{Own: 0.19, Busy: 0.18, Total: 0.2}, 1000},
			1, SystemCulprit, "other programs used 0 %",
		},
	} {
		b := c.used.blame(0.05, c.usable, func() float64 { return 2e-6 })
		if b.Culprit != c.culprit || !strings.Contains(b.String(), c.says) || !strings.Contains(b.String(), "5 % of the operations late") {
			t.Errorf("%s: %q: %s", c.name, b.Culprit, b)
		}
	}
}

// Only the time in which operations began late counts.
func TestLatenessLooksAtItsTime(t *testing.T) {
	var now probes.ProcessorTimes
	l := lateness{read: func() (probes.ProcessorTimes, error) { return now, nil }, cost: func() float64 { return 0 }}
	pass := func(own, others float64) {
		now = now.Add(probes.ProcessorTimes{Own: own, Busy: own + others, Total: 0.2})
	}
	pass(0.1, 0.1)
	l.begin(5, 0)
	for range 10 {
		pass(0.02, 0.18) // others, and no operation was late
		l.sample(5, 10)
	}
	pass(0.19, 0)
	l.sample(9, 20)
	pass(0.02, 0.18)
	l.sample(9, 30)
	if b := l.blame(0.1); b.Culprit != SystemCulprit || b.Own < 0.94 || b.Others != 0 {
		t.Errorf("%+v", b)
	}
	// After its end nothing is known.
	l.sample(12, 40)
	if b := l.blame(0.1); b.Culprit != OthersCulprit || b.Known {
		t.Errorf("%+v", b)
	}
	l.begin(0, 0)
	l.read = func() (probes.ProcessorTimes, error) { return now, errors.New("no /proc") }
	l.sample(9, 9)
	if b := l.blame(0.1); b.Culprit != OthersCulprit || b.Known || !strings.Contains(b.String(), "too slow or too busy") {
		t.Errorf("%+v", b)
	}
}

// A load that the system under test kept from being delivered is judged: the delay
// is the system's.
func TestLoadDelayedByTheSystemIsJudged(t *testing.T) {
	for who, others := range map[Culprit]float64{SystemCulprit: 0.01, OthersCulprit: 0.5} {
		synctest.Test(t, func(t *testing.T) {
			cat := probing(nil)
			cat[0].Run = func(ctx context.Context, env *Env) error {
				start := time.Now()
				env.lateness.cost = func() float64 { return 0 }
				env.lateness.read = func() (probes.ProcessorTimes, error) {
					total := 2 * time.Since(start).Seconds()
					return probes.ProcessorTimes{Own: total * (0.9 - others), Busy: total * 0.9, Total: total}, nil
				}
				var once atomic.Bool
				driven, err := env.Drive(ctx, Load{Workers: 4, Stages: []Stage{{Rate: 100, For: time.Second}}}, func(context.Context, Op) error {
					if once.CompareAndSwap(false, true) {
						env.counters.late.Add(7)
					}
					return nil
				})
				if driven.Blame.Culprit != who || !driven.Lagged() || driven.Undelivered() != (who == OthersCulprit) {
					t.Errorf("%d late, blame %+v, want %q", driven.Late, driven.Blame, who)
				}
				env.Value("rate", 1)
				return err
			}
			_, r := collect(context.Background(), t, Engine{}.Source(planOf(t, cat, scenarioOf("  - {measure: probe, thresholds: {rate: '>= 1'}}\n"))))
			if v := r.Scenarios[0].Steps[0].Verdict; (v == report.Inconclusive) != (who == OthersCulprit) {
				t.Errorf("%q: %s", who, v)
			}
		})
	}
}
