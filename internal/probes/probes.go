// Package probes reads, many times a second, how the Go runtime, the process,
// the host and the running system are doing. A probe is one named number; the
// table Probes says what each means. What cannot be told is left out of a
// sample, never told as zero.
package probes

// A Kind says how a probe's values follow each other.
type Kind string

// The kinds of probes.
const (
	// Counter values only grow, until what they count starts anew.
	Counter Kind = "counter"
	// Gauge values go up and down.
	Gauge Kind = "gauge"
)

// A Probe describes one probe.
type Probe struct {
	// Name is the probe's name in samples, reports and CSV.
	Name string
	// Unit is one of count, bytes, ms, s, 1/s, bytes/s, ratio (0 to 1), percent.
	Unit string
	Kind Kind
	// Doc says in one sentence what the value means.
	Doc string
}

// Probes describes every probe there is, in the order in which they are told,
// including those of the load, which the load's own Source reads.
var Probes = []Probe{
	{"goroutines", "count", Gauge, "Live goroutines."},
	{"goroutines_running", "count", Gauge, "Goroutines that execute right now, at most GOMAXPROCS."},
	{"goroutines_runnable", "count", Gauge, "Goroutines that are ready to run and wait for a processor."},
	{"goroutines_waiting", "count", Gauge, "Goroutines that wait for a channel, a lock, a timer or the network."},
	{"goroutines_created_per_second", "1/s", Gauge, "Goroutines started per second."},
	{"threads", "count", Gauge, "Operating system threads that the Go runtime owns; foreign ones, made by C code, are not among them."},
	{"heap_bytes", "bytes", Gauge, "Heap in objects, live or dead but not yet swept."},
	{"heap_live_bytes", "bytes", Gauge, "Heap that the last garbage collection found alive; absent before the first."},
	{"stack_bytes", "bytes", Gauge, "Memory in goroutine stacks."},
	{"heap_released_bytes", "bytes", Gauge, "Heap memory given back to the operating system."},
	{"alloc_bytes_per_second", "bytes/s", Gauge, "Bytes allocated on the heap per second."},
	{"gc_cycles", "count", Counter, "Garbage collections finished since the process started."},
	{"gc_pause_p99_ms", "ms", Gauge, "99th percentile of the pauses for garbage collection since the previous sample; absent if there was none."},
	{"gc_cpu_ratio", "ratio", Gauge, "Share of the available CPU time that the garbage collector took, up to the last collection since the previous sample; absent if there was none."},
	{"sched_latency_p50_ms", "ms", Gauge, "Median of how long goroutines were runnable before they ran, since the previous sample."},
	{"sched_latency_p99_ms", "ms", Gauge, "99th percentile of how long goroutines were runnable before they ran, since the previous sample."},
	{"mutex_wait_seconds", "s", Counter, "Time that goroutines spent waiting for locks since the process started, summed over them."},
	{"rss_bytes", "bytes", Gauge, "Physical memory that the process holds."},
	{"cpu_percent", "percent", Gauge, "CPU time that the process took since the previous sample; one busy core is 100."},
	{"open_files", "count", Gauge, "File descriptors that the process holds open."},
	{"host_cpu_percent", "percent", Gauge, "CPU time that all processes of the host took since the previous sample; all cores busy is 100."},
	{"host_memory_percent", "percent", Gauge, "Share of the host's memory that is not available to new processes."},
	{"agents", "count", Gauge, "Agents alive."},
	{"agents_started_per_second", "1/s", Gauge, "Agents started per second."},
	{"agents_stopped_per_second", "1/s", Gauge, "Agents stopped per second."},
	{"agents_crashed", "count", Counter, "Agents crashed since the system started."},
	{"agents_restarted", "count", Counter, "Agents restarted since the system started, by their supervisor or on request."},
	{"actions_per_second", "1/s", Gauge, "Actions done per second; failed ones are not among them."},
	{"actions_failed_per_second", "1/s", Gauge, "Actions failed per second."},
	{"action_p50_ms", "ms", Gauge, "Median latency of the load's operations since the previous sample."},
	{"action_p95_ms", "ms", Gauge, "95th percentile of the latency of the load's operations since the previous sample."},
	{"action_p99_ms", "ms", Gauge, "99th percentile of the latency of the load's operations since the previous sample."},
	{"events_published_per_second", "1/s", Gauge, "Events published on the bus per second: those of the load, and what agents and the system tell besides, as the start of an agent."},
	{"events_delivered_per_second", "1/s", Gauge, "Deliveries of events to subscriptions per second."},
	{"events_dropped", "count", Counter, "Deliveries of events dropped since the system started."},
	{"subscriptions", "count", Gauge, "Subscriptions to events."},
	{"mailbox_depth", "count", Gauge, "Messages that wait in all mailboxes."},
	{"mailbox_depth_max", "count", Gauge, "Depth of the deepest mailbox that got a message since the previous sample."},
	{"registry_operations_per_second", "1/s", Gauge, "Registrations, lookups, updates and unregistrations per second."},
	{"coordination_rounds_per_second", "1/s", Gauge, "Coordinations finished per second."},
	{"offered_per_second", "1/s", Gauge, "Operations per second that were due: by the schedule of an open load, and as fast as answers came in a closed one."},
	{"completed_per_second", "1/s", Gauge, "Operations of the load completed per second."},
	{"failed_per_second", "1/s", Gauge, "Operations of the load failed per second."},
	{"inflight", "count", Gauge, "Operations of the load begun and not yet ended."},
	{"generator_lag_ms", "ms", Gauge, "Most by which the load generator itself, with a worker free, began an operation too late since the previous sample."},
}

// Counters are the names of the probes whose values only grow, until what they count
// starts anew.
func Counters() []string {
	var names []string
	for _, p := range Probes {
		if p.Kind == Counter {
			names = append(names, p.Name)
		}
	}
	return names
}
