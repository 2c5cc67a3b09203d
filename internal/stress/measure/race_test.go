//go:build race

package measure

// raceDetector says that the race detector is on, which allocates by itself.
const raceDetector = true
