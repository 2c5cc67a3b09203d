package stress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// Failed counts the error of an operation by its message. It ignores ids in the message,
// so the same error of many agents counts as one.
func (e *Env) Failed(err error) {
	e.record(report.OperationFailed, time.Now(), withoutIDs(err.Error()), 1)
}

// Unmeasured reports why a metric has no value.
func (e *Env) Unmeasured(metric, why string) {
	e.put(metric, sample{})
	e.record(report.Unmeasured, time.Now(), report.NotMeasured(metric, why), 1)
}

// Finding reports something that is wrong with the system under test, count times. It
// fails the step, unless the scenario has a threshold on findings. Use Detail for what a
// metric with its own condition already shows.
func (e *Env) Finding(message string, count int64) {
	e.record(report.Finding, time.Now(), message, count)
}

// Detail explains a metric that fails by itself, count times.
func (e *Env) Detail(message string, count int64) { e.DetailSince(time.Now(), message, count) }

// DetailSince is Detail for something that first happened earlier.
func (e *Env) DetailSince(first time.Time, message string, count int64) {
	e.record(report.Detail, first, message, count)
}

// Note reports something worth knowing that is not wrong.
func (e *Env) Note(message string, count int64) { e.record(report.Note, time.Now(), message, count) }

// record records an error, unless the repetition is interrupted: most errors after that
// are caused by the interruption.
func (e *Env) record(kind report.ErrorKind, first time.Time, message string, count int64) {
	if e.cutOff != nil && e.cutOff.Err() != nil {
		return
	}
	at := max(first.Sub(e.began).Seconds(), 0)
	e.mu.Lock()
	defer e.mu.Unlock()
	if kind == report.Finding {
		e.findings += count
	}
	addError(&e.errors, report.Error{Message: message, Count: count, FirstAtSeconds: at, Kind: kind})
}

// addError adds an error to those with the same message.
func addError(errors *[]report.Error, next report.Error) {
	i := slices.IndexFunc(*errors, func(known report.Error) bool { return known.Message == next.Message })
	if i < 0 && len(*errors) >= maxErrorKinds {
		next.Message, next.Kind = "other errors", report.OperationFailed
		i = slices.IndexFunc(*errors, func(known report.Error) bool { return known.Message == next.Message })
	}
	if i < 0 {
		*errors = append(*errors, next)
		return
	}
	(*errors)[i].Count += next.Count
	(*errors)[i].FirstAtSeconds = min((*errors)[i].FirstAtSeconds, next.FirstAtSeconds)
}

// withoutIDs replaces each generated id by a star.
func withoutIDs(message string) string {
	for _, prefix := range []string{"agent_", "event_"} {
		from := 0
		for {
			i := strings.Index(message[from:], prefix)
			if i < 0 {
				break
			}
			i += from + len(prefix)
			end := i
			for end < len(message) && (message[end] == '_' || message[end] >= '0' && message[end] <= '9' || message[end] >= 'a' && message[end] <= 'z') {
				end++
			}
			if strings.ContainsAny(message[i:end], "0123456789") {
				message = message[:i] + "*" + message[end:]
			}
			from = i
		}
	}
	return message
}

// Value reports a number.
func (e *Env) Value(metric string, v float64) { e.put(metric, sample{Value: v}) }

// Text reports a text.
func (e *Env) Text(metric, v string) { e.put(metric, sample{Value: v}) }

// Bool reports a bool.
func (e *Env) Bool(metric string, v bool) { e.put(metric, sample{Value: v}) }

// Latency reports a distribution of durations, in milliseconds. Its mean is the value of
// the metric. An empty distribution is not reported.
func (e *Env) Latency(metric string, h *load.Histogram) {
	if h.Count() == 0 {
		return
	}
	e.put(metric, sample{Value: h.Distribution().Mean, Histogram: h})
}

// Growth reports the share by which a quantity grew over the load, from readings at
// equal distances.
func (e *Env) Growth(metric string, readings []float64) {
	e.estimate(metric, verdict.Estimate{Readings: readings})
}

// GrowthPerOperation reports by how much a quantity grew with each operation, from
// readings with that many operations between them.
func (e *Env) GrowthPerOperation(metric string, readings []float64, operations float64) {
	e.estimate(metric, verdict.Estimate{Readings: readings, Per: operations})
}

// Decline reports the share by which readings at the end are less than those at the
// beginning.
func (e *Env) Decline(metric string, first, last []float64) {
	e.estimate(metric, verdict.Estimate{First: first, Last: last})
}

// Share reports the share of the cases in which something held.
func (e *Env) Share(metric string, part, of int64) {
	e.estimate(metric, verdict.Estimate{Part: part, Of: of})
}

// Exponent reports the e of value ~ size^e, from pairs of sizes and values. There are at
// least two sizes, and several values of each. It returns the interval of this repetition
// alone, and false if the repetition does not determine one.
func (e *Env) Exponent(metric string, sizes, values []float64) (report.Interval, bool) {
	return e.estimate(metric, verdict.Estimate{Sizes: sizes, Values: values})
}

// Reference reports the figure of a reference workload that the measurement took itself,
// alternating with what is compared with it.
func (e *Env) Reference(workload reference.Workload, figure float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reference = append(e.reference, reference.Figures{workload: figure})
}

// estimate reports what the repetition adds to an estimate. The value of the sample is
// that of the repetition alone.
func (e *Env) estimate(metric string, one verdict.Estimate) (report.Interval, bool) {
	s := sample{Estimate: &one}
	v, interval, ok := verdict.Pool([]verdict.Estimate{one})
	if ok {
		s.Value = v
	}
	e.put(metric, s)
	return interval, ok
}

func (e *Env) put(metric string, s sample) {
	base, _, _ := strings.Cut(metric, ".")
	if !slices.ContainsFunc(e.measurement.Metrics, func(m scenario.Metric) bool { return m.Name == base }) {
		panic(fmt.Sprintf("measurement %s reports %s, a metric that it does not declare", e.measurement.Name, metric))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.results[metric] = s
}
