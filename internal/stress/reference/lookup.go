package reference

import "sync"

var lookupDescription = Description{
	Workload: MapLookup,
	Unit:     "ns",
	Doc:      "Time to look an id up in a map behind a sync.RWMutex, in ns per lookup. A measurement that times lookups alternates with it, for the same ids in the same order, because both depend on the contents of the caches, which change quickly.",
}

// A LookupMap is a table of ids as most programs implement it.
type LookupMap struct {
	mu        sync.RWMutex
	positions map[string]int
}

// NewLookupMap returns a table of ids.
func NewLookupMap(ids []string) *LookupMap {
	m := &LookupMap{positions: make(map[string]int)}
	for i, id := range ids {
		m.positions[id] = i
	}
	return m
}

// Lookup returns the position of an id; ok is false if it is not in the table.
func (m *LookupMap) Lookup(id string) (position int, ok bool) {
	m.mu.RLock()
	position, ok = m.positions[id]
	m.mu.RUnlock()
	return position, ok
}
