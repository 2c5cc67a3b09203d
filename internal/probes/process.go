package probes

import (
	"fmt"
	"os"
	goruntime "runtime"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// shortestCPUSpan is the least time that the use of the processor is told over.
const shortestCPUSpan = 50 * time.Millisecond

// ownProcess reads what the operating system knows of this process.
type ownProcess struct {
	process *process.Process
	cpu     rate
}

// Process returns the source of what the operating system tells about this
// process. What the platform cannot tell is absent. The error says that the
// process could not be found in the platform's list of them.
func Process() (Source, error) {
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("find own process: %w", err)
	}
	return &ownProcess{process: p}, nil
}

func (p *ownProcess) Read(now time.Time, put func(name string, value float64)) {
	if memory, err := p.process.MemoryInfo(); err == nil {
		put("rss_bytes", float64(memory.RSS))
	}
	if n, err := p.openFiles(); err == nil {
		put("open_files", float64(n))
	}
	if cores, ok := p.cores(now); ok {
		put("cpu_percent", 100*cores)
	}
}

// cores is how many processors the process kept busy since the reading before,
// on average.
func (p *ownProcess) cores(now time.Time) (cores float64, ok bool) {
	// The kernel counts in ticks of up to 10 ms, for each thread: over a shorter
	// time than this a rate would tell more of the ticks.
	if now.Sub(p.cpu.at) < shortestCPUSpan {
		return 0, false
	}
	seconds, err := p.cpuSeconds()
	if err != nil {
		return 0, false
	}
	return p.cpu.next(now, seconds)
}

// ProcessorShare returns what reads the share of the machine's processors that
// this process took since the reading before: 1 is all of them. It cannot tell
// at the first reading, nor within 50 ms of the one before.
func ProcessorShare() (read func(now time.Time) (share float64, ok bool), err error) {
	source, err := Process()
	if err != nil {
		return nil, err
	}
	p := source.(*ownProcess)
	return func(now time.Time) (float64, bool) {
		cores, ok := p.cores(now)
		return cores / float64(goruntime.NumCPU()), ok
	}, nil
}

// openFiles counts the open file descriptors. Since Linux 6.2 the size of the
// descriptors' directory is their number, which costs the same with ten open
// and with a million; listing the directory does not, and opens one more.
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
