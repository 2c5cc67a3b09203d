package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A Fault is a disturbance injected on purpose: how often it was, when, and whom
// it hit.
type Fault struct {
	Fault    string `json:"fault"`
	Injected int64  `json:"injected"`
	// FirstAtSeconds and LastAtSeconds are when it was injected first and last, in
	// seconds since the start of the step; nil if it never was.
	FirstAtSeconds *float64 `json:"first_at_seconds,omitempty"`
	LastAtSeconds  *float64 `json:"last_at_seconds,omitempty"`
	// Hit are the agents, subscribers or components that it hit, in the order in
	// which each was hit first; empty for one that hits the whole process. After
	// mostHit of them the further ones are counted in Injected alone.
	Targets []Target `json:"hit,omitempty"`
}

// A Hit is what a fault hit, how often, and when first, in seconds since the start
// of the step.
type Target struct {
	Name           string  `json:"name"`
	Count          int64   `json:"count"`
	FirstAtSeconds float64 `json:"first_at_seconds"`
}

const (
	// mostHit is how many of those that a fault hit a report knows by name.
	mostHit = 100
	// mostNamed is how many of them are named in a line.
	mostNamed = 6
)

// AddFault counts a fault with those of its kind. Name is what it hit; empty for
// the process.
func AddFault(faults []Fault, kind string, atSeconds float64, name string) []Fault {
	i := slices.IndexFunc(faults, func(known Fault) bool { return known.Fault == kind })
	if i < 0 {
		i = len(faults)
		faults = append(faults, Fault{Fault: kind})
	}
	faults[i].add(max(atSeconds, 0), name)
	return faults
}

func (f *Fault) add(atSeconds float64, name string) {
	f.Injected++
	if f.FirstAtSeconds == nil {
		f.FirstAtSeconds = &atSeconds
	}
	f.LastAtSeconds = &atSeconds
	if name == "" {
		return
	}
	i := slices.IndexFunc(f.Targets, func(h Target) bool { return h.Name == name })
	switch {
	case i >= 0:
		f.Targets[i].Count++
	case len(f.Targets) < mostHit:
		f.Targets = append(f.Targets, Target{Name: name, Count: 1, FirstAtSeconds: atSeconds})
	}
}

// Text tells the fault in a line: how often, when, and those whom it hit most.
func (f Fault) Text() string {
	text := fmt.Sprintf("%s ×%s", f.Fault, quantity.Count(float64(f.Injected)))
	if f.FirstAtSeconds != nil && f.LastAtSeconds != nil {
		first, last := quantity.Format(*f.FirstAtSeconds, "s"), quantity.Format(*f.LastAtSeconds, "s")
		if first == last {
			text += " at " + first
		} else {
			text += fmt.Sprintf(" from %s to %s", first, last)
		}
	}
	hit := slices.Clone(f.Targets)
	slices.SortStableFunc(hit, func(a, b Target) int { return cmp.Compare(b.Count, a.Count) })
	names, rest := make([]string, 0, mostNamed), f.Injected
	for _, h := range hit[:min(len(hit), mostNamed)] {
		name := h.Name
		if h.Count > 1 {
			name += " ×" + quantity.Count(float64(h.Count))
		}
		names, rest = append(names, name), rest-h.Count
	}
	if len(names) == 0 {
		return text
	}
	return text + ": " + listed(names, rest)
}

// AddHit adds a name to those that are told in a line, unless it is there already,
// or enough are; none is added of a fault that hits the whole process.
func AddTarget(names []string, name string) []string {
	if name == "" || len(names) == mostNamed || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// HitText lists the first of those that so many injections hit; empty where there
// is none to name.
func TargetsText(names []string, injections int) string {
	if len(names) == 0 {
		return ""
	}
	return listed(names, int64(injections-len(names)))
}

// listed lists names, and how many hits more there were.
func listed(names []string, rest int64) string {
	text := strings.Join(names, ", ")
	if rest > 0 {
		text += fmt.Sprintf(" and %s more", quantity.Count(float64(rest)))
	}
	return text
}
