package probes

import (
	"fmt"
	"os"
	goruntime "runtime"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"mabeam-top/internal/probes/probe"
)

// minCPUInterval is the shortest time over which the CPU usage of the process is
// computed.
const minCPUInterval = 50 * time.Millisecond

// ownProcess samples what the operating system knows about this process.
type ownProcess struct {
	process *process.Process
	cpu     rate
}

// Process returns the source of what the operating system knows about this process.
// Values that the platform does not provide are absent. It fails if the platform's
// process list does not have this process.
func Process() (Source, error) {
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("find this process: %w", err)
	}
	return &ownProcess{process: p}, nil
}

func (p *ownProcess) Read(now time.Time, put func(name probe.Name, value float64)) {
	if memory, err := p.process.MemoryInfo(); err == nil {
		put(probe.RSSBytes, float64(memory.RSS))
	}
	if n, err := p.openFiles(); err == nil {
		put(probe.OpenFiles, float64(n))
	}
	if cpus, ok := p.cpus(now); ok {
		put(probe.CPUPercent, 100*cpus)
	}
}

// cpus returns how many CPUs the process kept busy on average since the previous
// reading.
func (p *ownProcess) cpus(now time.Time) (cpus float64, ok bool) {
	// The kernel counts in ticks of up to 10 ms for each thread, which would dominate a
	// shorter time.
	if now.Sub(p.cpu.at) < minCPUInterval {
		return 0, false
	}
	seconds, err := p.cpuSeconds()
	if err != nil {
		return 0, false
	}
	return p.cpu.next(now, seconds)
}

// CPUShare returns a function that reads the share of the machine's CPUs that this
// process used since the previous call; 1 means all of them. ok is false for the first
// call and within 50 ms of the previous one.
func CPUShare() (read func(now time.Time) (share float64, ok bool), err error) {
	source, err := Process()
	if err != nil {
		return nil, err
	}
	p := source.(*ownProcess)
	return func(now time.Time) (float64, bool) {
		cpus, ok := p.cpus(now)
		return cpus / float64(goruntime.NumCPU()), ok
	}, nil
}

// openFiles returns the number of open file descriptors. Since Linux 6.2 it is the size
// of their directory, which takes the same time for ten as for a million. Listing the
// directory takes longer and opens another one.
func (p *ownProcess) openFiles() (int64, error) {
	if goruntime.GOOS != "linux" {
		n, err := p.process.NumFDs()
		return int64(n), err
	}
	if dir, err := os.Stat("/proc/self/fd"); err == nil && dir.Size() > 0 {
		return dir.Size(), nil
	}
	n, err := p.process.NumFDs()
	return int64(n) - 1, err
}
