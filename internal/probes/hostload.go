package probes

import (
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"
)

// leastCPUSeconds is how much CPU time, busy and idle on all cores, must have
// passed to tell the host's load: the kernel counts it in ticks of 10 ms, so
// that this is five of them.
const leastCPUSeconds = 0.05

// hostLoad reads how busy the whole host is.
type hostLoad struct {
	cpu cpuShare
}

// HostLoad returns the source of how busy the whole host is, with whatever
// else runs on it.
func HostLoad() Source { return &hostLoad{} }

func (h *hostLoad) Read(_ time.Time, put func(name string, value float64)) {
	if times, err := cpu.Times(false); err == nil && len(times) == 1 {
		if percent, ok := h.cpu.next(times[0]); ok {
			put("host_cpu_percent", percent)
		}
	}
	if memory, err := mem.VirtualMemory(); err == nil && memory.Total > 0 {
		used := memory.Total - min(memory.Available, memory.Total)
		put("host_memory_percent", 100*float64(used)/float64(memory.Total))
	}
}

// A cpuShare turns readings of the host's CPU times into the busy share
// between them. The zero value is ready for the first reading.
type cpuShare struct {
	busy, total float64
}

// next takes a reading and returns how many percent of the time since the one
// before all cores together were busy. It cannot tell at the first reading; one
// that comes too soon is passed over, so that the next covers its span too.
// Waiting for a disk is not busy, and guests are within user and nice already.
func (c *cpuShare) next(t cpu.TimesStat) (percent float64, ok bool) {
	busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	total := busy + t.Idle + t.Iowait
	first := c.total == 0
	if !first && total-c.total < leastCPUSeconds {
		return 0, false
	}
	share := (busy - c.busy) / (total - c.total)
	c.busy, c.total = busy, total
	if first {
		return 0, false
	}
	// The kernel's counts of idle time may fall by a tick.
	return 100 * min(1, max(0, share)), true
}
