package probes

import (
	"math"
	goruntime "runtime"
	"slices"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
)

// sources returns the sources of this package, with a system that has that telemetry.
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

func TestSourcesReadEveryProbe(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("other platforms do not have every probe")
	}
	s := New(time.Second, sources(t, func() mabeam.Telemetry { return mabeam.Telemetry{} })...)
	s.Sample()
	burn(t, 200*time.Millisecond)
	goruntime.GC()
	_, sample := s.Sample()

	others := []probe.Name{
		probe.ActionP50MS, probe.ActionP95MS, probe.ActionP99MS, probe.OfferedPerSecond, probe.CompletedPerSecond,
		probe.FailedPerSecond, probe.InFlight, probe.GeneratorLagMS, probe.UIOverhead,
	}
	for _, p := range probe.All() {
		value, ok := sample[p.Name]
		if ok == slices.Contains(others, p.Name) {
			t.Errorf("%s was read: %v", p.Name, ok)
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
func read(s Source, now time.Time) probe.Sample {
	sample := make(probe.Sample)
	s.Read(now, func(name probe.Name, value float64) { sample[name] = value })
	return sample
}

// burn keeps one CPU busy until the process has used that much CPU time.
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

// absent fails the test if the sample has one of the probes.
func absent(t *testing.T, sample probe.Sample, names ...probe.Name) {
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
				s.Read(time.Now(), func(probe.Name, float64) {})
			}
		})
	}
}
