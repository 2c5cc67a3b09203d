package measure

import (
	"context"
	"sync"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// never describes a metric that counts what must not happen in any system.
func mustBeZero(name, doc string) scenario.Metric {
	return scenario.Metric{Name: name, Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: doc}
}

// timed returns the metric with Timed set.
func timeDependent(m scenario.Metric) scenario.Metric {
	m.Timed = true
	return m
}

// violations counts how often the rule of one metric was broken. Several goroutines
// may use it.
type checker struct {
	env    *stress.Env
	metric string
	label  string // before each detail

	mu sync.Mutex
	n  int64
}

func newChecker(env *stress.Env, metric string) *checker {
	return &checker{env: env, metric: metric, label: metric}
}

// add counts n violations and explains them in the errors; 0 or less is none.
func (v *checker) add(n int64, detail string) {
	if n <= 0 {
		return
	}
	v.mu.Lock()
	v.n += n
	v.mu.Unlock()
	v.env.Detail(v.label+": "+detail, n)
}

// expect counts a violation unless ok is true, and returns ok.
func (v *checker) expect(ok bool, detail string) bool {
	if !ok {
		v.add(1, detail)
	}
	return ok
}

// blame counts an error that the system should not have returned. If there is none, or
// ctx has ended, it returns what there is instead.
func (v *checker) countError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	v.add(1, err.Error())
	return nil
}

// none says whether there have been none so far.
func (v *checker) passed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.n == 0
}

// report reports the metric.
func (v *checker) report() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.env.Value(v.metric, float64(v.n))
}
