package measure

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// A wrongRegistry makes one kind of mistake, in every twentieth lookup or always.
type wrongRegistry struct {
	*mabeam.Registry
	kind string
	n    *atomic.Int64
}

func (w wrongRegistry) Lookup(id string) (mabeam.Entry, bool) {
	if w.n.Add(1)%20 != 0 {
		return w.Registry.Lookup(id)
	}
	switch w.kind {
	case "finds nothing":
		return mabeam.Entry{}, false
	case "finds another":
		return w.Registry.Lookup("entry-0")
	}
	return w.Registry.Lookup(id)
}

func (w wrongRegistry) ByNode(node string) []mabeam.Entry {
	found := w.Registry.ByNode(node)
	if w.kind == "loses one" && len(found) > 0 {
		return slices.Delete(found, 0, 1)
	}
	return found
}

func (w wrongRegistry) Count() int {
	n := w.Registry.Count()
	if w.kind == "counts one more" && n > 0 {
		n++
	}
	return n
}

// Wrong results of a registry fail, however rare they are.
func TestWrongResultsOfTheRegistry(t *testing.T) {
	for kind, fails := range map[string][]string{
		"right":           nil,
		"finds nothing":   {"success_rate", "wrong_results", "telemetry_mismatches"},
		"finds another":   {"success_rate", "wrong_results"},
		"loses one":       {"wrong_results"},
		"counts one more": {"wrong_results"},
	} {
		t.Run(kind, func(t *testing.T) {
			cat := withRun("registry-operations", func(ctx context.Context, env *stress.Env) error {
				return measureRegistry(ctx, env, wrongRegistry{env.System().Registry(), kind, new(atomic.Int64)})
			})
			s := runStep(t, cat, "", "{measure: registry-operations, baseline: none, with: {lookup: 1000, register: 100, unregister: 60, agents: 50}}")
			for _, metric := range []string{"success_rate", "wrong_results", "telemetry_mismatches"} {
				failed := s.Metrics[metric].Status == report.StatusFail
				if failed != slices.Contains(fails, metric) {
					t.Errorf("%s is %v, %s; %+v", metric, s.Metrics[metric].Value, s.Metrics[metric].Status, s.Errors)
				}
			}
		})
	}
}

// A registry that is so slow that most operations do not begin fails, although all others
// succeed.
func TestOperationsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("registry-operations", func(ctx context.Context, env *stress.Env) error {
			return measureRegistry(ctx, env, slowRegistry{env.System().Registry(), func(int) time.Duration { return 50 * time.Millisecond }})
		})
		s := runStep(t, cat, "", "{measure: registry-operations, baseline: none, with: {lookup: 1000, register: 200, unregister: 100, agents: 50, concurrency: 1}}")
		// In 3 s the first load makes 60 lookups, and almost no time is left for the others.
		if v := value(t, s, "operations_not_begun"); v < 1000 || s.Metrics["operations_not_begun"].Status != report.StatusFail || value(t, s, "success_rate") != 1 {
			t.Errorf("%v operations were not begun; %s, %+v", v, s.Verdict, s.Errors)
		}
	})
}

// Lookups in bulk take the time of each, without the lookups in the plain map.
func TestLookupsTimedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("registry-operations", func(ctx context.Context, env *stress.Env) error {
			return measureRegistry(ctx, env, slowRegistry{env.System().Registry(), func(int) time.Duration { return 10 * time.Microsecond }})
		})
		s := runStep(t, cat, "", "{measure: registry-operations, baseline: none, with: {lookup: 1000, register: 100, unregister: 100, agents: 50}}")
		wantWithin(t, "bulk_lookup_time_ms", value(t, s, "bulk_lookup_time_ms"), 0.01, 1e-6)
		if plain, ok := s.Reference["map_lookup"]; plain != 0 || !ok {
			t.Errorf("a lookup in a plain map takes %v ns while the clock stands still (%v)", plain, ok)
		}
	})
}
