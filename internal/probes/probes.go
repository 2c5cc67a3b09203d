// Package probes samples how the Go runtime, the process, the host and the
// system under test are doing. Package probe declares what is sampled. A value
// that a platform cannot measure is absent from a sample, never zero.
package probes
