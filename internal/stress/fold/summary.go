package fold

import (
	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// A Summary sums up samples by probe, in constant memory. The zero value is ready to use.
// It is not safe for concurrent use.
type Summary struct {
	probes map[probe.Name]*probeSummary
}

type probeSummary struct {
	report.Probe
	count float64
}

// Add adds a sample. Values that are not finite are ignored.
func (p *Summary) Add(sample probe.Sample) {
	if p.probes == nil {
		p.probes = make(map[probe.Name]*probeSummary, len(sample))
	}
	for name, v := range sample {
		if !report.Finite(v) {
			continue
		}
		r := p.probes[name]
		if r == nil {
			p.probes[name] = &probeSummary{Probe: report.Probe{Min: v, Mean: v, Max: v, Last: v}, count: 1}
			continue
		}
		r.count++
		r.Min, r.Max, r.Last = min(r.Min, v), max(r.Max, v), v
		// Dividing before adding avoids overflow. Rounding can exceed the bounds.
		r.Mean = min(max(r.Mean+(v/r.count-r.Mean/r.count), r.Min), r.Max)
	}
}

// Probes returns the summary of each probe that was read.
func (p *Summary) Probes() map[probe.Name]report.Probe {
	summary := make(map[probe.Name]report.Probe, len(p.probes))
	for name, r := range p.probes {
		summary[name] = r.Probe
	}
	return summary
}
