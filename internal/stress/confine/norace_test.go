//go:build !race

package confine

// raceDetector says that the race detector is on, which allocates by itself.
const raceDetector = false
