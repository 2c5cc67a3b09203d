package stress

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"mabeam-top/internal/probes"
)

// A Culprit is who kept the generator of an open load from beginning operations
// in time.
type Culprit string

// The culprits.
const (
	// NoCulprit: the load was delivered.
	NoCulprit Culprit = ""
	// SystemCulprit: the system under test, which runs in this process, took the
	// processors. The delay is in the latencies, which count from due times.
	SystemCulprit Culprit = "system"
	// GeneratorCulprit: beginning so many operations took the processors.
	GeneratorCulprit Culprit = "generator"
	// OthersCulprit: other programs or a hypervisor took the processors, or nobody
	// is known to have.
	OthersCulprit Culprit = "others"
)

// A Blame says who kept the generator from its schedule, and on what grounds. The
// shares are of all processors of the machine, in the time in which operations
// began late.
type Blame struct {
	Culprit Culprit
	// Late is the share of the operations that began late.
	Late float64
	// Known says that the shares are known.
	Known bool
	// Own is the share that this process used, Others that of other programs, and
	// Stolen what a hypervisor gave to other machines.
	Own, Others, Stolen float64
	// Generator is roughly the part of Own that the generator used.
	Generator float64
}

// String says it in a sentence; empty if the load was delivered.
func (b Blame) String() string {
	percent := func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
	began := fmt.Sprintf("the generator began %.3g %% of the operations late", 100*b.Late)
	used := fmt.Sprintf("other programs used %s of the processors meanwhile, and this process %s", percent(b.Others), percent(b.Own))
	if b.Stolen >= 0.005 {
		used = fmt.Sprintf("other programs used %s of the processors meanwhile, other machines on the same host %s, and this process %s", percent(b.Others), percent(b.Stolen), percent(b.Own))
	}
	switch {
	case b.Culprit == NoCulprit:
		return ""
	case b.Culprit == SystemCulprit:
		return fmt.Sprintf("%s because the system under test took the processors: %s; the delay is in the latencies", began, used)
	case b.Culprit == GeneratorCulprit:
		return fmt.Sprintf("the load was not delivered: %s because it needed about %s of the processors for itself; ask for a lower rate", began, percent(b.Generator))
	case !b.Known:
		return fmt.Sprintf("the load was not delivered: %s; the machine is too slow or too busy, so ask for a lower rate or free some of its processors", began)
	case b.Others+b.Stolen >= othersShare:
		return fmt.Sprintf("the load was not delivered: %s because %s; stop other programs or ask for a lower rate", began, used)
	}
	return fmt.Sprintf("the load was not delivered: %s although processors were free: %s; the machine did not wake the generator in time, so ask for a lower rate", began, used)
}

const (
	// othersShare is the share of the machine from which on others are to blame.
	// A tenth is what the services of an idle machine and the ticks in which the
	// kernel counts can come to.
	othersShare = 0.12
	// fullShare is the share of the processors that this process may use from
	// which on it had nearly all of them, whatever others did: on a machine with
	// many processors they use those that are left.
	fullShare = 0.85
	// busyShare is the least share of the same with which the system under test can
	// have kept the generator from running.
	busyShare = 0.5
	// leastProcessorSeconds is how much time of processors, busy and idle, has to
	// be known. The kernel counts in ticks of 10 ms.
	leastProcessorSeconds = 0.1
)

// A lateness collects how the processors were used while operations began late.
// It is safe for concurrent use.
type lateness struct {
	// read reads the times of the processors; nil stands for the real ones.
	read func() (probes.ProcessorTimes, error)
	// cost returns the CPU time in seconds that the generator needs for one
	// operation; nil stands for generatorCost.
	cost func() float64

	mu    sync.Mutex
	known bool // last can be relied on
	last  probes.ProcessorTimes
	// late and begun are the counts of operations at the last observation.
	late, begun int64
	used        usage
}

// A usage is how the processors were used in the intervals in which operations
// began late.
type usage struct {
	processors probes.ProcessorTimes
	operations int64 // that began in them
}

// begin starts the observation of a load. The counts are those so far.
func (l *lateness) begin(late, begun int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = usage{}
	l.known = false
	l.observe(late, begun)
}

// sample ends one interval and begins the next.
func (l *lateness) sample(late, begun int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known {
		l.observe(late, begun)
	}
}

// observe takes a reading; the lock is held.
func (l *lateness) observe(late, begun int64) {
	read := l.read
	if read == nil {
		read = probes.ReadProcessorTimes
	}
	now, err := read()
	if err == nil && l.known && late > l.late {
		l.used.processors = l.used.processors.Add(now.Sub(l.last))
		l.used.operations += begun - l.begun
	}
	l.last, l.late, l.begun, l.known = now, late, begun, err == nil
}

// end ends the observation.
func (l *lateness) end() (used usage, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, l.known = l.known, false
	return l.used, known && l.used.processors.Total >= leastProcessorSeconds
}

// blame says who is to blame for a share of operations that began late.
func (l *lateness) blame(share float64) Blame {
	used, known := l.end()
	if !known {
		return Blame{Culprit: OthersCulprit, Late: share}
	}
	cost := l.cost
	if cost == nil {
		cost = generatorCost
	}
	usable := min(float64(runtime.GOMAXPROCS(0))/float64(runtime.NumCPU()), 1)
	return used.blame(share, usable, cost)
}

// blame decides who is to blame, if this process may use a share usable of the
// machine's processors. It asks for the generator's cost only if that matters.
func (u usage) blame(late, usable float64, cost func() float64) Blame {
	p := u.processors
	b := Blame{
		Culprit: OthersCulprit, Late: late, Known: true,
		Own: p.Own / p.Total, Others: max(p.Busy-p.Own, 0) / p.Total, Stolen: max(p.Stolen, 0) / p.Total,
	}
	if b.Own < fullShare*usable && (b.Others+b.Stolen >= othersShare || b.Own < busyShare*usable) {
		return b
	}
	b.Culprit = SystemCulprit
	b.Generator = min(float64(u.operations)*cost()/p.Total, b.Own)
	if b.Generator > b.Own/2 {
		b.Culprit = GeneratorCulprit
	}
	return b
}

// generatorCost measures once how much CPU time in seconds the generator needs to
// begin an operation and to record it, if it does nothing else. Where the CPU time
// of the process cannot be read it returns 0.
var generatorCost = sync.OnceValue(func() float64 {
	const operations = 20_000
	best := math.Inf(1)
	for range 3 {
		_, seconds, err := driveNothing(Load{Workers: openWorkers, Stages: []Stage{{Rate: 1e9, For: operations * time.Nanosecond}}}, NewRecorder(), new(loadCounters))
		if err != nil {
			return 0
		}
		best = min(best, seconds/operations)
	}
	return best
})
