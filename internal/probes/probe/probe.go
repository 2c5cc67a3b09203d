// Package probe declares the probes: their names, units, kinds and meanings. A
// probe is a number that is sampled many times a second while a step runs.
// Package probes samples them.
package probe

import "strings"

// A Name is the name of a probe in samples, reports and exports.
type Name string

// The probes of the Go runtime, the process, the host, the system under test, the
// load and the terminal UI.
const (
	Goroutines                  Name = "goroutines"
	GoroutinesRunning           Name = "goroutines_running"
	GoroutinesRunnable          Name = "goroutines_runnable"
	GoroutinesWaiting           Name = "goroutines_waiting"
	GoroutinesCreatedPerSecond  Name = "goroutines_created_per_second"
	Threads                     Name = "threads"
	HeapBytes                   Name = "heap_bytes"
	HeapLiveBytes               Name = "heap_live_bytes"
	StackBytes                  Name = "stack_bytes"
	HeapReleasedBytes           Name = "heap_released_bytes"
	AllocBytesPerSecond         Name = "alloc_bytes_per_second"
	GCCycles                    Name = "gc_cycles"
	GCPauseP99MS                Name = "gc_pause_p99_ms"
	GCCPURatio                  Name = "gc_cpu_ratio"
	SchedLatencyP50MS           Name = "sched_latency_p50_ms"
	SchedLatencyP99MS           Name = "sched_latency_p99_ms"
	MutexWaitSeconds            Name = "mutex_wait_seconds"
	RSSBytes                    Name = "rss_bytes"
	CPUPercent                  Name = "cpu_percent"
	OpenFiles                   Name = "open_files"
	HostCPUPercent              Name = "host_cpu_percent"
	HostMemoryPercent           Name = "host_memory_percent"
	Agents                      Name = "agents"
	AgentsStartedPerSecond      Name = "agents_started_per_second"
	AgentsStoppedPerSecond      Name = "agents_stopped_per_second"
	AgentsCrashed               Name = "agents_crashed"
	AgentsRestarted             Name = "agents_restarted"
	ActionsPerSecond            Name = "actions_per_second"
	ActionsFailedPerSecond      Name = "actions_failed_per_second"
	ActionP50MS                 Name = "action_p50_ms"
	ActionP95MS                 Name = "action_p95_ms"
	ActionP99MS                 Name = "action_p99_ms"
	EventsPublishedPerSecond    Name = "events_published_per_second"
	EventsDeliveredPerSecond    Name = "events_delivered_per_second"
	EventsDropped               Name = "events_dropped"
	Subscriptions               Name = "subscriptions"
	MailboxDepth                Name = "mailbox_depth"
	MailboxDepthMax             Name = "mailbox_depth_max"
	RegistryOperationsPerSecond Name = "registry_operations_per_second"
	CoordinationRoundsPerSecond Name = "coordination_rounds_per_second"
	OfferedPerSecond            Name = "offered_per_second"
	CompletedPerSecond          Name = "completed_per_second"
	FailedPerSecond             Name = "failed_per_second"
	InFlight                    Name = "inflight"
	GeneratorLagMS              Name = "generator_lag_ms"
	UIOverhead                  Name = "ui_overhead"
)

// A Sample holds the value of every probe that could be read at one time. A probe that
// the platform does not support is absent.
type Sample map[Name]float64

// A Kind says how the values of a probe develop.
type Kind string

// The kinds of probes.
const (
	// Counter values only grow, until the process or the system that they count in is
	// replaced.
	Counter Kind = "counter"
	// Gauge values rise and fall.
	Gauge Kind = "gauge"
)

// The units of probes.
const (
	Count          = "count"
	Bytes          = "bytes"
	BytesPerSecond = "bytes/s"
	PerSecond      = "1/s"
	Milliseconds   = "ms"
	Seconds        = "s"
	Ratio          = "ratio" // 0 to 1
	Percent        = "percent"
)

// A Definition describes a probe.
type Definition struct {
	Name Name
	Unit string
	Kind Kind
	// Doc says in one sentence what the value means.
	Doc string
}

// definitions is the table of all probes.
var definitions = [...]Definition{
	{Goroutines, Count, Gauge, "Live goroutines."},
	{GoroutinesRunning, Count, Gauge, "Goroutines that are running, at most GOMAXPROCS."},
	{GoroutinesRunnable, Count, Gauge, "Goroutines that are ready to run and wait for a CPU."},
	{GoroutinesWaiting, Count, Gauge, "Goroutines that wait for a channel, a lock, a timer or the network."},
	{GoroutinesCreatedPerSecond, PerSecond, Gauge, "Goroutines started per second."},
	{Threads, Count, Gauge, "Operating system threads of the Go runtime; threads of C code do not count."},
	{HeapBytes, Bytes, Gauge, "Heap memory in objects, including dead objects that are not swept yet."},
	{HeapLiveBytes, Bytes, Gauge, "Heap memory that was live at the last garbage collection; absent before the first one."},
	{StackBytes, Bytes, Gauge, "Memory in goroutine stacks."},
	{HeapReleasedBytes, Bytes, Gauge, "Heap memory returned to the operating system."},
	{AllocBytesPerSecond, BytesPerSecond, Gauge, "Bytes allocated on the heap per second."},
	{GCCycles, Count, Counter, "Garbage collections since the process started."},
	{GCPauseP99MS, Milliseconds, Gauge, "99th percentile of the GC pauses since the previous sample; absent if there was none."},
	{GCCPURatio, Ratio, Gauge, "Share of the available CPU time that the garbage collector used, up to the last collection; absent if there was none since the previous sample."},
	{SchedLatencyP50MS, Milliseconds, Gauge, "Median scheduler latency (how long goroutines were runnable before they ran) since the previous sample."},
	{SchedLatencyP99MS, Milliseconds, Gauge, "99th percentile of the scheduler latency since the previous sample."},
	{MutexWaitSeconds, Seconds, Counter, "Total time that goroutines waited for locks since the process started."},
	{RSSBytes, Bytes, Gauge, "Resident memory of the process."},
	{CPUPercent, Percent, Gauge, "CPU time that the process used since the previous sample; one busy CPU is 100."},
	{OpenFiles, Count, Gauge, "Open file descriptors of the process."},
	{HostCPUPercent, Percent, Gauge, "CPU time that all processes of the host used since the previous sample; all CPUs busy is 100."},
	{HostMemoryPercent, Percent, Gauge, "Share of the host's memory that is not available to new processes."},
	{Agents, Count, Gauge, "Live agents."},
	{AgentsStartedPerSecond, PerSecond, Gauge, "Agents started per second."},
	{AgentsStoppedPerSecond, PerSecond, Gauge, "Agents stopped per second."},
	{AgentsCrashed, Count, Counter, "Agents that crashed since the system started."},
	{AgentsRestarted, Count, Counter, "Agents that were restarted since the system started, by a supervisor or on request."},
	{ActionsPerSecond, PerSecond, Gauge, "Actions completed per second, without failed ones."},
	{ActionsFailedPerSecond, PerSecond, Gauge, "Actions failed per second."},
	{ActionP50MS, Milliseconds, Gauge, "Median latency of the load's operations since the previous sample."},
	{ActionP95MS, Milliseconds, Gauge, "95th percentile of the latency of the load's operations since the previous sample."},
	{ActionP99MS, Milliseconds, Gauge, "99th percentile of the latency of the load's operations since the previous sample."},
	{EventsPublishedPerSecond, PerSecond, Gauge, "Events published on the bus per second, including those of the agents and the system, such as the start of an agent."},
	{EventsDeliveredPerSecond, PerSecond, Gauge, "Deliveries of events to subscribers per second."},
	{EventsDropped, Count, Counter, "Deliveries of events that were dropped since the system started."},
	{Subscriptions, Count, Gauge, "Subscriptions to events."},
	{MailboxDepth, Count, Gauge, "Messages that wait in all mailboxes."},
	{MailboxDepthMax, Count, Gauge, "Messages in the deepest mailbox that received one since the previous sample."},
	{RegistryOperationsPerSecond, PerSecond, Gauge, "Registrations, lookups, updates and unregistrations per second."},
	{CoordinationRoundsPerSecond, PerSecond, Gauge, "Coordination rounds finished per second."},
	{OfferedPerSecond, PerSecond, Gauge, "Offered rate: operations that were due per second, by the schedule of an open load or by the answers of a closed one."},
	{CompletedPerSecond, PerSecond, Gauge, "Completed rate: operations of the load that were completed per second."},
	{FailedPerSecond, PerSecond, Gauge, "Operations of the load that failed per second."},
	{InFlight, Count, Gauge, "Operations of the load in flight."},
	{GeneratorLagMS, Milliseconds, Gauge, "Largest generator lag (how late the load generator started an operation although a worker was free) since the previous sample."},
	{UIOverhead, Ratio, Gauge, "Share of the machine's CPUs that the terminal UI used since the previous sample, while the load ran in a child process."},
}

// All returns the definitions of all probes.
func All() []Definition { return definitions[:] }

// Unit returns the unit of a probe. The unit of a probe that this program does not know
// follows from the end of its name.
func (n Name) Unit() string {
	if d, ok := Find(n); ok {
		return d.Unit
	}
	return n.suffixUnit()
}

// suffixUnit returns the unit that the name ends in.
func (n Name) suffixUnit() string {
	for _, u := range []struct{ suffix, unit string }{
		{"_bytes_per_second", BytesPerSecond},
		{"_per_second", PerSecond},
		{"_bytes", Bytes},
		{"_ms", Milliseconds},
		{"_seconds", Seconds},
		{"_ratio", Ratio},
		{"_percent", Percent},
	} {
		if strings.HasSuffix(string(n), u.suffix) {
			return u.unit
		}
	}
	return Count
}

// Find returns the definition of a probe. ok is false if the program does not know it.
func Find(name Name) (d Definition, ok bool) {
	for _, d := range definitions {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}
