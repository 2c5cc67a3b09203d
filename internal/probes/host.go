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

// Host describes the machine. It has the fields of report.Host, so that it converts to
// one.
type Host struct {
	OS       string
	Arch     string
	Kernel   string
	CPUModel string
	// CPUs is the number of logical CPUs.
	CPUs        int
	MemoryBytes uint64
	// CgroupMemoryBytes is the memory limit of the process's control group; nil if there
	// is none.
	CgroupMemoryBytes *uint64
	GOMAXPROCS        int
	// GOMemLimit is the soft memory limit of the Go runtime in bytes; math.MaxInt64 if
	// there is none.
	GOMemLimit int64
}

// ReadHost describes this machine. It takes some milliseconds. The error joins the
// errors of all fields that it could not read, which are zero; the other fields are
// valid.
func ReadHost() (Host, error) {
	h := Host{
		OS:         goruntime.GOOS,
		Arch:       goruntime.GOARCH,
		GOMAXPROCS: goruntime.GOMAXPROCS(0),
		GOMemLimit: debug.SetMemoryLimit(-1),
	}
	var errs []error
	if info, err := host.Info(); err != nil {
		errs = append(errs, fmt.Errorf("read the kernel version: %w", err))
	} else {
		h.Kernel = info.KernelVersion
	}
	if info, err := cpu.Info(); err != nil {
		errs = append(errs, fmt.Errorf("read the CPU model: %w", err))
	} else if len(info) > 0 {
		h.CPUModel = info[0].ModelName
	}
	var err error
	if h.CPUs, err = cpu.Counts(true); err != nil {
		errs = append(errs, fmt.Errorf("count the CPUs: %w", err))
	}
	if memory, err := mem.VirtualMemory(); err != nil {
		errs = append(errs, fmt.Errorf("read the memory size: %w", err))
	} else {
		h.MemoryBytes = memory.Total
	}
	if goruntime.GOOS == "linux" {
		limit, err := cgroupMemoryLimit(os.DirFS("/"))
		if err != nil {
			errs = append(errs, fmt.Errorf("read the memory limit of the control group: %w", err))
		} else if limit < math.MaxUint64 {
			h.CgroupMemoryBytes = &limit
		}
	}
	return h, errors.Join(errs...)
}
