package probe

import (
	"slices"
	"strings"
	"testing"
)

// names are the probes that scripts rely on, in the order of the table.
const names = `
goroutines goroutines_running goroutines_runnable goroutines_waiting goroutines_created_per_second threads
heap_bytes heap_live_bytes stack_bytes heap_released_bytes alloc_bytes_per_second gc_cycles gc_pause_p99_ms
gc_cpu_ratio sched_latency_p50_ms sched_latency_p99_ms mutex_wait_seconds rss_bytes cpu_percent open_files
host_cpu_percent host_memory_percent agents agents_started_per_second agents_stopped_per_second agents_crashed
agents_restarted actions_per_second actions_failed_per_second action_p50_ms action_p95_ms action_p99_ms
events_published_per_second events_delivered_per_second events_dropped subscriptions mailbox_depth mailbox_depth_max
registry_operations_per_second coordination_rounds_per_second offered_per_second completed_per_second
failed_per_second inflight generator_lag_ms ui_overhead`

func TestTable(t *testing.T) {
	var got []string
	for _, d := range All() {
		got = append(got, string(d.Name))
		if !strings.HasSuffix(d.Doc, ".") {
			t.Errorf("%s: doc %q is not a sentence", d.Name, d.Doc)
		}
		if d.Kind != Counter && d.Kind != Gauge {
			t.Errorf("%s: kind %q", d.Name, d.Kind)
		}
		if unit := d.Name.suffixUnit(); unit != d.Unit && d.Name != UIOverhead {
			t.Errorf("%s: unit %s, but the name says %s", d.Name, d.Unit, unit)
		}
		if found, ok := Find(d.Name); !ok || found != d {
			t.Errorf("Find(%s) = %+v, %v", d.Name, found, ok)
		}
	}
	if want := strings.Fields(names); !slices.Equal(got, want) {
		t.Errorf("probes:\n%v\nwant:\n%v", got, want)
	}
	if d, ok := Find("unknown"); ok {
		t.Errorf("Find of an unknown name = %+v", d)
	}
	for name, want := range map[Name]string{RSSBytes: Bytes, UIOverhead: Ratio, "unknown": Count, "unknown_ms": Milliseconds} {
		if got := name.Unit(); got != want {
			t.Errorf("unit of %s is %s, want %s", name, got, want)
		}
	}
}
