package measure

import (
	"context"
	"sync"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// mustBeZero describes a metric that counts what must not happen in any system.
func mustBeZero(name, doc string) scenario.Metric {
	return scenario.Metric{Name: name, Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: doc}
}

// timeDependent returns the metric with Timed set.
func timeDependent(m scenario.Metric) scenario.Metric {
	m.Timed = true
	return m
}

// A checker counts violations of what one metric promises. It is safe for concurrent use.
type checker struct {
	env    *stress.Env
	metric string
	label  string // the prefix of each detail

	mu sync.Mutex
	n  int64
}

func newChecker(env *stress.Env, metric string) *checker {
	return &checker{env: env, metric: metric, label: metric}
}

// add counts n violations and explains them in the errors. It ignores n below 1.
func (c *checker) add(n int64, detail string) {
	if n <= 0 {
		return
	}
	c.mu.Lock()
	c.n += n
	c.mu.Unlock()
	c.env.Detail(c.label+": "+detail, n)
}

// expect counts a violation unless ok is true, and returns ok.
func (c *checker) expect(ok bool, detail string) bool {
	if !ok {
		c.add(1, detail)
	}
	return ok
}

// countError counts an error that the system must not return, and returns nil. Once ctx
// has ended it returns the error instead.
func (c *checker) countError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	c.add(1, err.Error())
	return nil
}

// passed reports whether there are no violations so far.
func (c *checker) passed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n == 0
}

// report reports the metric.
func (c *checker) report() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.env.Value(c.metric, float64(c.n))
}

// unmeasured reports why metrics have no value.
func unmeasured(env *stress.Env, why string, metrics ...string) {
	for _, metric := range metrics {
		env.Unmeasured(metric, why)
	}
}
