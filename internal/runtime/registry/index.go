package registry

import (
	"slices"
	"unsafe"
)

// An index has a list of registrations for each key. It has no empty lists.
type index map[string]*members

// members are the registrations with the same key in an index. Each registration knows its position, so
// removing one costs the same however many there are.
type members struct {
	index      index
	key        string
	registered pages[*Registration]
	// newest is the shape of the newest registration, if this is the list of a type.
	newest *shape
}

// A shape has the lists that registrations of the same type, node and capabilities are in. Usually many
// agents are started from one description, and only the first has to look its lists up.
type shape struct {
	node         string
	capabilities []string
	lists        []*members // of the type, the node, and each capability
}

// list returns the list of a key, which it makes if there is none.
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

// index adds a registration to the lists of its record.
func (r *Registry) index(e *Registration) {
	e.shape = r.shapeOf(e.record.Load())
	lists := e.shape.lists
	if e.first == nil || len(lists) > fewLists {
		e.first = unsafe.SliceData(make([]int32, max(len(lists), fewLists)))
	}
	for i, list := range lists {
		e.positions()[i] = list.add(e)
	}
}

// unindex removes a registration from its lists.
func (r *Registry) unindex(e *Registration) {
	for i, list := range e.shape.lists {
		list.remove(e.positions()[i])
	}
	e.shape = nil
}

// fits reports whether a registration with a record of the same type belongs in the lists of the shape,
// and all of these are still in their indices.
func (s *shape) fits(record *Record) bool {
	return s.node == record.Node && slices.Equal(s.capabilities, record.Capabilities) &&
		!slices.ContainsFunc(s.lists, func(m *members) bool { return m.registered.len() == 0 })
}

// add appends the registration and returns its position.
func (m *members) add(e *Registration) int32 {
	m.registered.add(e)
	return int32(m.registered.len() - 1)
}

// remove removes the registration at a position and moves the last one there.
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

// fewLists is the number of lists that nearly every registration is in at most.
const fewLists = 6

// positions returns the positions of the registration in the lists of its shape. The slice is not kept,
// because it would make every agent larger.
func (e *Registration) positions() []int32 { return unsafe.Slice(e.first, len(e.shape.lists)) }

// move records that the registration has moved within a list.
func (e *Registration) move(list *members, from, to int32) {
	for i, m := range e.shape.lists {
		if at := &e.positions()[i]; m == list && *at == from {
			*at = to
			return
		}
	}
}
