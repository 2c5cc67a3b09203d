package verdict

import (
	"testing"

	"mabeam-top/internal/stress/report"
)

// A metric misses its floor if its median does and the repetitions agree: of five all have
// to, of ten all but one. Otherwise it is undecided, unless it misses its baseline too.
func TestRepetitionsHaveToAgree(t *testing.T) {
	cases := []struct {
		name      string
		samples   []float64
		status    report.Status
		undecided bool
	}{
		{"all are within", []float64{3, 4, 5, 3, 4}, report.StatusPass, false},
		{"the median is within", []float64{3, 15, 5, 15, 4}, report.StatusPass, false},
		{"a mode of the machine", []float64{15, 16, 15, 4, 4}, report.StatusFail, true},
		{"one of five is within", []float64{15, 16, 15, 14, 9}, report.StatusFail, true},
		{"all are beyond", []float64{15, 16, 15, 11, 12}, report.StatusFail, false},
		{"one of ten is within", []float64{15, 16, 15, 11, 12, 15, 16, 15, 11, 9}, report.StatusFail, false},
		{"two of ten are within", []float64{15, 16, 15, 11, 12, 15, 16, 15, 8, 9}, report.StatusFail, true},
		{"of three all are beyond", []float64{11, 12, 13}, report.StatusFail, false},
		{"of two nobody can tell", []float64{9, 13}, report.StatusFail, false},
	}
	for _, higher := range []bool{false, true} {
		for _, c := range cases {
			m := report.Metric{Unit: "ms", Better: report.Lower, Status: c.status, Floor: &report.Floor{Value: 10}}
			for _, v := range c.samples {
				if higher {
					v = 100 / v
				}
				m.Samples = append(m.Samples, v)
			}
			m.Value = report.Median(m.Samples)
			if higher {
				m.Better = report.Higher
			}
			if got := doubt(m, report.Step{}, 2); (got.Undecided != "") != c.undecided || got.Status != c.status {
				t.Errorf("%s (higher is better: %v): %q", c.name, higher, got.Undecided)
			}
		}
	}
	baseline, tolerance := 12.0, 0.2
	far := report.Metric{Unit: "ms", Better: report.Lower, Status: report.StatusFail, Floor: &report.Floor{Value: 10}, Baseline: &baseline, Tolerance: &tolerance, Value: 15.0, Samples: []float64{15, 15, 4}}
	if got := doubt(far, report.Step{}, 2); got.Undecided != "" {
		t.Errorf("beyond the baseline, too: %q", got.Undecided)
	}
	// What is folded otherwise, such as the worst of all, is held as it is.
	worst := report.Metric{Unit: "ms", Better: report.Lower, Status: report.StatusFail, Floor: &report.Floor{Value: 10}, Value: 15.0, Samples: []float64{15, 4, 4}}
	if got := doubt(worst, report.Step{}, 2); got.Undecided != "" {
		t.Errorf("the worst of all: %q", got.Undecided)
	}
}
