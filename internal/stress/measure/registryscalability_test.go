package measure

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// withRegistry returns the catalogue with registry-scalability measuring another registry.
func withRegistry(registryOf func(*mabeam.Registry) registry) stress.Catalogue {
	return withRun("registry-scalability", func(ctx context.Context, env *stress.Env) error {
		return measureRegistryScalability(ctx, env, registryOf(env.System().Registry()))
	})
}

// slowRegistry is a registry whose lookups take a known time with so many agents.
type slowRegistry struct {
	*mabeam.Registry
	takes func(agents int) time.Duration
}

func (s slowRegistry) wait() { time.Sleep(s.takes(s.Count())) }

func (s slowRegistry) Lookup(id string) (mabeam.Entry, bool) {
	s.wait()
	return s.Registry.Lookup(id)
}

// The scaling is that of a known function of the agents.
func TestRegistryScales(t *testing.T) {
	for name, c := range map[string]struct {
		takes       func(n int) time.Duration
		factor      float64
		degradation float64
		exponent    float64
		word        string
		verdict     report.Verdict
	}{
		"constant":  {func(int) time.Duration { return time.Millisecond }, 1, 0, 0, "constant", report.Pass},
		"linear":    {func(n int) time.Duration { return time.Duration(n) * 10 * time.Microsecond }, 2, 0.5, 1, "linear", report.Fail},
		"quadratic": {func(n int) time.Duration { return time.Duration(n*n) * time.Microsecond }, 4, 0.75, 2, "superlinear", report.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRegistry(func(r *mabeam.Registry) registry { return slowRegistry{r, c.takes} })
				s := runStep(t, cat, "", "{measure: registry-scalability, with: {agent_counts: [160, 20], operations: 2000, concurrency: 4}}")
				wantWithin(t, "scaling_factor", value(t, s, "scaling_factor"), c.factor, 0.02)
				// Four fifths of the operations are lookups, half of them while the caller's own
				// entry is registered too.
				lookups := 0.8 * load.Milliseconds(c.takes(20)+c.takes(21)) / 2
				wantWithin(t, "operation_time_ms.20", value(t, s, "operation_time_ms.20"), lookups, 0.01)
				if v := value(t, s, "performance_degradation"); v < c.degradation-0.04 || v > c.degradation+0.04 {
					t.Errorf("performance_degradation %v, want %v", v, c.degradation)
				}
				if word := s.Metrics["operation_scaling"].Value; word != c.word {
					t.Errorf("classified as %v, want %s", word, c.word)
				}
				if e := value(t, s, "operation_scaling_exponent"); e < c.exponent-0.05 || e > c.exponent+0.05 {
					t.Errorf("exponent %v, want %v", e, c.exponent)
				}
				for _, metric := range []string{"scaling_factor", "operation_scaling_exponent"} {
					if status := s.Metrics[metric].Status; (status == report.StatusFail) != (c.verdict == report.Fail) {
						t.Errorf("%s is %s", metric, status)
					}
				}
				if s.Metrics["consistent"].Value != true {
					t.Errorf("%+v", s.Errors)
				}
			})
		})
	}
}

// A scanningRegistry visits all its entries for each list by type, or the square of the
// listed entries.
type scanningRegistry struct {
	*mabeam.Registry
	quadratic bool
}

func (w scanningRegistry) ByType(agentType string) []mabeam.Entry {
	found := w.Registry.ByType(agentType)
	visits := w.Count()
	if w.quadratic {
		visits = len(found) * len(found)
	}
	time.Sleep(time.Duration(visits) * time.Microsecond)
	return found
}

// A list of one entry that visits all entries, and a list with quadratic time, are
// detected.
func TestListingsThatScaleBadly(t *testing.T) {
	for metric, quadratic := range map[string]bool{"small_listing_exponent": false, "listing_exponent": true} {
		t.Run(metric, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRegistry(func(r *mabeam.Registry) registry { return scanningRegistry{r, quadratic} })
				s := runStep(t, cat, "", "{measure: registry-scalability, with: {agent_counts: [40, 400], operations: 100}}")
				if m := s.Metrics[metric]; m.Status != report.StatusFail || m.Undecided != "" {
					t.Errorf("%s is %v, %s", metric, m.Value, m.Status)
				}
				if m := s.Metrics["operation_scaling_exponent"]; m.Value != nil && m.Status == report.StatusFail {
					t.Errorf("operation_scaling_exponent fails too: %v", m.Value)
				}
			})
		})
	}
}

// A registry that is a thousand times too slow is measured with fewer agents, and fails.
func TestRegistryThatIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		cat := withRegistry(func(r *mabeam.Registry) registry {
			return slowToFill{slowRegistry{r, func(int) time.Duration { return 10 * time.Millisecond }}}
		})
		s := runStep(t, cat, "", "{measure: registry-scalability, with: {agent_counts: [10, 1000], operations: 1000}}")
		if took := time.Since(began); took > 30*time.Second || s.Verdict != report.Fail || s.Metrics["all_sizes_tested"].Value != false {
			t.Errorf("%s after %v, all sizes tested: %v; %+v", s.Verdict, took, s.Metrics["all_sizes_tested"].Value, s.Errors)
		}
	})
}

type slowToFill struct{ slowRegistry }

func (s slowToFill) Register(r mabeam.Record) error {
	s.wait()
	return s.Registry.Register(r)
}

// A faultyRegistry makes one kind of mistake.
type faultyRegistry struct {
	*mabeam.Registry
	kind string
}

func (f faultyRegistry) ByType(agentType string) []mabeam.Entry {
	found := f.Registry.ByType(agentType)
	if f.kind == "misses" && len(found) > 0 {
		return slices.DeleteFunc(found, func(e mabeam.Entry) bool { return e.ID() == "entry-8" })
	}
	return found
}

func (f faultyRegistry) ByNode(node string) []mabeam.Entry {
	found := f.Registry.ByNode(node)
	if f.kind == "twice" && len(found) > 0 {
		return append(found, found[0])
	}
	return found
}

func (f faultyRegistry) All() []mabeam.Entry {
	found := f.Registry.All()
	if f.kind == "ghost" {
		return append(found, mabeam.Record{ID: "ghost"}.Entry())
	}
	return found
}

func (f faultyRegistry) Update(id string, change func(*mabeam.Record) error) error {
	if f.kind == "stale" {
		return nil // without changing anything
	}
	if f.kind == "capability" { // as if only type and node had indices
		was, ok := f.Registry.Lookup(id)
		if !ok {
			return f.Registry.Update(id, change)
		}
		err := f.Registry.Update(id, change)
		if now, _ := f.Registry.Lookup(id); now.Type() == was.Type() && now.Node() == was.Node() {
			_ = f.Registry.Update(id, func(r *mabeam.Record) error {
				r.Capabilities = was.Capabilities()
				return nil
			})
		}
		return err
	}
	if f.kind == "changed" { // although the change was refused
		_ = f.Registry.Update(id, func(r *mabeam.Record) error {
			_ = change(r)
			return nil
		})
	}
	return f.Registry.Update(id, change)
}

func (f faultyRegistry) ByCapability(capability string) []mabeam.Entry {
	found := f.Registry.ByCapability(capability)
	if f.kind == "unmoved" && capability == moved {
		return nil
	}
	return found
}

func (f faultyRegistry) Lookup(id string) (mabeam.Entry, bool) {
	if f.kind == "other" && id == "entry-7" {
		return f.Registry.Lookup("entry-6")
	}
	return f.Registry.Lookup(id)
}

func (f faultyRegistry) Unregister(id string) bool {
	if f.kind == "stays" && strings.HasPrefix(id, "entry-1") {
		return true
	}
	return f.Registry.Unregister(id)
}

// Each mistake of a registry is detected and named.
func TestInconsistenciesAreFound(t *testing.T) {
	for kind, want := range map[string]string{
		"misses":     "the list by type misses entries",
		"twice":      "the list by node has entries twice",
		"ghost":      "the list of all has entries that do not belong there",
		"stale":      "a lookup does not show the latest change",
		"changed":    "a failed change changes the entry",
		"capability": "a lookup does not show the latest change",
		"unmoved":    "the list by capability does not show the latest change",
		"other":      "a lookup does not return what was registered",
		"stays":      "the count does not match the registered entries",
		"":           "",
	} {
		t.Run(kind, func(t *testing.T) {
			cat := withRegistry(func(r *mabeam.Registry) registry { return faultyRegistry{r, kind} })
			s := runStep(t, cat, "", "{measure: registry-scalability, with: {agent_counts: [10, 40], operations: 100}}")
			reported := slices.ContainsFunc(s.Errors, func(e report.Error) bool { return e.Message == "inconsistent registry: "+want })
			consistent, n := s.Metrics["consistent"].Value == true, value(t, s, "inconsistencies")
			if right := kind == ""; consistent != right || (n == 0) != right || reported == right {
				t.Errorf("consistent %v, %v inconsistencies, errors %+v", consistent, n, s.Errors)
			}
		})
	}
}

// A copyingRegistry keeps a copy of each record, and more bytes besides.
type copyingRegistry struct {
	*mabeam.Registry
	kept *[]any
	more int
}

func (e copyingRegistry) Register(r mabeam.Record) error {
	if strings.HasPrefix(r.ID, "entry-") {
		own := r
		own.Capabilities, own.Metadata = slices.Clone(r.Capabilities), maps.Clone(r.Metadata)
		*e.kept = append(*e.kept, &own, make([]byte, e.more))
		r = mabeam.Record{ID: r.ID} // keep the id registered
	}
	return e.Registry.Register(r)
}

// One of two registries keeps 4 KiB more for each registration: memory_per_registration
// shows it, and memory_efficiency falls accordingly. There are so many registrations that
// resources.MemoryNoise is negligible.
func TestMemoryPerRegistration(t *testing.T) {
	const most = 10_000
	measured := func(more int) (perRegistration, efficiency float64) {
		cat := withRegistry(func(r *mabeam.Registry) registry {
			kept := make([]any, 0, 2*most)
			return copyingRegistry{r, &kept, more}
		})
		s := runStep(t, cat, "", fmt.Sprintf("{measure: registry-scalability, with: {agent_counts: [20, %d], operations: 100}}", most))
		return value(t, s, "memory_per_registration"), value(t, s, "memory_efficiency")
	}
	lean, good := measured(0)
	fat, bad := measured(4 << 10)
	wantWithin(t, "additional memory", fat-lean, 4<<10, 0.05)
	wantWithin(t, "memory_efficiency", bad, good*lean/fat, 0.1)
	if good > 1 || good < 0.4 {
		t.Errorf("memory_efficiency of a registry that keeps copies and ids: %v", good)
	}
}
