package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// explain says for each metric of the step that regressed by how much it did, and
// then which probes changed as well.
func (p pair) explain(r report.Regression, cpusBefore, cpusNow int) []string {
	var messages []string
	for _, m := range r.Metrics {
		if m.Verdict != report.Regressed || m.Scenario != p.scenario || m.Step != p.step {
			continue
		}
		by := "worse"
		if m.DeltaPercent != nil {
			by = quantity.Percent(*m.DeltaPercent/100) + " worse"
		}
		before, now := p.before.Metrics[m.Metric], p.now.Metrics[m.Metric]
		if now.Value == nil {
			messages = append(messages, fmt.Sprintf("%s was %s in %s and is not measured now", m.Metric, before.Text(), r.Baseline))
			continue
		}
		text := func(v *float64) string {
			value := report.Metric{Value: *v, Unit: now.Unit}
			if now.Unit == "bool" {
				value.Value = *v != 0
			}
			return value.Text()
		}
		messages = append(messages, fmt.Sprintf("%s is %s than in %s: %s before, %s now", m.Metric, by, r.Baseline, text(m.Old), text(m.New)))
	}
	if len(messages) == 0 {
		return nil
	}
	return append(messages, p.probeChanges(cpusBefore, cpusNow))
}

// probeChanges lists the probes that got worse, and says what to look at next.
func (p pair) probeChanges(cpusBefore, cpusNow int) string {
	if was, ok := otherPrograms(p.before.Probes, cpusBefore); ok {
		if is, ok := otherPrograms(p.now.Probes, cpusNow); ok && is > was+busyShare {
			return fmt.Sprintf("other programs used %s of the machine before and %s now: repeat the run without them before you trust this result",
				quantity.Percent(was), quantity.Percent(is))
		}
	}
	type change struct {
		text  string
		share float64
	}
	var changes []change
	for _, d := range diagnostics {
		probeBefore, before := p.before.Probes[d.probe]
		probeNow, now := p.now.Probes[d.probe]
		was, is := d.value(probeBefore), d.value(probeNow)
		if !before || !now || is-was < d.leastChange || is < was*(1+DefaultThreshold) {
			continue
		}
		changes = append(changes, change{
			fmt.Sprintf("%s (%s before, %s now): %s", d.probe, quantity.Format(was, d.probe.Unit()), quantity.Format(is, d.probe.Unit()), d.advice),
			(is - was) / max(was, d.leastChange),
		})
	}
	if len(changes) == 0 {
		return "no probe changed as well, so the operation itself is probably slower: compare CPU profiles of both builds under the load of this step"
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(b.share, a.share) })
	var texts []string
	for _, c := range changes[:min(len(changes), mostDiagnostics)] {
		texts = append(texts, c.text)
	}
	return "these probes got worse as well: " + strings.Join(texts, "; ")
}
