//go:build race

package measure

// raceDetector reports whether the race detector, which allocates memory, is on.
const raceDetector = true
