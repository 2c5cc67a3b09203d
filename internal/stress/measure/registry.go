package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

func registryOperations() *stress.Measurement {
	return &stress.Measurement{
		Name:      "registry-operations",
		Summary:   "What do lookups, registrations and unregistrations cost, one by one and many at once?",
		Component: "registry",
		Params: []stress.Param{
			{Name: "lookup", Kind: stress.Int, Default: 100000, Min: 1, Max: 1_000_000_000, Doc: "Lookups."},
			{Name: "register", Kind: stress.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Registrations, and as many are there at their end."},
			{Name: "unregister", Kind: stress.Int, Default: 10000, Min: 1, Max: 10_000_000, Doc: "Unregistrations, of what was registered."},
			{Name: "agents", Kind: stress.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Entries that are there all the time."},
			{Name: "concurrency", Kind: stress.Int, Default: 16, Min: 1, Max: 10_000, Doc: "Operations at once in the concurrent part."},
		},
		Metrics: []stress.Metric{
			{Name: "lookup_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one lookup by id, with that of recording it."},
			{Name: "register_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one registration with its indices, with that of recording it."},
			{Name: "unregister_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one unregistration, with that of recording it."},
			{Name: "concurrent_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Operations per second of a mix (80 % lookups, 10 % registrations, 10 % unregistrations) from all at once."},
		},
		Estimate: func(p stress.Params) time.Duration {
			n := 2*p.Int("lookup") + 4*p.Int("register") + 4*p.Int("unregister") + p.Int("agents")
			return 100*time.Millisecond + time.Duration(n)*300
		},
		Check: func(p stress.Params) error {
			if p.Int("unregister") > p.Int("register") {
				return fmt.Errorf("%d entries cannot be unregistered when %d are registered", p.Int("unregister"), p.Int("register"))
			}
			return nil
		},
		Targets: []stress.Target{stress.Components},
		Run:     measureRegistry,
	}
}

func measureRegistry(ctx context.Context, env *stress.Env) error {
	p, registry := env.Params, env.System().Registry()
	lookups, registers, unregisters := env.Count(p.Int("lookup")), env.Count(p.Int("register")), env.Count(p.Int("unregister"))
	present := registryRecords("entry", p.Int("agents"))
	for i := range present {
		if err := registry.Register(present[i]); err != nil {
			return err
		}
	}
	mix := newRegistryMix(registry, p.Int("concurrency"), present, env.Rand.Perm(len(present)))
	fresh := registryRecords("fresh", registers)
	register := func(n int) error { return registry.Register(fresh[n]) }
	unregister := func(n int) error {
		if !registry.Unregister(fresh[n].ID) {
			return errNotThere
		}
		return nil
	}

	for _, part := range []struct {
		metric string
		n      int
		op     func(n int) error
	}{
		{"lookup_time_ms", lookups, mix.lookup},
		{"register_time_ms", registers, register},
		{"unregister_time_ms", unregisters, unregister},
	} {
		driven, err := env.Drive(ctx, stress.Load{Workers: 1, Operations: part.n, Metrics: []string{part.metric}},
			func(_ context.Context, op stress.Op) error { return part.op(op.N) })
		if err != nil {
			return err
		}
		env.Latency(part.metric, driven.Latency)
	}
	driven, err := env.Drive(ctx, stress.Load{Workers: p.Int("concurrency"), Operations: lookups, Metrics: []string{"concurrent_operations_per_sec"}}, mix.operate)
	if err != nil {
		return err
	}
	env.Value("concurrent_operations_per_sec", driven.PerSecond())
	return nil
}

// registryRecords makes n records of agents of four types, as a demo agent's
// would be.
func registryRecords(prefix string, n int) []mabeam.Record {
	capabilities := mabeam.DemoSpec().Capabilities
	records := make([]mabeam.Record, n)
	for i := range records {
		records[i] = mabeam.Record{
			ID: prefix + "-" + strconv.Itoa(i), Type: "type-" + strconv.Itoa(i%recordTypes), Node: "local", Capabilities: capabilities,
		}
	}
	return records
}

var errNotThere = errors.New("no entry of that id")
