package check

import (
	"fmt"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// A finished step lists all checks, whether they were known when it began or not.
func TestFinished(t *testing.T) {
	must := func(name string) stream.Limit {
		return stream.Limit{Metric: name, Source: report.KindCondition, Op: "==", Unit: "count"}
	}
	baseline := func(name string, value float64) stream.Limit {
		return stream.Limit{Metric: name, Source: report.KindBaseline, Op: "<=", Value: value, Unit: "ms", Tolerance: 0.2}
	}
	exact := func(value any, status report.Status) report.Metric {
		return report.Metric{Value: value, Unit: "count", Better: report.Lower, Condition: "== 0", Status: status}
	}
	passed := report.Metric{Value: 8.0, Unit: "ms", Better: report.Lower, Baseline: new(10.0), Tolerance: new(0.2), Deviation: new(0.2), Status: report.StatusPass}
	unsure := passed
	unsure.Undecided, unsure.Status = "is between 7 and 13", report.StatusFail
	limits := []stream.Limit{baseline("time_ms", 10), baseline("time_ms.max", 10), must("duplicated"), must("lost"), must("recovered")}
	for name, c := range map[string]struct {
		verdict report.Verdict
		metrics map[string]report.Metric
		want    []string
	}{
		"all passed": {report.Pass, map[string]report.Metric{
			"time_ms": passed, "time_ms.max": {Value: 30.0, Unit: "ms", Status: report.StatusInfo}, "time_ms.p99": passed,
			"duplicated": exact(0.0, report.StatusPass), "lost": exact(0.0, report.StatusPass), "recovered": exact(0.0, report.StatusPass),
			"rate": {Value: 5.0, Unit: "1/s", Better: report.Higher, Floor: &report.Floor{Value: 4, Reference: "timer", Share: 1}, Status: report.StatusPass},
		}, []string{"PASS time_ms 8 ms vs 10 ms", "PASS time_ms.p99 8 ms vs 10 ms", "PASS rate 5/s >= 4/s", "PASS 3 exact conditions met"}},
		"one is lost, one missing": {report.Fail, map[string]report.Metric{
			"time_ms": passed, "duplicated": exact(0.0, report.StatusPass), "lost": exact(3.0, report.StatusFail), "recovered": exact(nil, report.StatusFail),
		}, []string{"PASS time_ms 8 ms vs 10 ms", "NONE time_ms.max not measured vs 10 ms", "FAIL lost 3 == 0", "FAIL recovered n/a == 0", "PASS 1 exact condition met"}},
		"undecided": {
			report.Inconclusive,
			map[string]report.Metric{"time_ms": unsure, "duplicated": exact(0.0, report.StatusPass)},
			[]string{"INCONCLUSIVE why", "UNDECIDED time_ms 8 ms vs 10 ms", "NONE time_ms.max not measured vs 10 ms", "PASS 1 exact condition met"},
		},
		"cut off": {report.Broken, nil, []string{"ERROR why", "NONE time_ms not measured vs 10 ms", "NONE time_ms.max not measured vs 10 ms"}},
	} {
		result := &report.Step{Verdict: c.verdict, Metrics: c.metrics, Recommendations: []string{"why"}, Errors: []report.Error{{Message: "why"}}}
		rows := Finished(&stream.Step{Name: "step", Limits: limits}, result)
		var got []string
		for _, r := range rows {
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(r.Word, " ", r.Metric, " ", r.Value, " ", r.Limit)), " "))
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestCount(t *testing.T) {
	rows := []Row{{Word: "PASS", Exact: 12}, {Word: theme.Undecided}, {Word: "FAIL"}, {Word: theme.Running, Exact: 3}}
	if got := Count(rows); got != (Tally{Passed: 12, Failed: 1, Undecided: 1, Pending: 3}) || got.Judged() != 14 {
		t.Errorf("tally %+v", got)
	}
}
