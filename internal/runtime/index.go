package mabeam

import "slices"

// An index has a list of entries for each key. Keys without entries are gone.
type index map[string]*members

// members are the entries that share a key of an index. An entry keeps its
// position, so that taking it out costs the same however many there are.
type members struct {
	index   index
	key     string
	entries pages[*entry]
	// newest is the shape of the entry that came last, if this is the list of
	// a type.
	newest *shape
}

// A shape is what entries that are alike in type, node and capabilities share:
// the lists that they are in. Agents are mostly started by the many from one
// description, and all but the first need not look their lists up.
type shape struct {
	node         string
	capabilities []string
	lists        []*members // of the type, the node, and each capability
}

// list returns the list of a key, which is made when there is none.
func (x index) list(key string) *members {
	m := x[key]
	if m == nil {
		m = &members{index: x, key: key}
		x[key] = m
	}
	return m
}

// shapeOf returns the lists that an entry with this record belongs in.
func (r *Registry) shapeOf(record *Record) *shape {
	byType := r.byType.list(record.Type)
	if s := byType.newest; s != nil && s.fits(record) {
		return s
	}
	s := &shape{
		node: record.Node, capabilities: record.Capabilities,
		lists: make([]*members, 0, 2+len(record.Capabilities)),
	}
	s.lists = append(s.lists, byType, r.byNode.list(record.Node))
	for _, c := range record.Capabilities {
		s.lists = append(s.lists, r.byCapability.list(c))
	}
	byType.newest = s
	return s
}

// fits says whether an entry with this record, of the same type, belongs in the
// lists of the shape, and none of them is gone.
func (s *shape) fits(record *Record) bool {
	return s.node == record.Node && slices.Equal(s.capabilities, record.Capabilities) &&
		!slices.ContainsFunc(s.lists, func(m *members) bool { return m.entries.len() == 0 })
}

// add appends the entry and returns its position.
func (m *members) add(e *entry) int32 {
	m.entries.add(e)
	return int32(m.entries.len() - 1)
}

// remove takes out what is at pos and moves the last entry there.
func (m *members) remove(pos int32) {
	last := int32(m.entries.len() - 1)
	if pos != last {
		moved := *m.entries.at(int(last))
		*m.entries.at(int(pos)) = moved
		moved.move(m, last, pos)
	}
	m.entries.drop()
	if last == 0 {
		delete(m.index, m.key)
	}
}

// move notes that the entry moved within a list.
func (e *entry) move(list *members, from, to int32) {
	for i, m := range e.shape.lists {
		if m == list && e.positions[i] == from {
			e.positions[i] = to
			return
		}
	}
}
