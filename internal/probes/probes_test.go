package probes

import (
	"math"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// contractNames are the probes as the contract lists them.
const contractNames = `
goroutines goroutines_running goroutines_runnable goroutines_waiting goroutines_created_per_second threads
heap_bytes heap_live_bytes stack_bytes heap_released_bytes alloc_bytes_per_second gc_cycles gc_pause_p99_ms
gc_cpu_ratio sched_latency_p50_ms sched_latency_p99_ms mutex_wait_seconds rss_bytes cpu_percent open_files
host_cpu_percent host_memory_percent agents agents_started_per_second agents_stopped_per_second agents_crashed
agents_restarted actions_per_second actions_failed_per_second action_p50_ms action_p95_ms action_p99_ms
events_published_per_second events_delivered_per_second events_dropped subscriptions mailbox_depth mailbox_depth_max
registry_operations_per_second coordination_rounds_per_second offered_per_second completed_per_second
failed_per_second inflight generator_lag_ms`

// loadNames are those that the load's own Source reads.
const loadNames = `action_p50_ms action_p95_ms action_p99_ms offered_per_second completed_per_second failed_per_second
inflight generator_lag_ms`

func TestProbesAreTheContracts(t *testing.T) {
	var names []string
	for _, p := range Probes {
		names = append(names, p.Name)
		if p.Doc == "" || !strings.HasSuffix(p.Doc, ".") {
			t.Errorf("%s: doc %q is not a sentence", p.Name, p.Doc)
		}
		if p.Kind != Counter && p.Kind != Gauge {
			t.Errorf("%s: kind %q", p.Name, p.Kind)
		}
		if unit := unitOf(p.Name); unit != p.Unit {
			t.Errorf("%s: unit %s, want %s", p.Name, p.Unit, unit)
		}
	}
	if want := strings.Fields(contractNames); !slices.Equal(names, want) {
		t.Errorf("probes:\n%v\nwant:\n%v", names, want)
	}
}

// unitOf tells a probe's unit by its name, which by the contract's habit ends
// in it.
func unitOf(name string) string {
	for _, u := range []struct{ suffix, unit string }{
		{"bytes_per_second", "bytes/s"},
		{"_per_second", "1/s"},
		{"_bytes", "bytes"},
		{"_ms", "ms"},
		{"_seconds", "s"},
		{"_ratio", "ratio"},
		{"_percent", "percent"},
	} {
		if strings.HasSuffix(name, u.suffix) {
			return u.unit
		}
	}
	return "count"
}

// sources are all of this package, reading the system that telemetry feeds.
func sources(tb testing.TB, telemetry func() mabeam.Telemetry) []Source {
	tb.Helper()
	own, err := Process()
	if err != nil {
		tb.Fatal(err)
	}
	running := new(fakeSystem)
	return []Source{
		GoMetrics(), own, HostLoad(),
		&system[fakeSystem]{
			current:   func() *fakeSystem { return running },
			telemetry: func(*fakeSystem) mabeam.Telemetry { return telemetry() },
			watch:     func(*fakeSystem) func() int64 { return func() int64 { return 0 } },
		},
	}
}

func TestEverySourceTogetherTellsEveryProbe(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("other platforms cannot tell every probe")
	}
	s := New(time.Second, sources(t, func() mabeam.Telemetry { return mabeam.Telemetry{} })...)
	s.Sample()
	burn(t, 200*time.Millisecond)
	goruntime.GC()
	_, sample := s.Sample()

	// The load's probes come from elsewhere.
	load := strings.Fields(loadNames)
	for _, p := range Probes {
		value, told := sample[p.Name]
		if told == slices.Contains(load, p.Name) {
			t.Errorf("%s: told %v", p.Name, told)
		}
		if value < 0 {
			t.Errorf("%s = %v", p.Name, value)
		}
		delete(sample, p.Name)
	}
	if len(sample) > 0 {
		t.Errorf("not in the table: %v", sample)
	}
}

// read reads a source once.
func read(s Source, now time.Time) map[string]float64 {
	sample := make(map[string]float64)
	s.Read(now, func(name string, value float64) { sample[name] = value })
	return sample
}

// burn keeps one core busy until the process has taken that much CPU time.
func burn(t *testing.T, d time.Duration) {
	t.Helper()
	p := new(ownProcess)
	start, err := p.cpuSeconds()
	if err != nil {
		t.Fatal(err)
	}
	for x := 1.0; ; {
		for range 100_000 {
			x = math.Sqrt(x + 1)
		}
		if now, _ := p.cpuSeconds(); now-start >= d.Seconds() {
			return
		}
	}
}

// within fails the test unless low <= value <= high.
func within(t *testing.T, what string, value, low, high float64) {
	t.Helper()
	if !(low <= value && value <= high) {
		t.Errorf("%s = %v, want %v to %v", what, value, low, high)
	}
}

// absent fails the test if the sample tells one of the probes.
func absent(t *testing.T, sample map[string]float64, names ...string) {
	t.Helper()
	for _, name := range names {
		if v, ok := sample[name]; ok {
			t.Errorf("%s = %v, want it absent", name, v)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	s := New(time.Second, sources(b, func() mabeam.Telemetry { return mabeam.Telemetry{} })...)
	b.ReportAllocs()
	for b.Loop() {
		s.Sample()
	}
}

func BenchmarkSource(b *testing.B) {
	for i, name := range []string{"go", "process", "host", "system"} {
		s := sources(b, func() mabeam.Telemetry { return mabeam.Telemetry{} })[i]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Read(time.Now(), func(string, float64) {})
			}
		})
	}
}
