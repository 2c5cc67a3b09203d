//go:build !race

package runtime

// raceDetector says that the race detector is on, which allocates by itself.
const raceDetector = false
