package probes

import (
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"

	"mabeam-top/internal/probes/probe"
)

// minCPUSeconds is the CPU time, busy and idle on all CPUs, that must pass between two
// readings of the host's load: five of the kernel's ticks of 10 ms.
const minCPUSeconds = 0.05

// hostLoad samples the load of the host.
type hostLoad struct {
	cpu cpuShare
}

// HostLoad returns the source of the load of the whole host, with all programs that run
// on it.
func HostLoad() Source { return &hostLoad{} }

func (h *hostLoad) Read(_ time.Time, put func(name probe.Name, value float64)) {
	if times, err := cpu.Times(false); err == nil && len(times) == 1 {
		if percent, ok := h.cpu.next(times[0]); ok {
			put(probe.HostCPUPercent, percent)
		}
	}
	if memory, err := mem.VirtualMemory(); err == nil && memory.Total > 0 {
		used := memory.Total - min(memory.Available, memory.Total)
		put(probe.HostMemoryPercent, 100*float64(used)/float64(memory.Total))
	}
}

// A cpuShare computes the busy share of the CPU time between two readings. The zero
// value is ready for the first reading.
type cpuShare struct {
	busy, total float64
}

// next takes a reading and returns how busy all CPUs together were since the previous
// one, in percent. ok is false for the first reading, and for one that is too soon
// after the previous one; the next one then covers its time too. Waiting for a disk is
// idle time. User and nice already include guests.
func (c *cpuShare) next(t cpu.TimesStat) (percent float64, ok bool) {
	busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	total := busy + t.Idle + t.Iowait
	first := c.total == 0
	if !first && total-c.total < minCPUSeconds {
		return 0, false
	}
	share := (busy - c.busy) / (total - c.total)
	c.busy, c.total = busy, total
	if first {
		return 0, false
	}
	// The kernel's idle time may decrease by a tick.
	return 100 * min(1, max(0, share)), true
}
