// Package stress turns scenario files into a plan and runs the plan: it
// starts a fresh runtime for each repetition, drives the load of a
// measurement against it, samples the probes meanwhile, and tells everything
// that happens as one stream of events.
package stress
