package measure

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// scalabilityParts is the number of loads at each size, of which the median counts, so
	// that a single pause of the machine decides nothing.
	scalabilityParts = 15
	// operationsPerBatch is how many operations are timed together. A lookup takes 20 ns and
	// recording its time 100: alone, a registry that takes twice as long would seem to take
	// a sixth more.
	operationsPerBatch = 10
	// listingParts is how often a list is timed at each size, and smallListings how many
	// lists with few entries are timed together.
	listingParts, smallListings = 15, 50
	// registrationTime is roughly how long a registration takes.
	registrationTime = 4 * time.Microsecond
)

func registryScalability() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "registry-scalability",
		Summary:   "Measures how the speed and the memory of the registry scale with the number of agents, and checks its consistency.",
		Component: "registry_scalability",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "agent_counts", Kind: scenario.Ints, Default: []int{100, 1000, 10000, 100000}, Min: 1, Max: 10_000_000, Doc: "Numbers of registered agents, measured in ascending order. The scaling needs two different ones."},
			{Name: "operations", Kind: scenario.Int, Default: 50000, Min: scalabilityParts, Max: 1_000_000_000, Doc: "Operations at each number, alone and concurrent: 80 % lookups, 10 % registrations, 10 % unregistrations."},
			{Name: "concurrency", Kind: scenario.Int, Default: 16, Min: 1, Max: 10_000, Doc: "Concurrent operations."},
			{Name: "metadata", Kind: scenario.Int, Default: 4, Min: 0, Max: 1000, Doc: "Metadata entries of each record. The smaller a record, the larger the registry's share of the memory."},
		},
		Metrics: []scenario.Metric{
			{Name: "scaling_factor", Unit: "ratio", Better: report.Lower, Doc: "Growth of the mean time of an operation, without concurrency, with each doubling of the agents, as the geometric mean from the fewest to the most: 1 is constant, 2 linear."},
			{Name: "operation_scaling_exponent", Unit: "exponent", Better: report.Lower, Unclipped: true, Must: "< 0.7", Doc: "The exponent e of median time ~ agents^e of an operation, without concurrency, between the two largest numbers of agents: about 0 with an index, about 1 if an operation visits every entry. Cache misses account for up to 0.5."},
			{Name: "operation_scaling", Unit: "text", Better: report.Neither, Doc: "Class of operation_scaling_exponent: constant, logarithmic (sublinear), linear or superlinear; a range of them if its interval spans several."},
			{Name: "small_listing_exponent", Unit: "exponent", Better: report.Lower, Unclipped: true, Must: "< 0.7", Doc: "The exponent e of median time ~ agents^e of a list by type with one entry, between the two largest numbers of agents: about 0 with an index, about 1 if a list visits every entry."},
			{Name: "listing_exponent", Unit: "exponent", Better: report.Lower, Unclipped: true, Must: "< 1.5", Doc: "The exponent e of time ~ entries^e of a list by type with the most agents, between a type of a fortieth of them and a type of most of them: about 1; 2 is quadratic."},
			{Name: "operation_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Mean time of an operation without concurrency, from ten timed together, with the most agents; with .COUNT, with that many."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "Relative loss of the concurrent rate with each doubling of the agents, as the geometric mean from the fewest to the most, at least 0. It is estimated over all repetitions."},
			{Name: "max_tested_agents", Unit: "count", Better: report.Higher, CappedBy: "agent_counts", Doc: "Most agents with which every operation succeeded."},
			{Name: "all_sizes_tested", Unit: "bool", Better: report.Higher, Must: "== true", Timed: true, Doc: "Whether all agent_counts were reached, and every operation succeeded with each of them."},
			{Name: "memory_per_registration", Unit: "bytes", Better: report.Lower, Doc: "Growth of live heap and stacks from the empty registry to the most agents, after two garbage collections each, per registration."},
			{Name: "memory_efficiency", Unit: "ratio", Better: report.Higher, Doc: "Live heap of plain copies of the same records / growth of memory with the registry."},
			operationsNotBegun(),
			{Name: "consistent", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether inconsistencies is 0."},
			mustBeZero("inconsistencies", "Entries that a list (all, by type, by capability, by node) misses, repeats or has wrongly, during concurrent changes, at rest, and after changes of type, capability and node; wrong lookups and counts; violations of the rules of registering, changing and unregistering; and entries that remain after unregistering. The errors name each."),
		},
		Estimate: scalabilityEstimate,
		Targets:  []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureRegistryScalability(ctx, env, env.System().Registry())
	}}
}

func scalabilityEstimate(p scenario.Params) time.Duration {
	counts := p.Ints("agent_counts")
	total := 100*time.Millisecond + time.Duration(2*len(counts)*p.Int("operations"))*400
	for _, n := range counts {
		total += time.Duration(n) * 2 * registrationTime
	}
	return total + time.Duration(slices.Max(counts))*6*time.Microsecond
}

// A registrySample is what was measured with one number of agents.
type registrySample struct {
	agents int
	took   time.Duration // mean time of an operation without concurrency
	// Of each part: the median time of a batch without concurrency, and the concurrent rate.
	medians, rates []float64
	small          []float64      // times of lists with one entry
	large          scalingSamples // times of other lists, by their entries
	failed         int64
}

func measureRegistryScalability(ctx context.Context, env *stress.Env, reg registry) error {
	p, loads := env.Params, newBudget(env, scalabilityEstimate(env.Params))
	defer loads.report()
	counts := sortedSizes(p.Ints("agent_counts"))
	most := counts[len(counts)-1]
	all := newRecords("entry", most)
	entries := func(i int) mabeam.Record { return withMetadata(all[i], i, p.Int("metadata")) }
	alone := measureCopies(most, entries)
	c := newRegistryCheck(env, "inconsistencies", reg, all)
	c.checkOperations()

	var sizes []registrySample
	tested, tooSlow := 0, false
	empty := resources.LiveBytes()
	for _, n := range counts {
		filling := newBudget(env, time.Duration(n)*registrationTime)
		for ; c.present < n && !tooSlow; c.present++ {
			if err := reg.Register(entries(c.present)); err != nil {
				return fmt.Errorf("entry %d of %d: %w", c.present+1, most, err)
			}
			tooSlow = c.present%64 == 0 && filling.exceeded()
		}
		if tooSlow {
			env.Detail(fmt.Sprintf("the registry did not reach %d agents within the time allowed for them", n), 1)
			break
		}
		if n == most {
			reportRegistryMemory(env, n, resources.LiveBytes()-empty, alone)
		}
		at, err := timeRegistry(ctx, env, loads, reg, all[:n])
		if err != nil {
			return err
		}
		if at.failed == 0 {
			tested = n
		}
		sizes = append(sizes, at)
		env.Value("operation_time_ms."+strconv.Itoa(n), load.Milliseconds(at.took))
		if err := c.churn(ctx, loads, env.Params.Int("concurrency")); err != nil {
			return err
		}
		c.checkAll()
		c.moveEntries()
	}
	c.removeAll()

	env.Value("max_tested_agents", float64(tested))
	env.Bool("all_sizes_tested", !tooSlow && !slices.ContainsFunc(sizes, func(at registrySample) bool { return at.failed > 0 }))
	if tooSlow {
		env.Unmeasured("memory_per_registration", "the registry was too slow for the most agents")
		env.Unmeasured("memory_efficiency", "the registry was too slow for the most agents")
	}
	reportRegistryScaling(env, sizes)
	env.Bool("consistent", c.Passed())
	c.Report()
	return nil
}

// reportRegistryScaling reports how times and rates change with the number of agents.
func reportRegistryScaling(env *stress.Env, sizes []registrySample) {
	if len(sizes) < 2 {
		unmeasured(env, "it needs two different agent_counts that are reached", "scaling_factor", "operation_scaling_exponent", "operation_scaling", "small_listing_exponent", "listing_exponent", "performance_degradation")
		if len(sizes) == 0 {
			env.Unmeasured("operation_time_ms", "no number of agents was reached")
			return
		}
	}
	first, last := sizes[0], sizes[len(sizes)-1]
	env.Value("operation_time_ms", load.Milliseconds(last.took))
	if len(sizes) < 2 {
		return
	}
	if factor, ok := perDoubling([]sizedValue{{first.agents, load.Milliseconds(first.took)}, {last.agents, load.Milliseconds(last.took)}}); ok {
		env.Value("scaling_factor", factor)
	} else {
		env.Unmeasured("scaling_factor", "operations took no time")
	}
	var operations, small scalingSamples
	for _, at := range sizes {
		operations.add(at.agents, at.medians...)
		small.add(at.agents, at.small...)
	}
	operations.report(env, "operation_scaling_exponent", "operation_scaling", "")
	small.report(env, "small_listing_exponent", "", "")
	last.large.report(env, "listing_exponent", "", "both lists have as many entries")
	// The root of the rates turns the whole loss into the loss with each doubling.
	doublings := math.Log2(float64(last.agents) / float64(first.agents))
	root := func(rates []float64) (roots []float64) {
		for _, rate := range rates {
			roots = append(roots, math.Pow(rate, 1/doublings))
		}
		return roots
	}
	env.Decline("performance_degradation", root(first.rates), root(last.rates))
}

// withMetadata returns the record with that many metadata entries.
func withMetadata(r mabeam.Record, i, entries int) mabeam.Record {
	if entries > 0 {
		r.Metadata = make(map[string]any, entries)
	}
	for k := range entries {
		r.Metadata["key-"+strconv.Itoa(k)] = 1000 + i + k
	}
	return r
}

// measureCopies returns the live heap of n plain copies of records, without the list of
// them.
func measureCopies(n int, record func(i int) mabeam.Record) float64 {
	copies := make([]*mabeam.Record, n)
	before := resources.LiveBytes()
	for i := range copies {
		r := record(i)
		r.Capabilities, r.Metadata = slices.Clone(r.Capabilities), maps.Clone(r.Metadata)
		copies[i] = &r
	}
	grown := resources.LiveBytes() - before
	clear(copies) // keeps them alive until here
	return grown
}

// reportRegistryMemory reports the memory of n registrations.
func reportRegistryMemory(env *stress.Env, n int, grown, alone float64) {
	if grown < resources.MemoryNoise {
		unmeasured(env, belowNoise(fmt.Sprintf("%d registrations", n)), "memory_per_registration", "memory_efficiency")
		return
	}
	env.Value("memory_per_registration", grown/float64(n))
	env.Value("memory_efficiency", alone/grown)
}

// timeRegistry times operations and lists with the present agents.
func timeRegistry(ctx context.Context, env *stress.Env, loads budget, reg registry, present []mabeam.Record) (at registrySample, err error) {
	batches := max(env.Count(env.Params.Int("operations"))/scalabilityParts/operationsPerBatch, 1)
	order := env.Rand.Perm(len(present))
	var means []float64
	many := env.Params.Int("concurrency")
	for range scalabilityParts {
		for _, workers := range []int{1, many} {
			mix := newRegistryMix(reg, workers, present, order)
			result, err := loads.run(ctx, load.Load{Workers: workers, Operations: batches}, mix.operateBatch)
			if err != nil {
				return at, err
			}
			mix.cleanUp()
			env.Operations((operationsPerBatch-1)*result.Succeeded, 0, 0) // the rest of each batch
			at.failed += result.Failed
			if workers == 1 {
				means = append(means, float64(result.Latency.Mean())/operationsPerBatch)
				at.medians = append(at.medians, float64(result.Latency.Quantile(0.5))/operationsPerBatch)
			}
			if workers == many {
				at.rates = append(at.rates, operationsPerBatch*result.PerSecond())
			}
		}
	}
	at.agents, at.took = len(present), time.Duration(report.Median(means))
	rare := mabeam.Record{ID: "worker-rare", Type: "rare", Node: "local"}
	if err := reg.Register(rare); err != nil {
		return at, fmt.Errorf("register an entry to list: %w", err)
	}
	defer reg.Unregister(rare.ID)
	for range listingParts {
		took, _ := timeListings(reg, rare.Type, smallListings)
		at.small = append(at.small, took)
		for _, r := range []mabeam.Record{present[0], present[1%len(present)]} {
			took, entries := timeListings(reg, r.Type, 1)
			at.large.add(entries, took)
		}
		if loads.exceeded() && len(at.small) > 1 {
			break
		}
	}
	return at, nil
}

// timeListings returns the time of one of n lists by type, in nanoseconds, and its number
// of entries.
func timeListings(reg registry, agentType string, n int) (took float64, entries int) {
	began := time.Now()
	for range n {
		entries = len(reg.ByType(agentType))
	}
	return float64(time.Since(began)) / float64(n), entries
}
