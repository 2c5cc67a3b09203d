package verdict

import (
	"strings"
	"time"

	"mabeam-top/internal/stress/report"
)

// A Threshold is a condition on a metric. The step fails if it does not hold.
type Threshold struct {
	// Metric is the name of a metric, or NAME.STAT for a statistic of its
	// distribution (min, mean, stddev, p50, p90, p95, p99, p999, max).
	Metric    string    `json:"metric"`
	Condition Condition `json:"condition"`
	// Window, if set, is the length of a sliding window. The condition must hold
	// in every window.
	Window time.Duration `json:"window"`
	// After is the time at the start of the step that no window covers.
	After time.Duration `json:"after"`
	// Abort stops the step at the first window that fails.
	Abort bool `json:"abort"`
}

// Statistic returns the STAT of a threshold on NAME.STAT; it is empty for a
// threshold on NAME.
func (t Threshold) Statistic() string {
	_, stat, _ := strings.Cut(t.Metric, ".")
	return stat
}

// evaluate checks the threshold against a step's metrics, or, if it has a
// window, against the series of its probe. It fails without a value.
func (t Threshold) evaluate(metrics map[string]report.Metric, series []Series) report.Threshold {
	result := report.Threshold{Metric: t.Metric, Condition: t.Condition.String()}
	if t.Window > 0 {
		seconds := t.Window.Seconds()
		result.WindowSeconds = &seconds
		if w, ok := t.Worst(series...); ok {
			result.Actual, result.WorstAtSeconds, result.OK = &w.Value, &w.Start, w.OK
		}
		return result
	}
	if v, ok := lookup(metrics, t.Metric); ok {
		result.Actual, result.OK = &v, t.Condition.Holds(v)
	}
	return result
}

// lookup returns the number that a metric's name stands for: the value of the
// metric (a bool counts as 1 or 0), or for NAME.STAT that statistic of NAME's
// distribution. The second result is false if there is no such number.
func lookup(metrics map[string]report.Metric, name string) (float64, bool) {
	m, stat, ok := report.FindMetric(metrics, name)
	if ok && stat == "" {
		return report.Number(m.Value)
	}
	if m.Distribution == nil {
		return 0, false
	}
	return m.Distribution.Stat(stat)
}
