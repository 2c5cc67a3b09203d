package scenario

import (
	"slices"
	"time"
)

// A FaultKind is what a fault does, by its name in scenario files.
type FaultKind string

// The kinds of faults.
const (
	KillAgents       FaultKind = "kill_agents"
	PanicAgents      FaultKind = "panic_agents"
	SlowActions      FaultKind = "slow_actions"
	StallSubscribers FaultKind = "stall_subscribers"
	CrashComponent   FaultKind = "crash_component"
	Garbage          FaultKind = "garbage"
	HogCPU           FaultKind = "hog_cpu"
)

// A Target is what a fault can hit of a measurement.
type Target string

// The targets.
const (
	// TargetAgents are the agents that a measurement starts with Env.Agent.
	TargetAgents Target = "agents"
	// TargetSubscribers are the subscribers whose handlers a measurement passes to
	// Env.Subscriber.
	TargetSubscribers Target = "subscribers"
	// TargetComponents are the components of the system that does the work while a
	// load runs: that of the repetition, or another one given to Env.Watch.
	TargetComponents Target = "components"
)

// A faultSpec describes one kind of fault.
type faultSpec struct {
	kind FaultKind
	doc  string
	// target is what it hits; empty for the process, which every measurement has.
	target Target
	params []Param
	// word is the parameter of kind Text whose choices can replace the number, for
	// one injection; empty for none.
	word string
}

func lasting(d time.Duration, doc string) Param {
	return Param{Name: "for", Kind: Duration, Default: d, Min: 1e-6, Max: 3600, Doc: doc}
}

var faultSpecs = []faultSpec{
	{kind: KillAgents, target: TargetAgents, doc: "Kills agents without calling Terminate."},
	{kind: PanicAgents, target: TargetAgents, doc: "Makes agents panic in a callback."},
	{
		kind: SlowActions, target: TargetAgents, doc: "Makes all actions of agents take longer.",
		params: []Param{
			{Name: "by", Kind: Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "How much longer each action takes."},
			lasting(time.Second, "How long the agent stays slow."),
		},
	},
	{
		kind: StallSubscribers, target: TargetSubscribers, doc: "Stops subscribers from handling events.",
		params: []Param{lasting(100*time.Millisecond, "How long the subscriber is stalled.")},
	},
	{
		kind: CrashComponent, target: TargetComponents, word: "component",
		doc: "Crashes a component of the system; the system restarts it, but what only the component held is lost.",
		params: []Param{{
			Name: "component", Kind: Text, Default: AnyComponent, Choices: append([]string{AnyComponent}, CrashableComponents...),
			Doc: "Which component: " + AnyComponent + " picks one at random each time. The registry loses its indices, the event_bus its queued events and its history, and agents (the supervisors) their children.",
		}},
	},
	{
		kind: Garbage, doc: "Allocates memory and discards it.",
		params: []Param{{Name: "size", Kind: Size, Default: int64(10e6), Min: 1, Max: 1 << 30, Doc: "How much memory each time."}},
	},
	{
		kind: HogCPU, doc: "Keeps one processor busy each time.",
		params: []Param{lasting(time.Second, "How long the processor is kept busy.")},
	},
}

// AnyComponent has crash_component pick a component at random.
const AnyComponent = "any"

// SupervisorsComponent is the component whose crash ends agents.
const SupervisorsComponent = "agents"

// CrashableComponents are the components that lose something in a crash.
var CrashableComponents = []string{"registry", "event_bus", SupervisorsComponent}

// unsupportedFaults are known by name, but cannot be injected yet.
var unsupportedFaults = []string{"network"}

const (
	maxFaults    = 100_000
	maxFaultRate = 1000 // per second: each one is an event of the stream
)

var (
	faultFrom  = Param{Name: "from", Kind: Duration, Default: time.Duration(0), Max: 24 * 3600, Doc: "When it begins, counted from the start of the load."}
	faultUntil = Param{Name: "until", Kind: Duration, Min: 1e-9, Max: 24 * 3600, Doc: "When a rate ends; by default with the load."}
)

// numbers return the parameters of the two ways to say how often a fault is
// injected.
func (s faultSpec) numbers() (count, rate Param) {
	count = Param{Name: string(s.kind), Kind: Int, Min: 1, Max: maxFaults, Doc: s.doc}
	rate = Param{Name: string(s.kind), Kind: Rate, Min: 0.001, Max: maxFaultRate, Doc: s.doc}
	return count, rate
}

// keys returns all parameters of the kind, the number first.
func (s faultSpec) keys(number Param) []Param {
	return slices.Concat([]Param{number, faultFrom, faultUntil}, s.params)
}

// words returns what can replace the number.
func (s faultSpec) words() []string {
	for _, p := range s.params {
		if p.Name == s.word {
			return p.Choices
		}
	}
	return nil
}

// faultNames returns the names of all kinds.
func faultNames() []string {
	names := make([]string, len(faultSpecs))
	for i, s := range faultSpecs {
		names[i] = string(s.kind)
	}
	return names
}
