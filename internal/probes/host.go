package probes

import (
	"errors"
	"fmt"
	"math"
	"os"
	goruntime "runtime"
	"runtime/debug"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
)

// Host says what machine is measured on. Its fields are those of report.Host,
// so that one converts to the other.
type Host struct {
	OS       string
	Arch     string
	Kernel   string
	CPUModel string
	// CPUs is how many logical CPUs the machine has.
	CPUs        int
	MemoryBytes uint64
	// CgroupMemoryBytes is the memory limit of the process's control group;
	// nil where there is none.
	CgroupMemoryBytes *uint64
	GOMAXPROCS        int
	// GOMemLimit is the Go runtime's soft limit in bytes; math.MaxInt64 when
	// none was set.
	GOMemLimit int64
}

// ReadHost finds out what machine this is. It takes some milliseconds: call it
// once. The error joins all that could not be found out; those fields are
// zero, and the others are right all the same.
func ReadHost() (Host, error) {
	h := Host{
		OS:         goruntime.GOOS,
		Arch:       goruntime.GOARCH,
		GOMAXPROCS: goruntime.GOMAXPROCS(0),
		GOMemLimit: debug.SetMemoryLimit(-1),
	}
	var errs []error
	if info, err := host.Info(); err != nil {
		errs = append(errs, fmt.Errorf("read the kernel's version: %w", err))
	} else {
		h.Kernel = info.KernelVersion
	}
	if info, err := cpu.Info(); err != nil {
		errs = append(errs, fmt.Errorf("read the CPU's model: %w", err))
	} else if len(info) > 0 {
		h.CPUModel = info[0].ModelName
	}
	var err error
	if h.CPUs, err = cpu.Counts(true); err != nil {
		errs = append(errs, fmt.Errorf("count the CPUs: %w", err))
	}
	if memory, err := mem.VirtualMemory(); err != nil {
		errs = append(errs, fmt.Errorf("read the size of memory: %w", err))
	} else {
		h.MemoryBytes = memory.Total
	}
	if goruntime.GOOS == "linux" {
		limit, err := cgroupMemoryLimit(os.DirFS("/"))
		if err != nil {
			errs = append(errs, fmt.Errorf("read the control group's memory limit: %w", err))
		} else if limit < math.MaxUint64 {
			h.CgroupMemoryBytes = &limit
		}
	}
	return h, errors.Join(errs...)
}
