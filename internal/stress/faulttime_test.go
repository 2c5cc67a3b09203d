package stress

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/verdict"
)

// Where nobody knows when a load ends, a fault may begin at any time; and a child
// takes a plan whose parameters were changed so that a fault comes too late.
func TestFaultsInTime(t *testing.T) {
	cat := probing(nil)
	cat[0].Targets = []Target{Agents}
	cat[0].LoadLength = func(p Params) time.Duration {
		if p.Has("duration") {
			return p.Duration("duration")
		}
		return 0
	}
	for _, c := range []struct {
		step string
		ok   bool
	}{
		{"{measure: probe, with: {duration: 2s}, faults: [{garbage: 1, from: 1s}]}", true},
		{"{measure: probe, with: {duration: 2s}, faults: [{garbage: 1, from: 2s}]}", false},
		{"{measure: probe, with: {operations: 2}, faults: [{garbage: 1, from: 1h}]}", true},
	} {
		source := scenarioOf("  - " + c.step + "\n")
		_, err := Parse(cat, verdict.Builtin().Components(), Document{File: "s.yaml", Source: []byte(source)})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.step, err)
		}
		line, err := json.Marshal(order{Documents: []orderDocument{{File: "s.yaml", Source: source}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := readOrder(cat, verdict.Builtin().Components(), bufio.NewReader(strings.NewReader(string(line)+"\n"))); err != nil {
			t.Errorf("a child refuses %s: %v", c.step, err)
		}
	}
}
