// Package conformance checks whether the runtime keeps the rules that its documentation
// states. Each check exercises a system in a way that a load of healthy agents does not:
// it fills queues, kills agents, stalls callers and crashes components. It counts the
// violations and explains each.
package conformance

// A Recorder takes the results of checks.
type Recorder interface {
	// Value reports the value of a metric.
	Value(metric string, v float64)
	// Detail explains violations, which a metric counts.
	Detail(message string, count int64)
	// Finding reports what is wrong and not counted by a metric.
	Finding(message string, count int64)
	// Inconclusive reports that the machine was too slow for a check.
	Inconclusive(why string)
}
