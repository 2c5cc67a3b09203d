package format_test

import (
	"fmt"
	"io"
	"os"

	"mabeam-top/internal/stress/report"
)

// docs/how-to/add-a-format.md shows this file's format.

// Brief writes one line for each step: its verdict and its name.
func Brief(w io.Writer, r report.Report) error {
	for _, scenario := range r.Scenarios {
		for _, step := range scenario.Steps {
			if _, err := fmt.Fprintf(w, "%s %s/%s\n", step.Verdict, scenario.Name, step.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func Example_brief() {
	r := report.Report{Scenarios: []report.Scenario{{
		Name:  "event-storm",
		Steps: []report.Step{{Name: "calm", Verdict: report.Pass}, {Name: "storm", Verdict: report.Fail}},
	}}}
	if err := Brief(os.Stdout, r); err != nil {
		fmt.Println(err)
	}
	// Output:
	// pass event-storm/calm
	// fail event-storm/storm
}
