package probes

import (
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/process"
)

// CPUTimes are CPU times in seconds, of all CPUs together. Only the difference of two
// readings is meaningful.
type CPUTimes struct {
	// Own is the time that this process used, to the microsecond.
	Own float64
	// Busy is the time that all programs and the kernel used, in ticks of 10 ms.
	Busy float64
	// Stolen is the time that a hypervisor gave to other machines.
	Stolen float64
	// Total includes the idle time.
	Total float64
}

// ReadCPUTimes reads the CPU times of the machine and of this process.
func ReadCPUTimes() (CPUTimes, error) {
	host, err := cpu.Times(false)
	if err != nil || len(host) != 1 {
		return CPUTimes{}, fmt.Errorf("read the CPU times of the machine: %w", err)
	}
	seconds, err := ProcessCPUSeconds()
	if err != nil {
		return CPUTimes{}, err
	}
	h := host[0]
	// User and nice include guests. Waiting for a disk is idle time.
	busy := h.User + h.System + h.Nice + h.Irq + h.Softirq
	return CPUTimes{Own: seconds, Busy: busy, Stolen: h.Steal, Total: busy + h.Steal + h.Idle + h.Iowait}, nil
}

// ProcessCPUSeconds returns the CPU time that this process has used.
func ProcessCPUSeconds() (float64, error) {
	own := ownProcess{process: &process.Process{Pid: int32(os.Getpid())}}
	return own.cpuSeconds()
}

// Sub returns the difference to an earlier reading.
func (t CPUTimes) Sub(earlier CPUTimes) CPUTimes {
	return CPUTimes{
		Own: t.Own - earlier.Own, Busy: t.Busy - earlier.Busy, Stolen: t.Stolen - earlier.Stolen, Total: t.Total - earlier.Total,
	}
}

// Add returns the sum of two differences.
func (t CPUTimes) Add(other CPUTimes) CPUTimes {
	return CPUTimes{
		Own: t.Own + other.Own, Busy: t.Busy + other.Busy, Stolen: t.Stolen + other.Stolen, Total: t.Total + other.Total,
	}
}
