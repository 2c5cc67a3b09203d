package mabeam

import (
	"container/list"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// A Group is the members of a named group at one moment, in the order in which they
// joined. It does not change when others join or leave. The zero value has no members.
type Group struct{ members []Ref }

// Len is the number of members.
func (g Group) Len() int { return len(g.members) }

// At returns the member at a position, from 0 to Len-1.
func (g Group) At(i int) Ref { return g.members[i] }

// All yields the members in the order in which they joined.
func (g Group) All() iter.Seq[Ref] { return slices.Values(g.members) }

// Group returns the present members of a group. A group exists as long as it has members, so that an
// unknown group is an empty one. The cost does not depend on the number of members, except for the
// first call after somebody has joined or left.
func (s *System) Group(name string) Group { return s.namedGroups.list(name) }

// Groups returns the names of the groups that have members, sorted.
func (s *System) Groups() []string { return s.namedGroups.names() }

// Join makes the agent a member of a group, the last in order. An agent that is a member
// already keeps its place. An agent that joins in its Init is listed from then on, and what
// it is sent waits until it is ready.
//
// It is a member until it leaves, is asked to stop, or ends. It has left all its groups before anybody
// is notified of its end. RestartAgent keeps it in them. ErrStopping, ErrKilled or ErrCrashed mean
// that it is too late to join.
func (a *Agent) Join(group string) error {
	if group == "" {
		return errors.New("join group: no name")
	}
	err := ErrStopping
	a.bind(func(b *bonds) {
		if err = a.mailbox.closed; err == nil {
			b.join(&a.system.namedGroups, group, Ref{a})
		}
	})
	if ended := a.err(); ended != nil {
		err = ended
	}
	if err != nil {
		return fmt.Errorf("join group %q: %w", group, err)
	}
	return nil
}

// Leave takes the agent out of a group, if it is a member. What it has accepted until then
// it carries out all the same.
func (a *Agent) Leave(group string) {
	a.unbind(func(b *bonds) { b.leaveGroup(&a.system.namedGroups, group) })
}

// Groups returns the names of the groups that the agent is a member of, sorted.
func (a *Agent) Groups() (names []string) {
	a.unbind(func(b *bonds) { names = slices.Sorted(maps.Keys(b.groups)) })
	return names
}

// leaveGroups takes the agent out of all its groups. It is called with mailbox.mu held when
// the mailbox closes, so that no member of a group refuses for longer than it is listed.
func (a *Agent) leaveGroups() {
	if a.bonds == nil {
		return
	}
	for name := range a.bonds.groups {
		a.bonds.leaveGroup(&a.system.namedGroups, name)
	}
}

// join and leaveGroup are called with the agent's mailbox.mu held.
func (b *bonds) join(g *namedGroups, name string, member Ref) {
	if b.groups == nil {
		b.groups = make(map[string]*list.Element)
	}
	if b.groups[name] == nil {
		b.groups[name] = g.join(name, member)
	}
}

func (b *bonds) leaveGroup(g *namedGroups, name string) {
	place := b.groups[name]
	if place == nil {
		return
	}
	g.leave(name, place)
	if delete(b.groups, name); len(b.groups) == 0 {
		b.groups = nil
	}
}

// namedGroups are the groups of a system that have members. The lock is taken last of all: none
// is taken while it is held.
type namedGroups struct {
	mu sync.Mutex
	of map[string]*namedGroup
	// most is the largest number of groups since of was made.
	most int
}

// A namedGroup has its members, each a Ref, in the order in which they joined.
type namedGroup struct {
	members list.List
	// listed is the list of the members; nil if somebody has joined or left since it was
	// made. It is never changed, since those who list the group have it.
	listed []Ref
}

func (g *namedGroups) join(name string, member Ref) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = make(map[string]*namedGroup)
	}
	joined := g.of[name]
	if joined == nil {
		joined = &namedGroup{}
		g.of[name] = joined
		g.most = max(g.most, len(g.of))
	}
	joined.listed = nil
	return joined.members.PushBack(member)
}

func (g *namedGroups) leave(name string, place *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := g.of[name]
	left.members.Remove(place)
	left.listed = nil
	if left.members.Len() == 0 {
		delete(g.of, name)
		g.shrink()
	}
}

// minShrink is the number of groups up to which no memory is given back while one is left.
const minShrink = 64

// shrink gives memory back when most groups are gone, which a map does not do by itself. The
// caller holds the lock.
func (g *namedGroups) shrink() {
	switch n := len(g.of); {
	case n == 0:
		g.of, g.most = nil, 0
	case g.most > minShrink && n < g.most/4:
		left := make(map[string]*namedGroup, n)
		maps.Copy(left, g.of)
		g.of, g.most = left, n
	}
}

func (g *namedGroups) list(name string) Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	listed := g.of[name]
	if listed == nil {
		return Group{}
	}
	if listed.listed == nil {
		listed.list()
	}
	return Group{listed.listed}
}

// list makes the list of the members.
func (g *namedGroup) list() {
	g.listed = make([]Ref, 0, g.members.Len())
	for e := g.members.Front(); e != nil; e = e.Next() {
		g.listed = append(g.listed, e.Value.(Ref))
	}
}

func (g *namedGroups) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.of))
}
