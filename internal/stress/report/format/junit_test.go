package format

import (
	"encoding/xml"
	"strconv"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

func junitOf(t testing.TB, r report.Report) junit.Testsuites {
	t.Helper()
	document := written(t, JUnit, r, report.Timeline{})
	wellFormed(t, document)
	var suites junit.Testsuites
	if err := xml.Unmarshal(document, &suites); err != nil {
		t.Fatal(err)
	}
	return suites
}

func TestJUnitIsValid(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			suites := junitOf(t, r)
			total := 0
			for _, s := range suites.Suites {
				counted := junit.Testsuite{}
				seen := map[string]bool{}
				for _, c := range s.Testcases {
					counted.AddTestcase(c)
					if seen[c.Classname+"\x00"+c.Name] {
						t.Errorf("case %s of %s is there twice", c.Name, c.Classname)
					}
					seen[c.Classname+"\x00"+c.Name] = true
				}
				if s.Tests != counted.Tests || s.Failures != counted.Failures || s.Errors != counted.Errors || s.Skipped != counted.Skipped {
					t.Errorf("suite %s has %d tests, %d failures, %d errors, %d skipped", s.Name, s.Tests, s.Failures, s.Errors, s.Skipped)
				}
				total += s.Tests
				if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); s.Timestamp != "" && err != nil {
					t.Error(err)
				}
				if _, err := strconv.ParseFloat(s.Time, 64); err != nil {
					t.Error(err)
				}
			}
			if total == 0 || total != suites.Tests {
				t.Errorf("%d tests, want %d", suites.Tests, total)
			}
			// The counts alone must say whether the run is good.
			good := (r.Verdict == report.Pass || r.Verdict == report.Warn) && r.Regression == nil
			if bad := suites.Failures+suites.Errors > 0; bad == good && r.Regression == nil {
				t.Errorf("verdict %s, but %d failures and %d errors", r.Verdict, suites.Failures, suites.Errors)
			}
		})
	}
}

// The checks of an inconclusive step neither pass nor fail.
func TestJUnitSkipsInconclusive(t *testing.T) {
	s := junitOf(t, reporttest.Inconclusive()).Suites[0]
	if s.Errors != 1 || s.Failures != 0 || s.Skipped != s.Tests-1 || s.Skipped == 0 {
		t.Errorf("%d tests, %d errors, %d failures, %d skipped", s.Tests, s.Errors, s.Failures, s.Skipped)
	}
}

// A run can be worse than all its steps, if some did not run.
func TestJUnitShowsWhatDidNotRun(t *testing.T) {
	r := reporttest.Passed()
	r.Scenarios[0].Verdict, r.Verdict = report.Broken, report.Broken
	r.Recommendations = []string{"not run: step last of agent-creation (scenario timeout of 1s)"}
	document := string(written(t, JUnit, r, report.Timeline{}))
	if !strings.Contains(document, `errors="1"`) || !strings.Contains(document, "scenario timeout of 1s") {
		t.Error(document)
	}
	r = reporttest.Passed()
	r.Verdict = report.Interrupted
	if document := string(written(t, JUnit, r, report.Timeline{})); !strings.Contains(document, `<error message="run verdict: interrupted"`) {
		t.Error(document)
	}
}
