package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

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
		Summary:   "What do lookups, registrations and unregistrations cost, one by one and many at once, and are their results right?",
		Component: "registry",
		Params: []scenario.Param{
			{Name: "lookup", Kind: scenario.Int, Default: 100000, Min: 1, Max: 1_000_000_000, Doc: "Lookups."},
			{Name: "register", Kind: scenario.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Registrations, and as many are there at their end."},
			{Name: "unregister", Kind: scenario.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Unregistrations, of what was registered."},
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Entries that are there all the time."},
			{Name: "concurrency", Kind: scenario.Int, Default: 16, Min: 1, Max: 10_000, Doc: "Operations at once in the concurrent part."},
		},
		Metrics: []scenario.Metric{
			{Name: "lookup_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one lookup by id, with that of recording it."},
			{Name: "bulk_lookup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time of one lookup, of 100 timed together / 100, in the median: the clock and the recording, which take longer than a lookup, are not in it."},
			{Name: "register_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one registration with its indices, with that of recording it."},
			{Name: "unregister_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one unregistration, with that of recording it."},
			{Name: "concurrent_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Operations per second of a mix (80 % lookups, 10 % registrations, 10 % unregistrations) from all at once."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Operations of all four loads that succeeded / operations."},
			mustBeZero("wrong_results", "Lookups that returned another record than the one asked for, and after the loads: a wrong count, and entries that a listing (all, by type, by capability, by node) missed, had twice, or had wrongly. The errors tell which."),
			telemetryMismatches(),
			operationsNotBegun(),
		},
		Estimate: registryEstimate,
		Check: func(p scenario.Params) error {
			if p.Int("unregister") > p.Int("register") {
				return fmt.Errorf("%d entries cannot be unregistered when %d are registered", p.Int("unregister"), p.Int("register"))
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

// A registry is the part of the runtime's registry that is measured, so that tests can
// replace it by one whose answers are known.
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
	drive := func(metric string, l load.Load, op func(context.Context, load.Op) error) (load.Result, error) {
		l.Metrics = []string{metric}
		driven, err := loads.run(ctx, l, op)
		total.Add(driven)
		return driven, err
	}
	one := func(metric string, n int, op func(n int) error) (done int, err error) {
		driven, err := drive(metric, load.Load{Workers: 1, Operations: n},
			func(_ context.Context, op1 load.Op) error { return op(op1.N) })
		env.Latency(metric, driven.Latency)
		return int(driven.Attempted), err
	}
	if _, err := one("lookup_time_ms", env.Count(p.Int("lookup")), mix.lookup); err != nil {
		return err
	}
	if batches := env.Count(p.Int("lookup")) / bulkLookups; batches > 0 {
		lookup, mapLookup := mix.timeLookups(batches)
		env.Value("bulk_lookup_time_ms", lookup/1e6)
		env.Reference(reference.MapLookup, mapLookup)
	} else {
		env.Unmeasured("bulk_lookup_time_ms", "that takes 100 lookups")
	}
	registered, err := one("register_time_ms", len(fresh), func(n int) error { return reg.Register(fresh[n]) })
	if err != nil {
		return err
	}
	gone, err := one("unregister_time_ms", min(env.Count(p.Int("unregister")), max(registered, 1)), func(n int) error { return unregister(reg, fresh[n].ID) })
	if err != nil {
		return err
	}
	many, err := drive("concurrent_operations_per_sec", load.Load{Workers: p.Int("concurrency"), Operations: env.Count(p.Int("lookup"))}, mix.operate)
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
	c.add(mix.wrong.Load(), errOtherRecord.Error())
	c.report()
	return nil
}

// recordTypeCount is how many types the records of newRecords have. All but the first
// are those of one record in rareTypeInterval each.
const recordTypeCount, rareTypeInterval = 4, 40

// newRecords makes n records of agents of four types, as a demo agent's
// would be.
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

// recordType is the type of the record of a number.
func recordType(i int) string {
	if k := i % rareTypeInterval; k < recordTypeCount {
		return "type-" + strconv.Itoa(k)
	}
	return "type-0"
}

var (
	errNotThere    = errors.New("no entry of that id")
	errOtherRecord = errors.New("a lookup returns another record than the one asked for")
)

// unregister takes an entry out that must be there.
func unregister(reg registry, id string) error {
	if !reg.Unregister(id) {
		return errNotThere
	}
	return nil
}

// A registryMix is a load of lookups, registrations and unregistrations. Each
// worker registers and unregisters an entry of its own, so that every
// operation must succeed.
type registryMix struct {
	registry registry
	present  []mabeam.Record
	order    []int // of lookups: one that no cache foresees
	own      []mabeam.Record
	there    []bool       // each touched by its worker only
	wrong    atomic.Int64 // lookups that returned another record
	bulk     int64        // lookups that were timed together
}

// bulkLookups is how many lookups are timed together.
const bulkLookups = 100

// timeLookups times lookups, so many at once, in turns with those of a plain map. It
// returns the nanoseconds of one of either, in the median of the batches.
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

// lookup looks an entry up that is there.
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

// operate carries out one operation of the mix.
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

// operateBatch carries out operationsPerBatch operations of the mix.
func (m *registryMix) operateBatch(ctx context.Context, op load.Op) error {
	for k := range operationsPerBatch {
		if err := m.operate(ctx, load.Op{Worker: op.Worker, N: op.N*operationsPerBatch + k}); err != nil {
			return err
		}
	}
	return nil
}

// left is how many entries the workers have left.
func (m *registryMix) remaining() (n int) {
	for _, there := range m.there {
		if there {
			n++
		}
	}
	return n
}

// cleanUp takes out what the workers have left.
func (m *registryMix) cleanUp() {
	for w, there := range m.there {
		if there {
			m.registry.Unregister(m.own[w].ID)
		}
	}
}
