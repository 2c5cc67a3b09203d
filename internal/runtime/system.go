// Package runtime is the MABEAM runtime.
package runtime

// A System is one running MABEAM.
type System struct{}

// Telemetry reads the system's counters and gauges.
func (s *System) Telemetry() Telemetry { return Telemetry{} }
