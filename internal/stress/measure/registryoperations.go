package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

func registryOperations() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "registry-operations",
		Summary:   "Measures lookups, registrations and unregistrations, alone and concurrent, and checks their results.",
		Component: "registry",
		Params: []scenario.Param{
			{Name: "lookup", Kind: scenario.Int, Default: 100000, Min: 1, Max: 1_000_000_000, Doc: "Lookups."},
			{Name: "register", Kind: scenario.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Registrations, and as many entries at their end."},
			{Name: "unregister", Kind: scenario.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Unregistrations of these entries."},
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Entries that are registered all the time."},
			{Name: "concurrency", Kind: scenario.Int, Default: 16, Min: 1, Max: 10_000, Doc: "Concurrent operations in the concurrent load."},
		},
		Metrics: []scenario.Metric{
			{Name: "lookup_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one lookup by id, including the time to record it."},
			{Name: "bulk_lookup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Median time of one lookup, from 100 timed together, without clock and recording, which take longer than a lookup."},
			{Name: "register_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one registration with its indices, including the time to record it."},
			{Name: "unregister_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one unregistration, including the time to record it."},
			{Name: "concurrent_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, Doc: "Operations per second of a concurrent mix: 80 % lookups, 10 % registrations, 10 % unregistrations."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Successful operations of all four loads / operations."},
			mustBeZero("wrong_results", "Lookups that returned another record, and after the loads: a wrong count, and entries that a list (all, by type, by capability, by node) misses, repeats or has wrongly. The errors name each."),
			telemetryMismatches(),
			operationsNotBegun(),
		},
		Estimate: registryEstimate,
		Check: func(p scenario.Params) error {
			if p.Int("unregister") > p.Int("register") {
				return fmt.Errorf("unregister must not exceed register: of %d entries, %d cannot be unregistered", p.Int("register"), p.Int("unregister"))
			}
			return nil
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureRegistry(ctx, env, env.System().Registry())
	}}
}

func registryEstimate(p scenario.Params) time.Duration {
	n := 2*p.Int("lookup") + 4*p.Int("register") + 4*p.Int("unregister") + p.Int("agents")
	return 100*time.Millisecond + time.Duration(n)*300
}

// A registry is the part of the runtime's registry under test. Tests replace it by one
// with known answers.
type registry interface {
	Register(mabeam.Record) error
	Lookup(id string) (mabeam.Entry, bool)
	Update(id string, change func(*mabeam.Record) error) error
	Unregister(id string) bool
	All() []mabeam.Entry
	ByType(agentType string) []mabeam.Entry
	ByCapability(capability string) []mabeam.Entry
	ByNode(node string) []mabeam.Entry
	Count() int
}

func measureRegistry(ctx context.Context, env *stress.Env, reg registry) error {
	p, loads := env.Params, newBudget(env, registryEstimate(env.Params))
	defer loads.report()
	w, countBefore := newTelemetryCheck(env, env.System()), reg.Count()
	present := newRecords("entry", p.Int("agents"))
	for i := range present {
		if err := reg.Register(present[i]); err != nil {
			return err
		}
	}
	mix := newRegistryMix(reg, p.Int("concurrency"), present, env.Rand.Perm(len(present)))
	fresh := newRecords("fresh", env.Count(p.Int("register")))
	var total load.Result
	runLoad := func(metric string, l load.Load, op func(context.Context, load.Op) error) (load.Result, error) {
		l.Metrics = []string{metric}
		result, err := loads.run(ctx, l, op)
		total.Add(result)
		return result, err
	}
	one := func(metric string, n int, op func(n int) error) (done int, err error) {
		result, err := runLoad(metric, load.Load{Workers: 1, Operations: n},
			func(_ context.Context, op1 load.Op) error { return op(op1.N) })
		env.Latency(metric, result.Latency)
		return int(result.Attempted), err
	}
	if _, err := one("lookup_time_ms", env.Count(p.Int("lookup")), mix.lookup); err != nil {
		return err
	}
	if batches := env.Count(p.Int("lookup")) / bulkLookups; batches > 0 {
		lookup, mapLookup := mix.timeLookups(batches)
		env.Value("bulk_lookup_time_ms", lookup/1e6)
		env.Reference(reference.MapLookup, mapLookup)
	} else {
		env.Unmeasured("bulk_lookup_time_ms", "it needs 100 lookups")
	}
	registered, err := one("register_time_ms", len(fresh), func(n int) error { return reg.Register(fresh[n]) })
	if err != nil {
		return err
	}
	gone, err := one("unregister_time_ms", min(env.Count(p.Int("unregister")), max(registered, 1)), func(n int) error { return unregister(reg, fresh[n].ID) })
	if err != nil {
		return err
	}
	many, err := runLoad("concurrent_operations_per_sec", load.Load{Workers: p.Int("concurrency"), Operations: env.Count(p.Int("lookup"))}, mix.operate)
	if err != nil {
		return err
	}
	env.Value("concurrent_operations_per_sec", many.PerSecond())
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	w.expect(ctx, map[string]int64{"RegistryOperations": int64(len(present)) + total.Attempted + mix.bulk})
	w.report()

	c := newRegistryCheck(env, "wrong_results", reg, present)
	c.present, c.shared, c.others = len(present), env.SharesSystem(), countBefore
	c.count(len(present) + registered - gone + mix.remaining())
	mix.cleanUp()
	for i := gone; i < registered; i++ {
		reg.Unregister(fresh[i].ID)
	}
	c.checkAll()
	c.Add(mix.wrong.Load(), errOtherRecord.Error())
	c.Report()
	return nil
}

// recordTypeCount is the number of types in newRecords. All but the first type have one
// record in rareTypeInterval each.
const recordTypeCount, rareTypeInterval = 4, 40

// newRecords returns n records like those of demo agents, of four types.
func newRecords(prefix string, n int) []mabeam.Record {
	capabilities := agents.Demo().Capabilities
	records := make([]mabeam.Record, n)
	for i := range records {
		records[i] = mabeam.Record{
			ID: prefix + "-" + strconv.Itoa(i), Type: recordType(i), Node: "local", Capabilities: capabilities,
		}
	}
	return records
}

// recordType is the type of record i.
func recordType(i int) string {
	if k := i % rareTypeInterval; k < recordTypeCount {
		return "type-" + strconv.Itoa(k)
	}
	return "type-0"
}

var (
	errNotThere    = errors.New("there is no entry with this id")
	errOtherRecord = errors.New("a lookup returns another record than the requested one")
)

// unregister removes an entry that must exist.
func unregister(reg registry, id string) error {
	if !reg.Unregister(id) {
		return errNotThere
	}
	return nil
}

// A registryMix is a load of lookups, registrations and unregistrations. Each worker
// registers and unregisters its own entry, so that every operation must succeed.
type registryMix struct {
	registry registry
	present  []mabeam.Record
	order    []int // of lookups, unpredictable for caches
	own      []mabeam.Record
	there    []bool       // by worker
	wrong    atomic.Int64 // lookups that returned another record
	bulk     int64        // lookups that were timed together
}

// bulkLookups is how many lookups are timed together.
const bulkLookups = 100

// timeLookups times lookups in bulk, in turn with lookups in a plain map. It returns the
// median time of one of each, in nanoseconds.
func (m *registryMix) timeLookups(batches int) (lookup, mapLookup float64) {
	ids := make([]string, len(m.order))
	for i, at := range m.order {
		ids[i] = m.present[at].ID
	}
	plain := reference.NewLookupMap(ids)
	lookups, mapLookups := make([]float64, batches), make([]float64, batches)
	for batch := range batches {
		from := batch * bulkLookups
		began := time.Now()
		for i := range bulkLookups {
			_, _ = m.registry.Lookup(ids[(from+i)%len(ids)])
		}
		between := time.Now()
		for i := range bulkLookups {
			_, _ = plain.Lookup(ids[(from+i)%len(ids)])
		}
		lookups[batch], mapLookups[batch] = float64(between.Sub(began)), float64(time.Since(between))
	}
	m.bulk += int64(batches) * bulkLookups
	return report.Median(lookups) / bulkLookups, report.Median(mapLookups) / bulkLookups
}

func newRegistryMix(reg registry, workers int, present []mabeam.Record, order []int) *registryMix {
	return &registryMix{
		registry: reg, present: present, order: order,
		own: newRecords("worker", workers), there: make([]bool, workers),
	}
}

// lookup looks up an entry that exists.
func (m *registryMix) lookup(n int) error {
	want := &m.present[m.order[n%len(m.order)]]
	e, ok := m.registry.Lookup(want.ID)
	if !ok {
		return errNotThere
	}
	if e.ID() != want.ID || e.Type() != want.Type {
		m.wrong.Add(1)
		return errOtherRecord
	}
	return nil
}

// operate runs one operation of the mix.
func (m *registryMix) operate(_ context.Context, op load.Op) error {
	if op.N%5 != 0 {
		return m.lookup(op.N)
	}
	w := op.Worker
	if m.there[w] = !m.there[w]; m.there[w] {
		return m.registry.Register(m.own[w])
	}
	return unregister(m.registry, m.own[w].ID)
}

// operateBatch runs operationsPerBatch operations of the mix.
func (m *registryMix) operateBatch(ctx context.Context, op load.Op) error {
	for k := range operationsPerBatch {
		if err := m.operate(ctx, load.Op{Worker: op.Worker, N: op.N*operationsPerBatch + k}); err != nil {
			return err
		}
	}
	return nil
}

// remaining is how many entries of workers are registered.
func (m *registryMix) remaining() (n int) {
	for _, there := range m.there {
		if there {
			n++
		}
	}
	return n
}

// cleanUp unregisters the entries of workers.
func (m *registryMix) cleanUp() {
	for w, there := range m.there {
		if there {
			m.registry.Unregister(m.own[w].ID)
		}
	}
}
