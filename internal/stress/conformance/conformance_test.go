package conformance

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// results are what checks have recorded.
type results struct {
	mu           sync.Mutex
	values       map[string]float64
	details      map[string]int64
	findings     []string
	inconclusive []string
}

func (r *results) Value(metric string, v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[string]float64{}
	}
	r.values[metric] = v
}

func (r *results) Detail(message string, count int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.details == nil {
		r.details = map[string]int64{}
	}
	r.details[message] += count
}

func (r *results) Finding(message string, _ int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, message)
}

func (r *results) Inconclusive(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inconclusive = append(r.inconclusive, why)
}

// want checks the value of a metric, that the details explain it, and that there is
// nothing else wrong.
func (r *results) want(t *testing.T, metric string, want float64) {
	t.Helper()
	explained := 0.0
	for message, n := range r.details {
		if strings.HasPrefix(message, metric+": ") {
			explained += float64(n)
		}
	}
	if got, ok := r.values[metric]; !ok || got != want || explained != want {
		t.Errorf("%s is %v (reported: %v) and %v are explained, want %v; %v", metric, got, ok, explained, want, r.details)
	}
	if len(r.findings)+len(r.inconclusive) > 0 {
		t.Errorf("findings %v, inconclusive because %v", r.findings, r.inconclusive)
	}
}

// startTestSystem starts a system that stops at the end of the test.
func startTestSystem(t *testing.T, options mabeam.Options) *mabeam.System {
	t.Helper()
	system, err := mabeam.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return system
}

// A checker counts each violation once and explains it.
func TestChecker(t *testing.T) {
	var r results
	c := NewChecker(&r, "rules_broken")
	c.Add(0, "none")
	c.Expect(true, "none")
	if !c.Passed() {
		t.Error("there are violations before the first")
	}
	if c.Expect(false, "one") || c.Passed() {
		t.Error("a violation is not seen")
	}
	c.Add(2, "two")
	c.Report()
	r.want(t, "rules_broken", 3)
	if want := map[string]int64{"rules_broken: one": 1, "rules_broken: two": 2}; !maps.Equal(r.details, want) {
		t.Errorf("details %v, want %v", r.details, want)
	}
}

// A healthy runtime keeps all rules, whatever the options of the system that is measured.
func TestHealthySystem(t *testing.T) {
	for name, options := range map[string]mabeam.Options{
		"defaults": {},
		"limits":   {MaxAgents: 1, Mailbox: 8, MemoryLimit: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var r results
				for metrics, check := range map[string]func() error{
					"signals_lost signals_out_of_order":      func() error { return CheckSignals(ctx, &r, 100) },
					"tells_lost tells_out_of_order overlaps": func() error { return CheckTells(ctx, &r, 100) },
					"replies_wrong":                          func() error { return CheckReplies(ctx, &r, 100) },
					"agent_rules_broken":                     func() error { return CheckLifecycle(ctx, &r, 1) },
					"supervision_rules_broken":               func() error { return CheckSupervision(ctx, &r, options) },
					"guard_rules_broken deadlines_missed":    func() error { return CheckGuards(ctx, &r, options, nil) },
				} {
					if err := check(); err != nil {
						t.Errorf("%s: %v", metrics, err)
					}
					for _, metric := range strings.Fields(metrics) {
						r.want(t, metric, 0)
					}
				}
			})
		})
	}
}
