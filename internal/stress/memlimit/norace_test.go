//go:build !race

package memlimit

// raceDetector reports whether the race detector, which allocates memory, is on.
const raceDetector = false
