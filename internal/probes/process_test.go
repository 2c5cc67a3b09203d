package probes

import (
	"os"
	goruntime "runtime"
	"runtime/debug"
	"testing"
	"time"
)

func ownSource(t *testing.T) *ownProcess {
	t.Helper()
	s, err := Process()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*ownProcess)
}

func TestResidentMemory(t *testing.T) {
	p := ownSource(t)
	debug.FreeOSMemory() // or the block might lie where memory is resident already
	before := read(p, epoch)["rss_bytes"]
	block := make([]byte, 64*mib)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	risen := read(p, epoch)["rss_bytes"] - before
	goruntime.KeepAlive(block)
	// The race detector uses several bytes for each byte.
	within(t, "rss_bytes risen", risen, 56*mib, 800*mib)
}

func TestCPUTime(t *testing.T) {
	p := ownSource(t)
	absent(t, read(p, epoch), "cpu_percent")
	start, err := p.process.Times()
	if err != nil {
		t.Fatal(err)
	}
	burn(t, 200*time.Millisecond)
	percent := read(p, epoch.Add(100*time.Millisecond))["cpu_percent"]
	end, err := p.process.Times()
	if err != nil {
		t.Fatal(err)
	}
	// 0.2 s of CPU time in 0.1 s are two CPUs. The process table, which counts in ticks of
	// 10 ms, must agree.
	if percent < 200 {
		t.Errorf("cpu_percent = %v, want at least 200", percent)
	}
	took := end.User + end.System - start.User - start.System
	within(t, "cpu_percent", percent, 100*(took-0.05)/0.1, 100*(took+0.05)/0.1)
}

func TestProcessCPUShare(t *testing.T) {
	share, err := CPUShare()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := share(epoch); ok {
		t.Error("a share at the first reading")
	}
	burn(t, 200*time.Millisecond)
	got, ok := share(epoch.Add(100 * time.Millisecond))
	// 0.2 s of CPU time in 0.1 s are two CPUs.
	if least := 2 / float64(goruntime.NumCPU()); !ok || got < least || got > 3*least {
		t.Errorf("the share is %v, %v; want at least %v", got, ok, least)
	}
	if _, ok := share(epoch.Add(110 * time.Millisecond)); ok {
		t.Error("a share over 10 ms")
	}
}

func TestOpenFiles(t *testing.T) {
	p := ownSource(t)
	name := t.TempDir() + "/file"
	open := func() *os.File {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	open() // the first one makes the runtime open its poller
	before, ok := read(p, epoch)["open_files"]
	if !ok {
		t.Skip("the platform does not count open files")
	}
	var files []*os.File
	for range 10 {
		files = append(files, open())
	}
	within(t, "open_files", read(p, epoch)["open_files"], before+10, before+10)
	if goruntime.GOOS == "linux" {
		// Listing the directory, which kernels before 6.2 require, counts the directory as
		// well.
		listed, err := p.process.NumFDs()
		if err != nil {
			t.Fatal(err)
		}
		within(t, "descriptors listed", float64(listed-1), before+10, before+10)
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "open_files", read(p, epoch)["open_files"], before, before)
}
