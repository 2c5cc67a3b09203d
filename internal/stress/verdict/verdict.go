// Package verdict decides whether a step passed: it compares metrics with
// conditions, baselines, floors and thresholds, and two reports with each
// other. All of its functions are pure.
package verdict
