package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A Fault is one kind of injected fault: how often, when, and what it hit.
type Fault struct {
	Fault    string `json:"fault"`
	Injected int64  `json:"injected"`
	// FirstAtSeconds and LastAtSeconds are in seconds since the start of the step; nil
	// if it was never injected.
	FirstAtSeconds *float64 `json:"first_at_seconds,omitempty"`
	LastAtSeconds  *float64 `json:"last_at_seconds,omitempty"`
	// Targets are the agents, subscribers or components that it hit, in the order of
	// their first hit; empty for a fault of the whole process. Only Injected counts hits
	// of further targets after mostTargets.
	Targets []Target `json:"hit,omitempty"`
}

// A Target is what a fault hit.
type Target struct {
	Name string `json:"name"`
	// Count is how often it was hit, first FirstAtSeconds after the start of the step.
	Count          int64   `json:"count"`
	FirstAtSeconds float64 `json:"first_at_seconds"`
}

const (
	// mostTargets is how many targets a report names.
	mostTargets = 100
	// mostNamed is how many of them a line names.
	mostNamed = 6
)

// AddFault adds one injection to the fault of its kind. The target is empty for a fault
// of the whole process.
func AddFault(faults []Fault, kind string, atSeconds float64, target string) []Fault {
	i := slices.IndexFunc(faults, func(known Fault) bool { return known.Fault == kind })
	if i < 0 {
		i = len(faults)
		faults = append(faults, Fault{Fault: kind})
	}
	faults[i].add(max(atSeconds, 0), target)
	return faults
}

func (f *Fault) add(atSeconds float64, target string) {
	f.Injected++
	if f.FirstAtSeconds == nil {
		f.FirstAtSeconds = &atSeconds
	}
	f.LastAtSeconds = &atSeconds
	if target == "" {
		return
	}
	i := slices.IndexFunc(f.Targets, func(t Target) bool { return t.Name == target })
	switch {
	case i >= 0:
		f.Targets[i].Count++
	case len(f.Targets) < mostTargets:
		f.Targets = append(f.Targets, Target{Name: target, Count: 1, FirstAtSeconds: atSeconds})
	}
}

// Text returns the fault in one line: how often, when, and the targets that it hit most.
func (f Fault) Text() string {
	if f.Injected == 0 {
		return f.Fault + ": never injected"
	}
	text := fmt.Sprintf("%s ×%s", f.Fault, quantity.Count(float64(f.Injected))) + f.period()
	targets := slices.Clone(f.Targets)
	slices.SortStableFunc(targets, func(a, b Target) int { return cmp.Compare(b.Count, a.Count) })
	names, rest := make([]string, 0, mostNamed), f.Injected
	for _, t := range targets[:min(len(targets), mostNamed)] {
		name := t.Name
		if t.Count > 1 {
			name += " ×" + quantity.Count(float64(t.Count))
		}
		names, rest = append(names, name), rest-t.Count
	}
	if len(names) == 0 {
		return text
	}
	return text + ": " + andMore(names, rest)
}

// period returns when the fault was injected.
func (f Fault) period() string {
	if f.FirstAtSeconds == nil || f.LastAtSeconds == nil {
		return ""
	}
	first, last := quantity.Format(*f.FirstAtSeconds, "s"), quantity.Format(*f.LastAtSeconds, "s")
	if first == last {
		return " at " + first
	}
	return fmt.Sprintf(" from %s to %s", first, last)
}

// AddTarget adds a target to the names that a line shows, unless it is there or there are
// enough.
func AddTarget(names []string, target string) []string {
	if target == "" || len(names) == mostNamed || slices.Contains(names, target) {
		return names
	}
	return append(names, target)
}

// TargetsText lists the first targets of so many injections; empty for none.
func TargetsText(names []string, injections int) string {
	if len(names) == 0 {
		return ""
	}
	return andMore(names, int64(injections-len(names)))
}

func andMore(names []string, rest int64) string {
	text := strings.Join(names, ", ")
	if rest > 0 {
		text += fmt.Sprintf(" and %s more", quantity.Count(float64(rest)))
	}
	return text
}
