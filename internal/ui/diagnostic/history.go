package diagnostic

import "slices"

// maxEntries is the number of warnings that a history keeps.
const maxEntries = 200

// An Entry is a warning of a history. It lasted until a time, unless it has not
// ended.
type Entry struct {
	Warning
	Until float64
	Ended bool
}

// A History keeps the warnings of a run, with when each began and ended.
type History struct {
	// Now are the warnings of the newest snapshot.
	Now []Warning
	// All are the warnings so far, in the order in which they were found.
	All []Entry
}

// Add records the warnings of a snapshot. A warning that lasts has its newest
// text.
func (h *History) Add(warnings []Warning, t float64) {
	h.Now = warnings
	all := slices.Clone(h.All)
	for i := range all {
		if !all[i].Ended && !slices.ContainsFunc(warnings, func(w Warning) bool { return w.ID == all[i].ID }) {
			all[i].Ended = true
		}
	}
	for _, w := range warnings {
		i := slices.IndexFunc(all, func(e Entry) bool { return !e.Ended && e.ID == w.ID })
		if i < 0 {
			all = append(all, Entry{Warning: w, Until: t})
			continue
		}
		w.Since = min(w.Since, all[i].Since)
		all[i].Warning, all[i].Until = w, t
	}
	h.All = all[max(len(all)-maxEntries, 0):]
}

// At returns the warnings that held at a time.
func (h *History) At(t float64) []Warning {
	var out []Warning
	for _, e := range h.All {
		if e.Since <= t && (t <= e.Until || !e.Ended) {
			out = append(out, e.Warning)
		}
	}
	return out
}
