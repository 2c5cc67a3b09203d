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
	"mabeam-top/internal/stress/load"
)

// A census compares what a registry returns with what was registered: the first
// `present` of the entries, and what workers register and take out meanwhile.
type registryCheck struct {
	*checker
	registry registry
	entries  []mabeam.Entry
	present  int
	// Shared says that others use the registry too. Their entries are ignored.
	shared bool
	others int // entries that were there before
}

// newRegistryCheck returns one whose violations a metric counts.
func newRegistryCheck(env *stress.Env, metric string, reg registry, records []mabeam.Record) *registryCheck {
	broken := newChecker(env, metric)
	broken.label = "inconsistent registry"
	entries := make([]mabeam.Entry, len(records))
	for i, r := range records {
		entries[i] = r.Entry()
	}
	return &registryCheck{checker: broken, registry: reg, entries: entries}
}

// A listing is one way to list entries, and which of them belong in it.
type listing struct {
	name  string
	list  func() []mabeam.Entry
	holds func(mabeam.Entry) bool
}

// moved is the type, capability and node of entries that were changed.
const moved = "moved"

func (c *registryCheck) byType(t string) listing {
	return listing{"the listing by type", func() []mabeam.Entry { return c.registry.ByType(t) }, func(e mabeam.Entry) bool { return e.Type() == t }}
}

func (c *registryCheck) byCapability(capability string) listing {
	return listing{
		"the listing by capability", func() []mabeam.Entry { return c.registry.ByCapability(capability) },
		func(e mabeam.Entry) bool { return e.HasCapability(capability) },
	}
}

func (c *registryCheck) byNode(node string) listing {
	return listing{"the listing by node", func() []mabeam.Entry { return c.registry.ByNode(node) }, func(e mabeam.Entry) bool { return e.Node() == node }}
}

// listings are all that the entries can be in.
func (c *registryCheck) listings() []listing {
	all := []listing{
		{"the listing of all", c.registry.All, func(mabeam.Entry) bool { return true }},
		c.byType(moved), c.byCapability(moved), c.byNode(moved),
		c.byCapability(agents.Demo().Capabilities[0]), c.byNode("local"),
	}
	for i := range recordTypeCount {
		all = append(all, c.byType("type-"+strconv.Itoa(i)))
	}
	return all
}

// check compares a listing with the entries that belong in it. There may be up to
// that many entries of workers, each once.
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
	c.add(int64(missing), l.name+" misses entries")
	c.add(int64(twice), l.name+" has entries twice")
	allowed := workers
	if !c.shared {
		allowed += c.others
	}
	c.add(int64(strange+max(len(others)-allowed, 0)), l.name+" has entries that do not belong there")
}

// count compares the count with the number of entries that there are. Where others use
// the registry too, it is not known.
func (c *registryCheck) count(want int) {
	if n := c.registry.Count() - c.others; n != want && !c.shared {
		c.add(int64(max(n-want, want-n)), "the count differs from the entries registered")
	}
}

// atRest checks everything while no worker changes the registry.
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
	c.add(int64(wrong), "lookups do not find what was registered")
	_, found := c.registry.Lookup("entry-nobody")
	c.expect(!found, "a lookup finds what was never registered")
}

// same says whether an entry is what was registered.
func sameEntry(e, want mabeam.Entry) bool {
	return e.ID() == want.ID() && e.Type() == want.Type() && e.Node() == want.Node() && slices.Equal(e.Capabilities(), want.Capabilities())
}

const (
	// churnOperations is how many operations change the registry while its
	// listings are checked, at each size, and listEvery which of them are those
	// checks.
	churnOperations = 2000
	listEvery       = 100
	// movedEntries is how many entries are moved, and back, at each size.
	movedEntries = 16
)

// churn checks the listings while workers register, change and unregister
// entries of their own.
func (c *registryCheck) churn(ctx context.Context, loads budget) error {
	workers := c.env.Params.Int("concurrency")
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

// change is one step of a worker's n-th cycle: to register its entry (1), to move it (2),
// and to take it out (0). What it did must show at once, and everywhere.
func (c *registryCheck) change(own mabeam.Record, step, n int) error {
	switch step {
	case 1:
		if err := c.registry.Register(own); err != nil {
			c.add(1, "an entry that was taken out cannot be registered again")
			return err
		}
	case 2:
		if err := c.move(&own, n); err != nil {
			return err
		}
	default:
		if !c.registry.Unregister(own.ID) {
			c.add(1, "an entry that was registered cannot be taken out")
			return errNotThere
		}
	}
	want := own.Entry()
	found, ok := c.registry.Lookup(own.ID)
	if ok != (step != 0) || ok && !sameEntry(found, want) {
		c.add(1, "a lookup does not show the change before it")
		return errStale
	}
	for _, l := range []listing{c.byType(moved), c.byCapability(moved), c.byNode(moved)} {
		listed := slices.ContainsFunc(l.list(), func(e mabeam.Entry) bool { return e.ID() == own.ID })
		if listed != l.holds(want) {
			c.add(1, l.name+" does not show the change before it")
			return errStale
		}
	}
	return nil
}

var errStale = errors.New("the registry does not show the last change")

// move gives an entry another type, another capability, another node, or all three, by
// its number: an index may be forgotten where only what it is of has changed.
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

// update changes an entry to what it should be.
func (c *registryCheck) update(to mabeam.Record) error {
	err := c.registry.Update(to.ID, func(r *mabeam.Record) error {
		r.Type, r.Capabilities, r.Node = to.Type, to.Capabilities, to.Node
		return nil
	})
	if err != nil {
		c.add(1, "an entry that was registered cannot be changed")
	}
	return err
}

// moveSome moves some of the entries and back. What was read before stays as it was.
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
		c.expect(read[k].ID() == "" || sameEntry(read[k], was), "a record that was read before a change shows it")
		c.entries[k*every] = was
		_ = c.update(was.Record())
	}
	c.checkAll()
}

// errRefused is the error of a change that must not happen.
var errRefused = errors.New("refused on purpose")

// rules checks what the registry promises of one entry.
func (c *registryCheck) checkOperations() {
	own := mabeam.Record{ID: "worker-rules", Type: "rules", Node: "local", Capabilities: []string{"rules"}, Metadata: map[string]any{"key": 1}}
	shows := func(what string) {
		e, ok := c.registry.Lookup(own.ID)
		c.expect(ok && e.ID() == own.ID && e.Type() == "rules" && slices.Equal(e.Capabilities(), []string{"rules"}) && e.Metadata()["key"] == 1, what)
	}
	c.expect(c.registry.Register(own) == nil, "an entry cannot be registered")
	own.Capabilities[0], own.Metadata["key"] = "other", 2
	shows("the registry keeps no copy of what was registered")
	c.expect(errors.Is(c.registry.Register(own), mabeam.ErrAlreadyRegistered), "an id can be registered twice")
	shows("a registration that was refused changes the entry")
	err := c.registry.Update(own.ID, func(r *mabeam.Record) error {
		r.Type, r.Capabilities = "other", nil
		return errRefused
	})
	c.expect(errors.Is(err, errRefused), "the error of a change is not returned")
	shows("a change that failed changes the entry")
	err = c.registry.Update(own.ID, func(r *mabeam.Record) error {
		r.ID = "worker-other"
		return nil
	})
	c.expect(err == nil, "an entry that was registered cannot be changed")
	shows("a change can change the id")
	err = c.registry.Update("entry-nobody", func(*mabeam.Record) error { return nil })
	c.expect(errors.Is(err, mabeam.ErrUnknownAgent), "an entry that is not there can be changed")
	c.expect(c.registry.Unregister(own.ID) && !c.registry.Unregister(own.ID), "an entry can be taken out never, or twice")
	_, found := c.registry.Lookup(own.ID)
	c.expect(!found && len(c.registry.ByType("rules"))+len(c.registry.ByType("other"))+len(c.registry.ByCapability("rules")) == 0,
		"an entry that was taken out is still found")
}

// empty takes all entries out and checks that nothing has stayed.
func (c *registryCheck) removeAll() {
	kept := 0
	for i := range c.entries[:c.present] {
		if !c.registry.Unregister(c.entries[i].ID()) {
			kept++
		}
	}
	c.add(int64(kept), "entries cannot be taken out")
	c.present = 0
	c.checkAll()
}
