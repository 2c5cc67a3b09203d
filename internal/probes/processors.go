package probes

import (
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/process"
)

// ProcessorTimes are CPU times in seconds, of all processors together, since some
// time in the past: only differences mean something.
type ProcessorTimes struct {
	// Own is what this process used, to the microsecond.
	Own float64
	// Busy is what all programs and the kernel used, in ticks of 10 ms.
	Busy float64
	// Stolen is what a hypervisor gave to other machines meanwhile.
	Stolen float64
	// Total is all of it, with the time in which processors were idle.
	Total float64
}

// ReadProcessorTimes reads them now.
func ReadProcessorTimes() (ProcessorTimes, error) {
	host, err := cpu.Times(false)
	if err != nil || len(host) != 1 {
		return ProcessorTimes{}, fmt.Errorf("read the processor times of the machine: %w", err)
	}
	seconds, err := OwnProcessorSeconds()
	if err != nil {
		return ProcessorTimes{}, err
	}
	h := host[0]
	// Guests are within user and nice. Waiting for a disk is idle.
	busy := h.User + h.System + h.Nice + h.Irq + h.Softirq
	return ProcessorTimes{Own: seconds, Busy: busy, Stolen: h.Steal, Total: busy + h.Steal + h.Idle + h.Iowait}, nil
}

// OwnProcessorSeconds returns the CPU time that this process has used.
func OwnProcessorSeconds() (float64, error) {
	own := ownProcess{process: &process.Process{Pid: int32(os.Getpid())}}
	return own.cpuSeconds()
}

// Sub returns the times since an earlier reading.
func (t ProcessorTimes) Sub(earlier ProcessorTimes) ProcessorTimes {
	return ProcessorTimes{
		Own: t.Own - earlier.Own, Busy: t.Busy - earlier.Busy, Stolen: t.Stolen - earlier.Stolen, Total: t.Total - earlier.Total,
	}
}

// Add returns the sum of two differences.
func (t ProcessorTimes) Add(other ProcessorTimes) ProcessorTimes {
	return ProcessorTimes{
		Own: t.Own + other.Own, Busy: t.Busy + other.Busy, Stolen: t.Stolen + other.Stolen, Total: t.Total + other.Total,
	}
}
