package probes

import (
	goruntime "runtime"
	"runtime/debug"
	"testing"
)

func TestReadHost(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 45))
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(3))
	h, err := ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	if h.OS != goruntime.GOOS || h.Arch != goruntime.GOARCH || h.Kernel == "" {
		t.Errorf("system %q %q %q", h.OS, h.Arch, h.Kernel)
	}
	if h.CPUs < goruntime.NumCPU() {
		t.Errorf("%d CPUs, but this process may use %d", h.CPUs, goruntime.NumCPU())
	}
	if h.GOMAXPROCS != 3 || h.GOMemLimit != 1<<45 {
		t.Errorf("GOMAXPROCS %d, GOMEMLIMIT %d", h.GOMAXPROCS, h.GOMemLimit)
	}
	if h.MemoryBytes < 64*mib {
		t.Errorf("%d bytes of memory", h.MemoryBytes)
	}
	if h.CgroupMemoryBytes != nil && *h.CgroupMemoryBytes == 0 {
		t.Error("a control group's limit of zero")
	}
}
