package scenario

import (
	"testing"

	"mabeam-top/internal/stress/report"
)

// There is a note for a baseline that was missed because the rate was lowered, and for no other
// baseline.
func TestLoweredRateNotes(t *testing.T) {
	metrics := []Metric{
		{Name: "event_rate", Unit: "1/s", CappedBy: "rate"},
		{Name: "burst_rate", Unit: "1/s", CappedBy: "burst"},
		{Name: "agents", Unit: "count", CappedBy: "number"},
		{Name: "score", Unit: "ratio"},
	}
	step := Step{Measurement: &Measurement{Name: "events", Metrics: metrics}, Params: Params{"rate": 1000.0, "burst": 2000.0, "number": 10}}
	got := step.LoweredRateNotes(map[string]report.Metric{
		"event_rate": {Status: report.StatusFail}, "burst_rate": {Status: report.StatusPass},
		"agents": {Status: report.StatusFail}, "score": {Status: report.StatusFail},
	})
	want := "event_rate cannot exceed rate, which was lowered manually, so it does not show what the system can do"
	if len(got) != 1 || got[0] != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
