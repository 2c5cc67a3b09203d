package scenario

import (
	"strings"
	"testing"
)

// Each kind has an example that is valid in a scenario file.
func TestFaultExamples(t *testing.T) {
	examples := FaultExamples()
	if len(examples) != len(faultSpecs) {
		t.Errorf("%d examples of %d kinds", len(examples), len(faultSpecs))
	}
	for _, e := range examples {
		if !strings.HasPrefix(e.Text, e.Name+": ") {
			t.Errorf("%s: %q does not say how often", e.Name, e.Text)
		}
		file := "name: x\ntitle: X\ntags: [x]\nsteps:\n  - measure: kinds\n    baseline: none\n    faults:\n      - {" + e.Text + "}\n"
		scenarios, err := Parse(testCatalogue, testComponents, Document{File: "x.yaml", Source: []byte(file)})
		if err != nil {
			t.Errorf("%s: %v", e.Text, err)
		} else if got := scenarios[0].Groups[0][0].Faults; len(got) != 1 || string(got[0].Kind) != e.Name {
			t.Errorf("%s is read as %+v", e.Text, got)
		}
	}
}
