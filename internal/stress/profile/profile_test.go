package profile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/atomicfile"

	"github.com/google/pprof/profile"
)

// kept keeps what the test allocates in use.
var kept [][]byte

//go:noinline
func allocateMeasured() { kept = append(kept, make([]byte, 64<<20)) }

//go:noinline
func allocateBetween() { kept = append(kept, make([]byte, 64<<20)) }

//go:noinline
func spinMeasured() { spin() }

//go:noinline
func spinBetween() { spin() }

// spun prevents the compiler from removing the work.
var spun uint64

// spin does a fixed amount of work rather than spin for a fixed time, which could pass
// without CPU time on a busy machine. A CPU profile samples every 10 ms.
func spin() {
	x := uint64(88172645463325252)
	for range 200_000_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	spun += x
}

func read(t *testing.T, path string) *profile.Profile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return p
}

// total returns the sum of the values of a kind of the samples with a function.
func total(p *profile.Profile, kind, function string) (sum int64) {
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == kind })
	for _, s := range p.Sample {
		if slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
			return slices.ContainsFunc(l.Line, func(line profile.Line) bool { return strings.HasSuffix(line.Function.Name, "."+function) })
		}) {
			sum += s.Value[at]
		}
	}
	return sum
}

// The profiles cover each measured part, and nothing between the parts.
func TestRecorder(t *testing.T) {
	folder := t.TempDir()
	files := Files{CPU: filepath.Join(folder, "cpu"), Memory: filepath.Join(folder, "memory"), Trace: filepath.Join(folder, "trace")}
	c := Collection{Files: files}
	var r Recorder
	allocateBetween()
	for range 2 {
		spinBetween()
		r.Begin(c.Next())
		allocateMeasured()
		spinMeasured()
		c.Add(r.End())
		allocateBetween()
	}
	kept = nil
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	memory := read(t, files.Memory)
	for function, want := range map[string]int64{"allocateMeasured": 2 * 64 << 20, "allocateBetween": 0} {
		if got := total(memory, "alloc_space", function); got != want {
			t.Errorf("%s allocated %d bytes, want %d", function, got, want)
		}
	}
	if got := total(memory, "inuse_space", "allocateMeasured"); got != 2*64<<20 {
		t.Errorf("%d bytes more are in use", got)
	}
	if memory.DefaultSampleType != "alloc_space" {
		t.Errorf("it shows %s first", memory.DefaultSampleType)
	}
	cpu := read(t, files.CPU)
	if got := total(cpu, "samples", "spinMeasured"); got == 0 {
		t.Error("no time was spent in spinMeasured")
	}
	if got := total(cpu, "samples", "spinBetween"); got != 0 {
		t.Errorf("%d samples are of spinBetween", got)
	}
	if data, err := os.ReadFile(files.Trace); err != nil || !strings.HasPrefix(string(data), "go 1.") {
		t.Errorf("trace: %v, %.20q", err, data)
	}
}

func TestRecorderReportsErrors(t *testing.T) {
	folder := t.TempDir()
	c := Collection{Files: Files{CPU: filepath.Join(folder, "none", "cpu"), Memory: folder, Trace: filepath.Join(folder, "none", "trace")}}
	var r Recorder
	for range 2 {
		r.Begin(c.Next())
		c.Add(r.End())
	}
	err := c.Write()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"write " + filepath.Join(folder, "none", "cpu"), "write " + folder + ": is a folder", "trace: write "} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("%q is not reported once: %v", want, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("there is %v, %v", entries, err)
	}

	idle := Collection{Files: Files{CPU: "cpu", Memory: "memory", Trace: "trace"}}
	if err := idle.Write(); err == nil || strings.Count(err.Error(), "nothing was measured") != 3 {
		t.Errorf("without a measured part: %v", err)
	}
	var none Collection
	r.Begin(none.Next())
	none.Add(r.End())
	if err := none.Write(); err != nil {
		t.Errorf("no file is requested, but %v", err)
	}
}

// A process that dies while it is traced leaves no file, and the next part is traced
// instead.
func TestProcessDiesDuringTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	c := Collection{Files: Files{Trace: path}}
	files := c.Next()
	if files.Trace != path {
		t.Fatal("no trace is requested of the first part")
	}
	left := filepath.Join(filepath.Dir(path), files.TracePartial)
	if err := os.WriteFile(left, []byte("go 1."), 0o666); err != nil {
		t.Fatal(err)
	}
	other, err := atomicfile.Create(path) // of another run
	if err != nil {
		t.Fatal(err)
	}
	c.Add(Part{})
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the unfinished trace is still there: %v", err)
	}
	if err := other.Commit(); err != nil {
		t.Errorf("the trace of another run was removed: %v", err)
	}
	if c.Next().Trace != path {
		t.Error("no trace is requested of the second part")
	}
	c.Add(Part{Traced: true})
	if c.Next().Trace != "" {
		t.Error("a second trace is requested")
	}
	if err := c.Write(); err != nil {
		t.Error(err)
	}
}
