package scenario

import (
	"slices"
	"time"
)

// A Target is what of a measurement a fault can hit.
type Target string

// The targets.
const (
	// Agents are those that a measurement starts with Env.Agent.
	TargetAgents Target = "agents"
	// Subscribers are those whose handlers a measurement passes through
	// Env.Subscriber.
	TargetSubscribers Target = "subscribers"
	// Components are those of the system that does the work while a load runs:
	// that of the repetition, or another one that Env.Watch was given.
	TargetComponents Target = "components"
)

// A faultKind is one kind of fault.
type faultKind struct {
	name, doc string
	// target is what it hits; empty for the process, which every measurement
	// has.
	target Target
	params []Param
	// word is the parameter of kind Text whose choices may stand in the place of
	// the number, for one; empty for none.
	word string
}

func lasting(d time.Duration, doc string) Param {
	return Param{Name: "for", Kind: Duration, Default: d, Min: 1e-6, Max: 3600, Doc: doc}
}

var faultKinds = []faultKind{
	{name: "kill_agents", target: TargetAgents, doc: "Kills agents, without their Terminate."},
	{name: "panic_agents", target: TargetAgents, doc: "Makes agents panic in a callback."},
	{
		name: "slow_actions", target: TargetAgents, doc: "Makes all actions of agents take longer.",
		params: []Param{
			{Name: "by", Kind: Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "How much longer each action takes."},
			lasting(time.Second, "How long the agent stays slow."),
		},
	},
	{
		name: "stall_subscribers", target: TargetSubscribers, doc: "Makes subscribers handle no event.",
		params: []Param{lasting(100*time.Millisecond, "How long the subscriber stands still.")},
	},
	{
		name: "crash_component", target: TargetComponents, word: "component",
		doc: "Makes a component of the system crash; the system begins it anew, but what only it held is lost.",
		params: []Param{{
			Name: "component", Kind: Text, Default: AnyComponent, Choices: append([]string{AnyComponent}, CrashableComponents...),
			Doc: "Which one: " + AnyComponent + " draws one each time. The registry loses its indices, the event_bus the events that wait and its history, and agents, which are the supervisors, their children.",
		}},
	},
	{
		name: "garbage", doc: "Allocates memory that nobody keeps.",
		params: []Param{{Name: "size", Kind: Size, Default: int64(10e6), Min: 1, Max: 1 << 30, Doc: "How much memory each time."}},
	},
	{
		name: "hog_cpu", doc: "Keeps processors busy, each time one.",
		params: []Param{lasting(time.Second, "How long the processor is kept busy.")},
	},
}

// AnyComponent lets crash_component draw a component.
const AnyComponent = "any"

// SupervisorsComponent is the component whose crash ends agents.
const SupervisorsComponent = "agents"

// CrashableComponents are the components that a crash costs something.
var CrashableComponents = []string{"registry", "event_bus", SupervisorsComponent}

// plannedFaults are known by name, but cannot be injected.
var plannedFaults = []string{"network"}

const (
	maxFaults    = 100_000
	maxFaultRate = 1000 // per second: each one is an event of the stream
)

var (
	faultFrom  = Param{Name: "from", Kind: Duration, Default: time.Duration(0), Max: 24 * 3600, Doc: "When it begins, counted from the start of the load."}
	faultUntil = Param{Name: "until", Kind: Duration, Min: 1e-9, Max: 24 * 3600, Doc: "When a rate ends; by default with the load."}
)

// numbers describe the two ways to say how often a fault is injected.
func (k faultKind) numbers() (count, rate Param) {
	count = Param{Name: k.name, Kind: Int, Min: 1, Max: maxFaults, Doc: k.doc}
	rate = Param{Name: k.name, Kind: Rate, Min: 0.001, Max: maxFaultRate, Doc: k.doc}
	return count, rate
}

// keys are all parameters of the kind, the number first.
func (k faultKind) keys(number Param) []Param {
	return slices.Concat([]Param{number, faultFrom, faultUntil}, k.params)
}

// words are what may stand in the place of the number.
func (k faultKind) words() []string {
	for _, p := range k.params {
		if p.Name == k.word {
			return p.Choices
		}
	}
	return nil
}
