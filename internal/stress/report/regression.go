package report

import "slices"

// A Regression is the comparison with an earlier report.
type Regression struct {
	// Baseline is the earlier report's name or file.
	Baseline string `json:"baseline"`
	// Threshold is the least relative difference that counts (0.1 is 10 %), and Alpha
	// the significance level.
	Threshold float64 `json:"threshold"`
	Alpha     float64 `json:"alpha"`
	// Detected means that a metric regressed. Percentage is the difference of the metric
	// that regressed most, in percent of its old value; 0 if none did.
	Detected   bool               `json:"detected"`
	Percentage float64            `json:"percentage"`
	Metrics    []RegressionMetric `json:"metrics"`
}

// A RegressionMetric compares one metric of two reports.
type RegressionMetric struct {
	Scenario string `json:"scenario"`
	Step     string `json:"step"`
	Metric   string `json:"metric"`
	// Old and New are the medians of the repetitions, in the metric's unit; nil if there
	// is none, or the metric is not a number.
	Old *float64 `json:"old"`
	New *float64 `json:"new"`
	// DeltaPercent is the difference in percent of Old; nil if either is missing, or Old
	// is 0.
	DeltaPercent *float64 `json:"delta_percent"`
	// PValue is that of a Mann–Whitney U test; nil for too few samples.
	PValue  *float64 `json:"p_value"`
	Verdict Change   `json:"verdict"`
	// Note says what the verdict is based on, or why there is none.
	Note string `json:"note"`
}

// A Change is the verdict on one metric of two reports.
type Change string

// The changes. The note of an Unknown change says why it is unknown.
const (
	Regressed Change = "regressed"
	Improved  Change = "improved"
	Same      Change = "same"
	Unknown   Change = "unknown"
)

// The words for a comparison.
const (
	WordRegressed    = "REGRESSED"
	WordSame         = "SAME"
	WordInconclusive = "INCONCLUSIVE"
)

// Word returns the result of the comparison in one word.
func (r Regression) Word() string {
	switch {
	case r.Detected:
		return WordRegressed
	case r.Conclusive():
		return WordSame
	}
	return WordInconclusive
}

// Conclusive reports whether any metric could be compared.
func (r Regression) Conclusive() bool {
	return slices.ContainsFunc(r.Metrics, func(m RegressionMetric) bool { return m.Verdict != Unknown })
}
