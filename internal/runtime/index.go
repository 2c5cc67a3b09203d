package mabeam

import (
	"slices"
	"unsafe"
)

// An index has a list of registrations for each key. Keys without any are gone.
type index map[string]*members

// members are the registrations that share a key of an index. Each keeps its
// position, so that taking it out costs the same however many there are.
type members struct {
	index      index
	key        string
	registered pages[*registration]
	// newest is the shape of the registration that came last, if this is the list of
	// a type.
	newest *shape
}

// A shape is what registrations that are alike in type, node and capabilities share:
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

// shapeOf returns the lists that a registration with this record belongs in.
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

// fits reports whether a registration with this record, of the same type, belongs in the
// lists of the shape, and none of them is gone.
func (s *shape) fits(record *Record) bool {
	return s.node == record.Node && slices.Equal(s.capabilities, record.Capabilities) &&
		!slices.ContainsFunc(s.lists, func(m *members) bool { return m.registered.len() == 0 })
}

// add appends the registration and returns its position.
func (m *members) add(e *registration) int32 {
	m.registered.add(e)
	return int32(m.registered.len() - 1)
}

// remove takes out what is at pos and moves the last registration there.
func (m *members) remove(pos int32) {
	last := int32(m.registered.len() - 1)
	if pos != last {
		moved := *m.registered.at(int(last))
		*m.registered.at(int(pos)) = moved
		moved.move(m, last, pos)
	}
	m.registered.removeLast()
	if last == 0 {
		delete(m.index, m.key)
	}
}

// fewLists is how many positions there is room for from the start.
const fewLists = 6

// positions are where the registration is in each list of its shape. Their slice is not kept,
// because every agent would be larger for it.
func (e *registration) positions() []int32 { return unsafe.Slice(e.first, len(e.shape.lists)) }

// move notes that the registration moved within a list.
func (e *registration) move(list *members, from, to int32) {
	for i, m := range e.shape.lists {
		if at := &e.positions()[i]; m == list && *at == from {
			*at = to
			return
		}
	}
}
