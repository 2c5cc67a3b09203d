// Package verdict judges measured values against baselines and thresholds.
// All of it is pure functions.
package verdict
