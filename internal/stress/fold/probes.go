package fold

import "mabeam-top/internal/stress/report"

// Probes sums up samples, probe by probe, in memory that does not grow with
// their number. The zero value is ready. It is not safe for several
// goroutines.
type Probes struct {
	probes map[string]*running
}

// running is the summary of one probe so far.
type running struct {
	report.Probe
	count float64
}

// Add takes one sample in. Values that are not finite are left out, as a
// probe that could not be read is.
func (p *Probes) Add(sample map[string]float64) {
	if p.probes == nil {
		p.probes = make(map[string]*running, len(sample))
	}
	for name, v := range sample {
		if !report.Finite(v) {
			continue
		}
		r := p.probes[name]
		if r == nil {
			p.probes[name] = &running{Probe: report.Probe{Min: v, Mean: v, Max: v, Last: v}, count: 1}
			continue
		}
		r.count++
		r.Min, r.Max, r.Last = min(r.Min, v), max(r.Max, v), v
		// Divided before it is added, so that no sum can overflow; kept
		// within the bounds, because rounding can leave them.
		r.Mean = min(max(r.Mean+(v/r.count-r.Mean/r.count), r.Min), r.Max)
	}
}

// Summary returns what was seen so far; a probe that was never read is not in
// it.
func (p *Probes) Summary() map[string]report.Probe {
	summary := make(map[string]report.Probe, len(p.probes))
	for name, r := range p.probes {
		summary[name] = r.Probe
	}
	return summary
}
