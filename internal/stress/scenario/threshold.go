package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/verdict"
)

// A givenThreshold is a threshold of a file, and the position of its window.
type givenThreshold struct {
	verdict.Threshold
	window position
}

// thresholds reads the thresholds of a step.
func (r *reader) thresholds(m *Measurement, keys map[string]entry) []givenThreshold {
	e, ok := keys["thresholds"]
	if !ok || !r.isMapping(e.value, `a mapping of thresholds such as {METRIC: "< 5"}`) {
		return nil
	}
	metrics := make([]string, len(e.value.entries))
	for i, metric := range e.value.entries {
		metrics[i] = metric.key
	}
	kept := r.keys(e.value, "thresholds", metrics)
	var thresholds []givenThreshold
	for _, given := range e.value.entries {
		if kept[given.key].position != given.position {
			continue // a duplicate, which keys has reported
		}
		metric, err := m.ThresholdMetric(given.key)
		if err != nil {
			r.add(given.position, "thresholds: %v", err)
			continue
		}
		thresholds = append(thresholds, r.threshold(metric, given))
	}
	return thresholds
}

// threshold reads a condition, or one with a window.
func (r *reader) threshold(metric Metric, given entry) givenThreshold {
	t := givenThreshold{Threshold: verdict.Threshold{Metric: given.key}}
	if given.value.shape != mapping {
		t.Condition = r.condition(metric, given.key, given.value)
		return t
	}
	keys := r.keys(given.value, "a threshold", thresholdKeys)
	r.require(given.value, keys, "a threshold", "is", `is: '< 5'`)
	if is, ok := keys["is"]; ok {
		t.Condition = r.condition(metric, given.key, is.value)
	}
	t.Window = read[time.Duration](r, keys, windowParam)
	t.After = read[time.Duration](r, keys, afterParam)
	t.Abort = read[bool](r, keys, abortParam)
	window, windowed := keys["window"]
	if windowed {
		t.window = window.value.position
	}
	for _, key := range []string{"after", "abort"} {
		if e, ok := keys[key]; ok && !windowed {
			r.add(e.position, "%s: %s needs a window; add for example \"window: 1s\"", given.key, key)
		}
	}
	probe := metric.ProbeFor(given.key)
	if windowed && r.parallel && probe != "" && metric.Probe != MedianLatency && !slices.Contains(StepProbes, probe) {
		r.add(window.position, "%s: a parallel group has one value for all its steps; remove the window", given.key)
	}
	if windowed && probe == "" {
		r.add(window.position, "%s: no probe shows it while the step runs; remove the window", given.key)
	}
	return t
}

// condition reads the condition of a threshold.
func (r *reader) condition(metric Metric, name string, n *node) verdict.Condition {
	if n.shape == broken {
		return verdict.Condition{}
	}
	if n.shape != text {
		r.add(n.position, `%s: expected a condition such as "< 5" or ">= 95000", not %s`, name, n.describe())
		return verdict.Condition{}
	}
	condition, err := verdict.ParseCondition(n.text)
	switch {
	case err != nil:
		r.add(n.position, "%s: %v%s", name, err, unitHint(metric))
	case strings.Contains(n.text, "%") && metric.Unit != "ratio":
		r.add(n.position, "%s: %q is a share%s; write the limit without %%", name, n.text, unitHint(metric))
	default:
		if why := metric.never(condition); why != "" {
			r.add(n.position, "%s: %q can never hold: %s", name, n.text, why)
		}
	}
	return condition
}

// unitHint returns the end of a message about a limit, with the unit that it needs.
func unitHint(m Metric) string {
	switch m.Unit {
	case "ratio", "count", "bool", "exponent":
		return fmt.Sprintf("; %s is a %s", m.Name, m.Unit)
	}
	return fmt.Sprintf("; %s is in %s", m.Name, m.Unit)
}
