package measure

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
)

// A registryCheck compares a registry with what was registered: the first present entries,
// and those that workers register and unregister meanwhile.
type registryCheck struct {
	*conformance.Checker
	registry registry
	entries  []mabeam.Entry
	present  int
	// shared means that others use the registry too. Their entries are ignored.
	shared bool
	others int // entries that existed before
}

// newRegistryCheck returns a check that counts violations in a metric.
func newRegistryCheck(env *stress.Env, metric string, reg registry, records []mabeam.Record) *registryCheck {
	broken := conformance.NewChecker(env, metric)
	broken.Label = "inconsistent registry"
	entries := make([]mabeam.Entry, len(records))
	for i, r := range records {
		entries[i] = r.Entry()
	}
	return &registryCheck{Checker: broken, registry: reg, entries: entries}
}

// A listing is one way to list entries, and which entries belong in it.
type listing struct {
	name  string
	list  func() []mabeam.Entry
	holds func(mabeam.Entry) bool
}

// moved is the type, capability and node of changed entries.
const moved = "moved"

func (c *registryCheck) byType(t string) listing {
	return listing{"the list by type", func() []mabeam.Entry { return c.registry.ByType(t) }, func(e mabeam.Entry) bool { return e.Type() == t }}
}

func (c *registryCheck) byCapability(capability string) listing {
	return listing{
		"the list by capability", func() []mabeam.Entry { return c.registry.ByCapability(capability) },
		func(e mabeam.Entry) bool { return e.HasCapability(capability) },
	}
}

func (c *registryCheck) byNode(node string) listing {
	return listing{"the list by node", func() []mabeam.Entry { return c.registry.ByNode(node) }, func(e mabeam.Entry) bool { return e.Node() == node }}
}

// listings returns all lists that the entries can be in.
func (c *registryCheck) listings() []listing {
	all := []listing{
		{"the list of all", c.registry.All, func(mabeam.Entry) bool { return true }},
		c.byType(moved), c.byCapability(moved), c.byNode(moved),
		c.byCapability(agents.Demo().Capabilities[0]), c.byNode("local"),
	}
	for i := range recordTypeCount {
		all = append(all, c.byType("type-"+strconv.Itoa(i)))
	}
	return all
}

// check compares a list with the entries that belong in it. Up to workers entries of
// workers may be in it, each once.
func (c *registryCheck) check(l listing, workers int) {
	seen, others := make([]bool, c.present), map[string]bool{}
	twice, strange := 0, 0
	for _, e := range l.list() {
		id := e.ID()
		number, isEntry := strings.CutPrefix(id, "entry-")
		i, err := strconv.Atoi(number)
		switch {
		case !l.holds(e), isEntry && (err != nil || i >= c.present || !l.holds(c.entries[i])):
			strange++
		case isEntry && seen[i], others[id]:
			twice++
		case isEntry:
			seen[i] = true
		case !c.shared || strings.HasPrefix(id, "worker-") || strings.HasPrefix(id, "fresh-"):
			others[id] = true
		}
	}
	missing := 0
	for i, there := range seen {
		if !there && l.holds(c.entries[i]) {
			missing++
		}
	}
	c.Add(int64(missing), l.name+" misses entries")
	c.Add(int64(twice), l.name+" has entries twice")
	allowed := workers
	if !c.shared {
		allowed += c.others
	}
	c.Add(int64(strange+max(len(others)-allowed, 0)), l.name+" has entries that do not belong there")
}

// count compares the count with the number of entries, unless others use the registry too.
func (c *registryCheck) count(want int) {
	if n := c.registry.Count() - c.others; n != want && !c.shared {
		c.Add(int64(max(n-want, want-n)), "the count does not match the registered entries")
	}
}

// checkAll checks everything while no worker changes the registry.
func (c *registryCheck) checkAll() {
	for _, l := range c.listings() {
		c.check(l, 0)
	}
	c.count(c.present)
	wrong := 0
	for i := range c.entries[:c.present] {
		e, ok := c.registry.Lookup(c.entries[i].ID())
		if !ok || !sameEntry(e, c.entries[i]) {
			wrong++
		}
	}
	c.Add(int64(wrong), "a lookup does not return what was registered")
	_, found := c.registry.Lookup("entry-nobody")
	c.Expect(!found, "a lookup finds an unknown id")
}

// sameEntry reports whether an entry is what was registered.
func sameEntry(e, want mabeam.Entry) bool {
	return e.ID() == want.ID() && e.Type() == want.Type() && e.Node() == want.Node() && slices.Equal(e.Capabilities(), want.Capabilities())
}

const (
	// churnOperations is how many operations change the registry at each size, and listEvery
	// the interval of operations that check a list instead.
	churnOperations = 2000
	listEvery       = 100
	// movedEntries is how many entries are moved, and back, at each size.
	movedEntries = 16
)

// churn checks the lists while workers register, change and unregister their own entries.
func (c *registryCheck) churn(ctx context.Context, loads budget, workers int) error {
	own, all := newRecords("worker", workers), c.listings()
	step := make([]int, workers) // of each worker's cycle
	_, err := loads.run(ctx, load.Load{Workers: workers, Operations: churnOperations}, func(_ context.Context, op load.Op) error {
		if op.N%listEvery == 0 {
			c.check(all[op.N/listEvery%len(all)], workers)
			return nil
		}
		w := op.Worker
		step[w]++
		return c.change(own[w], step[w]%3, step[w]/3)
	})
	for w := range own {
		if step[w]%3 != 0 {
			c.registry.Unregister(own[w].ID)
		}
	}
	return err
}

// change is one step of a worker's n-th cycle: register its entry (1), move it (2) or
// unregister it (0). The change must show at once everywhere.
func (c *registryCheck) change(own mabeam.Record, step, n int) error {
	switch step {
	case 1:
		if err := c.registry.Register(own); err != nil {
			c.Add(1, "an unregistered entry cannot be registered again")
			return err
		}
	case 2:
		if err := c.move(&own, n); err != nil {
			return err
		}
	default:
		if !c.registry.Unregister(own.ID) {
			c.Add(1, "a registered entry cannot be unregistered")
			return errNotThere
		}
	}
	want := own.Entry()
	found, ok := c.registry.Lookup(own.ID)
	if ok != (step != 0) || ok && !sameEntry(found, want) {
		c.Add(1, "a lookup does not show the latest change")
		return errStale
	}
	for _, l := range []listing{c.byType(moved), c.byCapability(moved), c.byNode(moved)} {
		listed := slices.ContainsFunc(l.list(), func(e mabeam.Entry) bool { return e.ID() == own.ID })
		if listed != l.holds(want) {
			c.Add(1, l.name+" does not show the latest change")
			return errStale
		}
	}
	return nil
}

var errStale = errors.New("the registry does not show the latest change")

// move changes the type, the capability, the node, or all three, depending on n. A faulty
// registry may not update an index if only its key has changed.
func (c *registryCheck) move(r *mabeam.Record, n int) error {
	if n%4 == 0 || n%4 == 1 {
		r.Type = moved
	}
	if n%4 == 0 || n%4 == 2 {
		r.Capabilities = []string{moved}
	}
	if n%4 == 0 || n%4 == 3 {
		r.Node = moved
	}
	return c.update(*r)
}

// update changes an entry to the given record.
func (c *registryCheck) update(to mabeam.Record) error {
	err := c.registry.Update(to.ID, func(r *mabeam.Record) error {
		r.Type, r.Capabilities, r.Node = to.Type, to.Capabilities, to.Node
		return nil
	})
	if err != nil {
		c.Add(1, "a registered entry cannot be changed")
	}
	return err
}

// moveEntries moves some of the entries and back. Entries that were read before must not
// change.
func (c *registryCheck) moveEntries() {
	every := max(c.present/movedEntries, 1)
	var were, read []mabeam.Entry
	for i := 0; i < c.present; i += every {
		e, _ := c.registry.Lookup(c.entries[i].ID())
		were, read = append(were, c.entries[i]), append(read, e)
		to := c.entries[i].Record()
		_ = c.move(&to, len(were))
		c.entries[i] = to.Entry()
	}
	c.checkAll()
	for k, was := range were {
		c.Expect(read[k].ID() == "" || sameEntry(read[k], was), "an entry that was read before a change shows the change")
		c.entries[k*every] = was
		_ = c.update(was.Record())
	}
	c.checkAll()
}

// errRefused is the error of a change that must not happen.
var errRefused = errors.New("refused on purpose")

// checkOperations checks the documented rules of registering, changing and unregistering.
func (c *registryCheck) checkOperations() {
	own := mabeam.Record{ID: "worker-rules", Type: "rules", Node: "local", Capabilities: []string{"rules"}, Metadata: map[string]any{"key": 1}}
	shows := func(what string) {
		e, ok := c.registry.Lookup(own.ID)
		c.Expect(ok && e.ID() == own.ID && e.Type() == "rules" && slices.Equal(e.Capabilities(), []string{"rules"}) && e.Metadata()["key"] == 1, what)
	}
	c.Expect(c.registry.Register(own) == nil, "an entry cannot be registered")
	own.Capabilities[0], own.Metadata["key"] = "other", 2
	shows("the registry does not copy a record when it is registered")
	c.Expect(errors.Is(c.registry.Register(own), mabeam.ErrAlreadyRegistered), "an id can be registered twice")
	shows("a refused registration changes the entry")
	err := c.registry.Update(own.ID, func(r *mabeam.Record) error {
		r.Type, r.Capabilities = "other", nil
		return errRefused
	})
	c.Expect(errors.Is(err, errRefused), "Update does not return the error of its function")
	shows("a failed change changes the entry")
	err = c.registry.Update(own.ID, func(r *mabeam.Record) error {
		r.ID = "worker-other"
		return nil
	})
	c.Expect(err == nil, "a registered entry cannot be changed")
	shows("Update can change the id")
	err = c.registry.Update("entry-nobody", func(*mabeam.Record) error { return nil })
	c.Expect(errors.Is(err, mabeam.ErrUnknownAgent), "Update of an unknown entry does not return ErrUnknownAgent")
	c.Expect(c.registry.Unregister(own.ID) && !c.registry.Unregister(own.ID), "Unregister does not return true exactly once")
	_, found := c.registry.Lookup(own.ID)
	c.Expect(!found && len(c.registry.ByType("rules"))+len(c.registry.ByType("other"))+len(c.registry.ByCapability("rules")) == 0,
		"an unregistered entry is still found")
}

// removeAll unregisters all entries and checks that nothing remains.
func (c *registryCheck) removeAll() {
	kept := 0
	for i := range c.entries[:c.present] {
		if !c.registry.Unregister(c.entries[i].ID()) {
			kept++
		}
	}
	c.Add(int64(kept), "entries cannot be unregistered")
	c.present = 0
	c.checkAll()
}
