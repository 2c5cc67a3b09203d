//go:build race

package mabeam

// raceDetector says that the race detector is on, which allocates by itself.
const raceDetector = true
