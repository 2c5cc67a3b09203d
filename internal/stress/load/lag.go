package load

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/probes"
)

// A LagCause is what kept the generator of an open load from starting operations
// in time.
type LagCause string

// The causes.
const (
	// NoLag means that the load was delivered.
	NoLag LagCause = ""
	// SystemUnderTest means that the system under test, which runs in this
	// process, used the processors. The latencies include the delay, because they
	// count from due times.
	SystemUnderTest LagCause = "system"
	// Generator means that starting so many operations used the processors.
	Generator LagCause = "generator"
	// OtherPrograms means that other programs or a hypervisor used the
	// processors, or that the cause is unknown.
	OtherPrograms LagCause = "others"
)

// A Lag explains why the generator was late. The shares are of all processors of
// the machine, in the time in which operations started late.
type Lag struct {
	Cause LagCause
	// Late is the share of the operations that started late.
	Late float64
	// Known says that the shares are known.
	Known bool
	// Own is the share that this process used, Others that of other programs, and
	// Stolen what a hypervisor gave to other machines.
	Own, Others, Stolen float64
	// Generator is roughly the part of Own that the generator used.
	Generator float64
}

// String returns the explanation as a sentence; it is empty if the load was
// delivered.
func (l Lag) String() string {
	percent := func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
	started := fmt.Sprintf("the generator started %.3g %% of the operations late", 100*l.Late)
	used := fmt.Sprintf("meanwhile other programs used %s of the processors, and this process %s", percent(l.Others), percent(l.Own))
	if l.Stolen >= 0.005 {
		used = fmt.Sprintf("meanwhile other programs used %s of the processors, other machines on the same host %s, and this process %s", percent(l.Others), percent(l.Stolen), percent(l.Own))
	}
	switch {
	case l.Cause == NoLag:
		return ""
	case l.Cause == SystemUnderTest:
		return fmt.Sprintf("%s because the system under test used the processors: %s; the latencies include the delay", started, used)
	case l.Cause == Generator:
		return fmt.Sprintf("the load was not delivered: %s because it needed about %s of the processors itself; use a lower rate", started, percent(l.Generator))
	case !l.Known:
		return fmt.Sprintf("the load was not delivered: %s; the machine is too slow or too busy, so use a lower rate or free some of its processors", started)
	case l.Others+l.Stolen >= othersShare:
		return fmt.Sprintf("the load was not delivered: %s because %s; stop other programs or use a lower rate", started, used)
	}
	return fmt.Sprintf("the load was not delivered: %s although processors were free: %s; the machine did not wake the generator in time, so use a lower rate", started, used)
}

const (
	// othersShare is the share of the machine from which on other programs are
	// the cause. The services of an idle machine and the ticks in which the
	// kernel counts can amount to a tenth.
	othersShare = 0.12
	// fullShare is the share of its usable processors from which on this process
	// had nearly all of them, whatever other programs did: on a machine with many
	// processors those use the rest.
	fullShare = 0.85
	// busyShare is the least share of its usable processors with which the system
	// under test can have kept the generator from running.
	busyShare = 0.5
	// leastProcessorSeconds is how much processor time, busy and idle, has to be
	// known. The kernel counts in ticks of 10 ms.
	leastProcessorSeconds = 0.1
)

// A LagMeter counts the operations that start late and observes how the
// processors are used meanwhile. It is safe for concurrent use; the zero value is
// ready.
type LagMeter struct {
	// ReadProcessors reads the times of the processors; nil is
	// probes.ReadCPUTimes.
	ReadProcessors func() (probes.CPUTimes, error)
	// Cost returns the CPU time in seconds that the generator needs for one
	// operation; nil measures it.
	Cost func() float64

	late atomic.Int64 // operations that started late

	mu    sync.Mutex
	known bool // last is valid
	last  probes.CPUTimes
	// lastLate and lastStarted are the counts at the last reading.
	lastLate, lastStarted int64
	used                  usage
}

// A usage is how the processors were used in the intervals in which operations
// started late.
type usage struct {
	processors probes.CPUTimes
	operations int64 // that started in them
}

// CountLate counts n operations that started late.
func (m *LagMeter) CountLate(n int64) { m.late.Add(n) }

// begin begins the observation of a load. Started is the number of operations so
// far.
func (m *LagMeter) begin(started int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = usage{}
	m.known = false
	m.read(started)
}

// sample ends one interval and begins the next.
func (m *LagMeter) sample(started int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known {
		m.read(started)
	}
}

// read takes a reading; the lock is held.
func (m *LagMeter) read(started int64) {
	read, late := m.ReadProcessors, m.late.Load()
	if read == nil {
		read = probes.ReadCPUTimes
	}
	now, err := read()
	if err == nil && m.known && late > m.lastLate {
		m.used.processors = m.used.processors.Add(now.Sub(m.last))
		m.used.operations += started - m.lastStarted
	}
	m.last, m.lastLate, m.lastStarted, m.known = now, late, started, err == nil
}

// end ends the observation.
func (m *LagMeter) end() (used usage, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, m.known = m.known, false
	return m.used, known && m.used.processors.Total >= leastProcessorSeconds
}

// diagnose explains why a share of the operations started late.
func (m *LagMeter) diagnose(late float64) Lag {
	used, known := m.end()
	if !known {
		return Lag{Cause: OtherPrograms, Late: late}
	}
	cost := m.Cost
	if cost == nil {
		cost = generatorCost
	}
	usable := min(float64(runtime.GOMAXPROCS(0))/float64(runtime.NumCPU()), 1)
	return used.diagnose(late, usable, cost)
}

// diagnose finds the cause, if this process can use a share usable of the
// machine's processors. It calls cost only if that matters.
func (u usage) diagnose(late, usable float64, cost func() float64) Lag {
	p := u.processors
	l := Lag{
		Cause: OtherPrograms, Late: late, Known: true,
		Own: p.Own / p.Total, Others: max(p.Busy-p.Own, 0) / p.Total, Stolen: max(p.Stolen, 0) / p.Total,
	}
	if l.Own < fullShare*usable && (l.Others+l.Stolen >= othersShare || l.Own < busyShare*usable) {
		return l
	}
	l.Cause = SystemUnderTest
	l.Generator = min(float64(u.operations)*cost()/p.Total, l.Own)
	if l.Generator > l.Own/2 {
		l.Cause = Generator
	}
	return l
}

// generatorCost measures once how much CPU time in seconds the generator needs to
// start an operation and to record it, if it does nothing else. It returns 0 if
// the CPU time of the process cannot be read.
var generatorCost = sync.OnceValue(func() float64 {
	const operations = 20_000
	best := math.Inf(1)
	for range 3 {
		run := runEmpty(Load{Workers: MinOpenWorkers, Stages: []Stage{{Rate: 1e9, For: operations}}})
		if run.err != nil {
			return 0
		}
		best = min(best, run.seconds/operations)
	}
	return best
})
