package reference

import "sync"

var lookupDescription = Description{
	Work: MapLookup,
	Unit: "ns",
	Doc:  "Time to look an id up in a map behind a sync.RWMutex, in ns per lookup. A measurement that times lookups takes turns with it, for the same ids in the same order: what caches hold changes the time of a lookup more, and faster, than a round before the repetition could tell.",
}

// A LookupMap is a table of ids as most programs would write it.
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

// Lookup returns the position of an id, and false if it is not in the table.
func (m *LookupMap) Lookup(id string) (int, bool) {
	m.mu.RLock()
	i, ok := m.positions[id]
	m.mu.RUnlock()
	return i, ok
}
