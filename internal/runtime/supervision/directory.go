package supervision

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A directory knows the supervisors of a system, and stops them with it.
type directory struct {
	system *mabeam.System

	mu    sync.Mutex
	roots []*Supervisor // in the order of their start
	byID  map[string]*Supervisor
}

type directoryKey struct{}

func directoryOf(system *mabeam.System) (*directory, error) {
	s, err := system.Service(directoryKey{}, func() mabeam.Service {
		return &directory{system: system, byID: map[string]*Supervisor{}}
	})
	if err != nil {
		return nil, err
	}
	return s.(*directory), nil
}

// add enters a supervisor, unless its id is taken or the system stops.
func (d *directory) add(v *Supervisor) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.system.Running().Err() != nil:
		return mabeam.ErrSystemStopped
	case d.byID[v.spec.ID] != nil:
		return mabeam.ErrAlreadyRegistered
	}
	d.byID[v.spec.ID] = v
	if v.parent == nil {
		d.roots = append(d.roots, v)
	}
	return nil
}

func (d *directory) remove(v *Supervisor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID[v.spec.ID] == v {
		delete(d.byID, v.spec.ID)
	}
	d.roots = slices.DeleteFunc(d.roots, func(x *Supervisor) bool { return x == v })
}

func (d *directory) all() []*Supervisor {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.roots)
}

// Stop stops all supervisors, the newest first.
func (d *directory) Stop(ctx context.Context) error {
	var errs []error
	for _, v := range slices.Backward(d.all()) {
		errs = append(errs, v.Stop(ctx))
	}
	return errors.Join(errs...)
}

// Crash makes all supervisors that have none above them crash and begin anew, as package
// faults wants it. It reports whether there were any.
func (d *directory) Crash(restarted func(supervisorID string)) (crashed bool) {
	all := d.all()
	for _, v := range all {
		v.crash(restarted)
	}
	return len(all) > 0
}

// A Node is a supervisor with what is below it, at one moment.
type Node struct {
	ID       string
	Strategy Strategy
	// Restarts is how many of the Allowed restarts there were of late: with one more
	// than allowed Within the time it gives up.
	Restarts, Allowed int
	Within            time.Duration
	Children          []NodeChild
	// Unlisted is how many children there are besides.
	Unlisted int
}

// A NodeChild is a child in a tree of supervisors.
type NodeChild struct {
	ChildInfo
	Restart RestartPolicy
	// Why is why it was restarted last, or is about to be; empty if it never was.
	Why string
	// Below is what is below the child if it is a supervisor that lives.
	Below *Node
}

// Tree returns the supervisors of a system, those that have none above them in the order
// of their start, with up to most of their children in all; 0 means all. The children of
// one supervisor count before what is below them.
func Tree(system *mabeam.System, most int) []Node {
	d, err := directoryOf(system)
	if err != nil {
		return nil
	}
	if most <= 0 {
		most = math.MaxInt
	}
	var nodes []Node
	for _, v := range d.all() {
		nodes = append(nodes, v.node(&most))
	}
	return nodes
}

// node tells of a supervisor, with as many of its children as are left to be told.
func (v *Supervisor) node(left *int) Node {
	v.mu.Lock()
	v.restarts.forget(time.Now())
	n := Node{
		ID: v.spec.ID, Strategy: v.spec.Strategy, Restarts: len(v.restarts.times),
		Allowed: v.restarts.Restarts, Within: v.restarts.Within,
	}
	told := min(*left, len(v.children))
	*left -= told
	n.Unlisted = len(v.children) - told
	for _, c := range v.children[:told] {
		n.Children = append(n.Children, NodeChild{ChildInfo: c.info(), Restart: c.Restart, Why: c.why})
	}
	v.mu.Unlock()
	for i := range n.Children {
		if below := n.Children[i].Supervisor; below != nil {
			node := below.node(left)
			n.Children[i].Below = &node
		}
	}
	return n
}
