package scenario

import (
	"bytes"
	"fmt"
	"strconv"

	"mabeam-top/internal/stress/verdict"
)

// Show returns the scenario as a file with every default filled in.
func Show(s Scenario) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "name: %s\ntitle: %s\n", quote(s.Name, ""), quote(s.Title, ""))
	if s.Description != "" {
		fmt.Fprintf(&w, "description: %s\n", paragraph(s.Description))
	}
	fmt.Fprintf(&w, "tags: %s\n", flow(encode(tagsParam, s.Tags)))
	fmt.Fprintf(&w, "timeout: %s\n", formatDuration(s.Timeout))
	fmt.Fprintf(&w, "seed: %d\n", s.Seed)
	system := Params{"max_agents": s.System.MaxAgents, "mailbox": s.System.Mailbox, "bus_policy": s.System.BusPolicy}
	fmt.Fprintf(&w, "system: %s\n", flow(encode(systemParam, system)))
	w.WriteString("steps:\n")
	for _, group := range s.Groups {
		if len(group) == 1 {
			showStep(&w, "  ", group[0])
			continue
		}
		w.WriteString("  - parallel:\n")
		for _, step := range group {
			showStep(&w, "      ", step)
		}
	}
	return w.Bytes()
}

// showStep writes one step.
func showStep(w *bytes.Buffer, indent string, s Step) {
	fmt.Fprintf(w, "%s- measure: %s\n", indent, s.Measurement.Name)
	indent += "  "
	fmt.Fprintf(w, "%sname: %s\n", indent, quote(s.Name, ""))
	if params := encodeTable(s.Params, s.Measurement.Params); len(params) > 0 {
		fmt.Fprintf(w, "%swith:\n", indent)
		for _, p := range params {
			fmt.Fprintf(w, "%s  %s: %s\n", indent, quote(p.key, ""), flow(p.value))
		}
	}
	warmup := strconv.Itoa(s.Warmup.Operations)
	if s.Warmup.For > 0 {
		warmup = formatDuration(s.Warmup.For)
	}
	component := s.Component
	if component == "" {
		component = none
	}
	fmt.Fprintf(w, "%swarmup: %s\n%srepeat: %d\n", indent, warmup, indent, s.Repeat)
	fmt.Fprintf(w, "%sbaseline: %s\n%stolerance: %s\n", indent, quote(component, ""), indent, formatRatio(s.Tolerance))
	if len(s.Thresholds) > 0 {
		fmt.Fprintf(w, "%sthresholds:\n", indent)
		for _, t := range s.Thresholds {
			fmt.Fprintf(w, "%s  %s: %s\n", indent, quote(t.Metric, ""), flow(encodeThreshold(t)))
		}
	}
	if len(s.Faults) > 0 {
		fmt.Fprintf(w, "%sfaults:\n", indent)
		for _, f := range s.Faults {
			fmt.Fprintf(w, "%s  - %s\n", indent, flow(encodeFault(f)))
		}
	}
}

// encodeThreshold returns a threshold as a scenario file has it.
func encodeThreshold(t verdict.Threshold) any {
	if t.Window == 0 {
		return t.Condition.String()
	}
	return []field{
		{"is", t.Condition.String()},
		{"window", encode(windowParam, t.Window)},
		{"after", encode(afterParam, t.After)},
		{"abort", t.Abort},
	}
}
