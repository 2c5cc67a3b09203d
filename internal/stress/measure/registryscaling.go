package measure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

const (
	// scalabilityParts is into how many loads the operations at each size are
	// divided, of which the median counts: one hiccup of the machine decides
	// nothing.
	scalabilityParts = 5
	// scalabilityBatch is how many operations are timed together. A lookup takes
	// 20 ns and recording its time 100: one by one, a registry that takes twice
	// as long would seem to take a sixth more.
	scalabilityBatch = 10
	// churnOperations is how many operations change the registry while its
	// listings are checked, at each size, and listEvery which of them are those
	// checks.
	churnOperations = 2000
	listEvery       = 100
	// recordTypes is how many types the records of registryRecords have.
	recordTypes = 4
)

func registryScalability() *stress.Measurement {
	return &stress.Measurement{
		Name:      "registry-scalability",
		Summary:   "Does the registry stay as fast and right, and how much memory does it take, as agents become many?",
		Component: "registry_scalability",
		Alone:     true,
		Params: []stress.Param{
			{Name: "agent_counts", Kind: stress.Ints, Default: []int{100, 1000, 10000, 100000}, Min: 1, Max: 10_000_000, Doc: "Numbers of registered agents to measure at, from the smallest to the largest. How it scales takes two different ones."},
			{Name: "operations", Kind: stress.Int, Default: 50000, Min: scalabilityParts, Max: 1_000_000_000, Doc: "Operations at each number: 80 % lookups, 10 % registrations, 10 % unregistrations; once by one caller and once by many."},
			{Name: "concurrency", Kind: stress.Int, Default: 16, Min: 1, Max: 10_000, Doc: "Operations at once, where it is many callers."},
			{Name: "metadata", Kind: stress.Int, Default: 4, Min: 0, Max: 1000, Doc: "Entries of metadata in each record. The less a record holds, the more of the memory is the registry's own."},
		},
		Metrics: []stress.Metric{
			{Name: "scaling_factor", Unit: "ratio", Better: report.Lower, Doc: "By what factor one caller's mean time per operation grows with each doubling of the agents, as geometric mean from the fewest to the most: 1 is constant, 2 linear."},
			{Name: "operation_scaling", Unit: "text", Better: report.Neither, Doc: "How that time grows with the agents, by the exponent of a log–log fit: constant, logarithmic (less than linear), linear, or superlinear."},
			{Name: "operation_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "That time itself, of ten operations timed together / ten, among the most agents; with .COUNT among that many."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "By what share the rate of many callers at once falls with each doubling of the agents, as geometric mean from the fewest to the most; not below 0."},
			{Name: "max_tested_agents", Unit: "count", Better: report.Higher, CappedBy: "agent_counts", Doc: "The most agents among which every operation succeeded."},
			{Name: "memory_per_registration", Unit: "bytes", Better: report.Lower, Doc: "Growth of live heap and stacks from the empty registry to the most agents, each after two collections, per registration."},
			{Name: "memory_efficiency", Unit: "ratio", Better: report.Higher, Doc: "Live heap that copies of the same records take by themselves / that growth of the registry."},
			{Name: "consistent", Unit: "bool", Better: report.Higher, Doc: "Whether there were no inconsistencies."},
			{Name: "inconsistencies", Unit: "count", Better: report.Lower, Doc: "Entries that a listing (all, by type, by capability, by node) missed, had twice, or had wrongly, while others changed the registry and at rest; wrong answers of lookup and count; and what was still there after unregistering. The errors tell which."},
		},
		Estimate: func(p stress.Params) time.Duration {
			counts := p.Ints("agent_counts")
			total := 100*time.Millisecond + time.Duration(2*len(counts)*p.Int("operations"))*400
			for _, n := range counts {
				total += time.Duration(n) * 3 * time.Microsecond
			}
			return total + time.Duration(slices.Max(counts))*6*time.Microsecond
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measureRegistryScalability(ctx, env, env.System().Registry())
		},
	}
}

// A registry is what is asked of the runtime's registry, so that another one
// can be in its place, whose answers are known.
type registry interface {
	Register(mabeam.Record) error
	Lookup(id string) (*mabeam.Record, bool)
	Update(id string, change func(*mabeam.Record) error) error
	Unregister(id string) bool
	All() []*mabeam.Record
	ByType(agentType string) []*mabeam.Record
	ByCapability(capability string) []*mabeam.Record
	ByNode(node string) []*mabeam.Record
	Count() int
}

func measureRegistryScalability(ctx context.Context, env *stress.Env, reg registry) error {
	p := env.Params
	counts := ascending(p.Ints("agent_counts"))
	most := counts[len(counts)-1]
	all := registryRecords("entry", most)
	entries := func(i int) mabeam.Record { return withMetadata(all[i], i, p.Int("metadata")) }
	alone := copiesBytes(most, entries)
	c := &census{env: env, registry: reg, entries: all}

	var times, rates []sized
	tested := 0
	empty := liveBytes()
	for _, n := range counts {
		for ; c.present < n; c.present++ {
			if err := reg.Register(entries(c.present)); err != nil {
				return fmt.Errorf("entry %d of %d: %w", c.present+1, most, err)
			}
		}
		if n == most {
			tellRegistryMemory(env, n, liveBytes()-empty, alone)
		}
		took, rate, failed, err := timeRegistry(ctx, env, reg, all[:n])
		if err != nil {
			return err
		}
		if failed == 0 {
			tested = n
		}
		times, rates = append(times, sized{n, stress.Milliseconds(took)}), append(rates, sized{n, rate})
		env.Value("operation_time_ms."+strconv.Itoa(n), stress.Milliseconds(took))
		if err := c.churn(ctx); err != nil {
			return err
		}
		c.atRest()
	}
	c.empty()

	env.Value("max_tested_agents", float64(tested))
	env.Value("operation_time_ms", times[len(times)-1].value)
	factor, ok := perDoubling(times)
	e, fits := exponent(times)
	growth, grows := perDoubling(rates)
	if ok && fits && grows {
		env.Value("scaling_factor", factor)
		env.Text("operation_scaling", scalingWord(e))
		env.Value("performance_degradation", max(1-growth, 0))
	} else {
		why := "that takes two different agent_counts at which operations succeed"
		env.Unmeasured("scaling_factor", why)
		env.Unmeasured("operation_scaling", why)
		env.Unmeasured("performance_degradation", why)
	}
	env.Bool("consistent", c.wrong.Load() == 0)
	env.Value("inconsistencies", float64(c.wrong.Load()))
	return nil
}

// withMetadata returns the record with that many entries of metadata.
func withMetadata(r mabeam.Record, i, entries int) mabeam.Record {
	if entries > 0 {
		r.Metadata = make(map[string]any, entries)
	}
	for k := range entries {
		r.Metadata["key-"+strconv.Itoa(k)] = 1000 + i + k
	}
	return r
}

// copiesBytes is the live heap that n copies of records take which nobody
// holds but a list of them; that list is left out.
func copiesBytes(n int, record func(i int) mabeam.Record) float64 {
	copies := make([]*mabeam.Record, n)
	before := liveBytes()
	for i := range copies {
		r := record(i)
		r.Capabilities, r.Metadata = slices.Clone(r.Capabilities), maps.Clone(r.Metadata)
		copies[i] = &r
	}
	grown := liveBytes() - before
	clear(copies) // keeps them until here
	return grown
}

// tellRegistryMemory reports what n registrations took.
func tellRegistryMemory(env *stress.Env, n int, grown, alone float64) {
	if grown < memoryNoise {
		why := fmt.Sprintf("%d registrations hold less than the %d KiB that this process's memory changes by itself; ask for more agents", n, memoryNoise>>10)
		env.Unmeasured("memory_per_registration", why)
		env.Unmeasured("memory_efficiency", why)
		return
	}
	env.Value("memory_per_registration", grown/float64(n))
	env.Value("memory_efficiency", alone/grown)
}

// timeRegistry returns the time of an operation for one caller, the rate of
// many, and how many batches of operations failed.
func timeRegistry(ctx context.Context, env *stress.Env, reg registry, present []mabeam.Record) (took time.Duration, rate float64, failed int64, err error) {
	batches := max(env.Count(env.Params.Int("operations"))/scalabilityParts/scalabilityBatch, 1)
	order := env.Rand.Perm(len(present))
	var means, rates []float64
	for range scalabilityParts {
		for _, workers := range []int{1, env.Params.Int("concurrency")} {
			mix := newRegistryMix(reg, workers, present, order)
			driven, err := env.Drive(ctx, stress.Load{Workers: workers, Operations: batches}, mix.operateBatch)
			if err != nil {
				return 0, 0, 0, err
			}
			mix.cleanUp()
			env.Operations((scalabilityBatch-1)*driven.Succeeded, 0, 0) // the rest of each batch
			failed += driven.Failed
			if workers == 1 {
				means = append(means, float64(driven.Latency.Mean())/scalabilityBatch)
			}
			if workers == env.Params.Int("concurrency") {
				rates = append(rates, scalabilityBatch*driven.PerSecond())
			}
		}
	}
	return time.Duration(report.Median(means)), report.Median(rates), failed, nil
}

// A registryMix is a load of lookups, registrations and unregistrations. Each
// worker registers and unregisters an entry of its own, so that every
// operation must succeed.
type registryMix struct {
	registry registry
	present  []mabeam.Record
	order    []int // of lookups: one that no cache foresees
	own      []mabeam.Record
	there    []bool // each touched by its worker only
}

func newRegistryMix(reg registry, workers int, present []mabeam.Record, order []int) *registryMix {
	return &registryMix{
		registry: reg, present: present, order: order,
		own: registryRecords("worker", workers), there: make([]bool, workers),
	}
}

// lookup looks an entry up that is there.
func (m *registryMix) lookup(n int) error {
	if _, ok := m.registry.Lookup(m.present[m.order[n%len(m.order)]].ID); !ok {
		return errNotThere
	}
	return nil
}

// operate carries out one operation of the mix.
func (m *registryMix) operate(_ context.Context, op stress.Op) error {
	if op.N%5 != 0 {
		return m.lookup(op.N)
	}
	w := op.Worker
	if m.there[w] = !m.there[w]; m.there[w] {
		return m.registry.Register(m.own[w])
	}
	if !m.registry.Unregister(m.own[w].ID) {
		return errNotThere
	}
	return nil
}

// operateBatch carries out scalabilityBatch operations of the mix.
func (m *registryMix) operateBatch(ctx context.Context, op stress.Op) error {
	for k := range scalabilityBatch {
		if err := m.operate(ctx, stress.Op{Worker: op.Worker, N: op.N*scalabilityBatch + k}); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp takes out what the workers have left.
func (m *registryMix) cleanUp() {
	for w, there := range m.there {
		if there {
			m.registry.Unregister(m.own[w].ID)
		}
	}
}

// A census compares what a registry tells with what was registered: the first
// `present` of the entries, and what workers register and take out meanwhile.
type census struct {
	env      *stress.Env
	registry registry
	entries  []mabeam.Record
	present  int
	wrong    atomic.Int64
}

// find tells n things that are wrong.
func (c *census) find(what string, n int) {
	if n > 0 {
		c.wrong.Add(int64(n))
		c.env.Detail("inconsistent registry: "+what, int64(n))
	}
}

// churn checks the listings while workers register, change and unregister
// entries of their own.
func (c *census) churn(ctx context.Context) error {
	workers := c.env.Params.Int("concurrency")
	own := registryRecords("worker", workers)
	step := make([]int, workers) // of each worker's cycle
	_, err := c.env.Drive(ctx, stress.Load{Workers: workers, Operations: churnOperations}, func(_ context.Context, op stress.Op) error {
		if op.N%listEvery == 0 {
			c.listing(op.N/listEvery, workers)
			return nil
		}
		w := op.Worker
		step[w]++
		return c.change(own[w], step[w]%3)
	})
	for w := range own {
		if step[w]%3 != 0 {
			c.registry.Unregister(own[w].ID)
		}
	}
	return err
}

// change is one step of a worker's cycle: to register its entry (1), to give
// it another type (2), and to take it out (0). What it did must show at once.
func (c *census) change(own mabeam.Record, step int) error {
	switch step {
	case 1:
		if err := c.registry.Register(own); err != nil {
			c.find("an entry that was taken out cannot be registered again", 1)
			return err
		}
	case 2:
		own.Type = "changed"
		err := c.registry.Update(own.ID, func(r *mabeam.Record) error {
			r.Type = own.Type
			return nil
		})
		if err != nil {
			c.find("an entry that was registered cannot be changed", 1)
			return err
		}
	default:
		if !c.registry.Unregister(own.ID) {
			c.find("an entry that was registered cannot be taken out", 1)
			return errNotThere
		}
	}
	r, ok := c.registry.Lookup(own.ID)
	if ok != (step != 0) || ok && r.Type != own.Type {
		c.find("a lookup does not show the change before it", 1)
		return errStale
	}
	return nil
}

var errStale = errors.New("a lookup does not show the last change")

// listing checks one of the listings, in turn. There may be up to that many
// entries of workers, each once.
func (c *census) listing(turn, workers int) {
	capability, node := mabeam.DemoSpec().Capabilities[0], "local"
	every := func(int) bool { return true }
	switch turn % 4 {
	case 0:
		c.check("the listing of all", c.registry.All(), workers, every, func(*mabeam.Record) bool { return true })
	case 1:
		t := turn / 4 % recordTypes
		name := c.entries[min(t, len(c.entries)-1)].Type
		c.check("the listing by type", c.registry.ByType(name), workers,
			func(i int) bool { return c.entries[i].Type == name }, func(r *mabeam.Record) bool { return r.Type == name })
	case 2:
		c.check("the listing by capability", c.registry.ByCapability(capability), workers,
			every, func(r *mabeam.Record) bool { return slices.Contains(r.Capabilities, capability) })
	case 3:
		c.check("the listing by node", c.registry.ByNode(node), workers,
			every, func(r *mabeam.Record) bool { return r.Node == node })
	}
}

// check holds a listing against the entries that belong in it; fits says which
// records may be in it.
func (c *census) check(name string, records []*mabeam.Record, workers int, belongs func(i int) bool, fits func(*mabeam.Record) bool) {
	seen, others := make([]bool, c.present), map[string]bool{}
	twice, strange := 0, 0
	for _, r := range records {
		number, isEntry := strings.CutPrefix(r.ID, "entry-")
		i, err := strconv.Atoi(number)
		switch {
		case !fits(r):
			strange++
		case isEntry && (err != nil || i >= c.present):
			strange++
		case isEntry && seen[i], others[r.ID]:
			twice++
		case isEntry:
			seen[i] = true
		default:
			others[r.ID] = true
		}
	}
	missing := 0
	for i, there := range seen {
		if !there && belongs(i) {
			missing++
		}
	}
	c.find(name+" misses entries", missing)
	c.find(name+" has entries twice", twice)
	c.find(name+" has entries that do not belong there", strange+max(len(others)-workers, 0))
}

// atRest checks everything while nobody changes the registry.
func (c *census) atRest() {
	for turn := range 4 * recordTypes {
		c.listing(turn, 0)
	}
	if n := c.registry.Count(); n != c.present {
		c.find("the count differs from the entries registered", max(n-c.present, c.present-n))
	}
	wrong := 0
	for i := range c.entries[:c.present] {
		r, ok := c.registry.Lookup(c.entries[i].ID)
		if !ok || r.ID != c.entries[i].ID || r.Type != c.entries[i].Type {
			wrong++
		}
	}
	c.find("lookups do not find what was registered", wrong)
	if _, ok := c.registry.Lookup("entry-nobody"); ok {
		c.find("a lookup finds what was never registered", 1)
	}
}

// empty takes all entries out and checks that nothing has stayed.
func (c *census) empty() {
	kept := 0
	for i := range c.entries[:c.present] {
		if !c.registry.Unregister(c.entries[i].ID) {
			kept++
		}
	}
	c.find("entries cannot be taken out", kept)
	c.present = 0
	c.atRest()
}
