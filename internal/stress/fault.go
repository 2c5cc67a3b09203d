package stress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"
)

// An Injection is a fault that a step asks for: what is done to the system
// under test while the step's load runs, how often, and when.
type Injection struct {
	// Kind says what is done, such as kill_agents.
	Kind string
	// Params holds how often it is done under the name of the kind: an int is
	// a number, all at once, and a float64 a rate per second. The others are
	// from and until, counted from the load's start, and those of the kind.
	Params Params
}

// A Target is what of a measurement a fault can hit.
type Target string

// The targets.
const (
	// Agents are those that a measurement starts with Env.Agent.
	Agents Target = "agents"
	// Subscribers are those whose handlers a measurement passes through
	// Env.Subscriber.
	Subscribers Target = "subscribers"
	// Components are those of the system that does the work while a load runs:
	// that of the repetition, or another one that Env.Watch was given.
	Components Target = "components"
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
	// inject does it once, and tells what it hit, nothing if that is the process;
	// false means that nothing was left to hit. What lasts is undone at the latest when ctx ends.
	inject func(ctx context.Context, f *faults, p Params, draw *rand.Rand) (hit string, ok bool)
}

func lasting(d time.Duration, doc string) Param {
	return Param{Name: "for", Kind: Duration, Default: d, Min: 1e-6, Max: 3600, Doc: doc}
}

var faultKinds = []faultKind{
	{name: "kill_agents", target: Agents, inject: killAgent, doc: "Kills agents, without their Terminate."},
	{name: "panic_agents", target: Agents, inject: panicAgent, doc: "Makes agents panic in a callback."},
	{
		name: "slow_actions", target: Agents, inject: slowActions, doc: "Makes all actions of agents take longer.",
		params: []Param{
			{Name: "by", Kind: Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "How much longer each action takes."},
			lasting(time.Second, "How long the agent stays slow."),
		},
	},
	{
		name: "stall_subscribers", target: Subscribers, inject: stallSubscriber, doc: "Makes subscribers handle no event.",
		params: []Param{lasting(100*time.Millisecond, "How long the subscriber stands still.")},
	},
	{
		name: "crash_component", target: Components, inject: crashComponent, word: "component",
		doc: "Makes a component of the system crash; the system begins it anew, but what only it held is lost.",
		params: []Param{{
			Name: "component", Kind: Text, Default: anyComponent, Choices: append([]string{anyComponent}, crashable...),
			Doc: "Which one: " + anyComponent + " draws one each time. The registry loses its indices, the event_bus the events that wait and its history, and agents, which are the supervisors, their children.",
		}},
	},
	{
		name: "garbage", inject: makeGarbage, doc: "Allocates memory that nobody keeps.",
		params: []Param{{Name: "size", Kind: Size, Default: int64(10e6), Min: 1, Max: 1 << 30, Doc: "How much memory each time."}},
	},
	{
		name: "hog_cpu", inject: hogCPU, doc: "Keeps processors busy, each time one.",
		params: []Param{lasting(time.Second, "How long the processor is kept busy.")},
	},
}

// anyComponent lets crash_component draw a component.
const anyComponent = "any"

// supervisors is the component whose crash ends agents.
const supervisors = "agents"

// crashable are the components that a crash costs something.
var crashable = []string{"registry", "event_bus", supervisors}

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

// kind returns the kind of the injection, which is known.
func (i Injection) kind() faultKind {
	return faultKinds[slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == i.Kind })]
}

// due is when number n (counted from 0) is to be injected, counted from the
// load's start; false if there are fewer.
func (i Injection) due(n int) (at time.Duration, ok bool) {
	at = i.Params.Duration("from")
	switch often := i.Params[i.Kind].(type) {
	case float64:
		at += time.Duration(float64(n) / often * float64(time.Second))
		return at, !i.Params.Has("until") || at < i.Params.Duration("until")
	default:
		return at, n < i.Params.Int(i.Kind)
	}
}

// A givenFault is a fault of a file, and where it is said when it begins.
type givenFault struct {
	Injection
	from position
}

// injections reads the faults of a step.
func (r *reader) injections(m *Measurement, keys map[string]entry) []givenFault {
	e, ok := keys["faults"]
	if !ok || e.value.shape == broken {
		return nil
	}
	if len(e.value.items) == 0 {
		r.add(e.value.position, "faults: expected a list of faults such as [{kill_agents: 10/s}], not %s", e.value.describe())
	}
	var all []givenFault
	for _, item := range e.value.items {
		i, ok := r.injection(m, item)
		if !ok {
			continue
		}
		given := givenFault{Injection: i, from: item.position}
		for _, key := range item.entries {
			if key.key == faultFrom.Name {
				given.from = key.value.position
			}
		}
		all = append(all, given)
	}
	return all
}

func (r *reader) injection(m *Measurement, n *node) (Injection, bool) {
	if !r.isMapping(n, "a fault such as {kill_agents: 10/s}") {
		return Injection{}, false
	}
	var kind faultKind
	var number *node
	for _, e := range n.entries {
		i := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == e.key })
		switch {
		case slices.Contains(plannedFaults, e.key):
			r.add(e.position, "faults: %s is not supported by this version yet; leave it out", e.key)
			return Injection{}, false
		case i < 0:
		case number != nil && e.key != kind.name:
			r.add(e.position, "faults: %s and %s are two faults; give each an entry of its own", kind.name, e.key)
			return Injection{}, false
		case number == nil:
			kind, number = faultKinds[i], e.value
		}
	}
	if number == nil {
		known := make([]string, len(faultKinds))
		for i, k := range faultKinds {
			known[i] = k.name
		}
		hint := "; expected one of " + strings.Join(known, ", ")
		if len(n.entries) > 0 {
			hint = didYouMean(n.entries[0].key, known)
		}
		r.add(n.position, "faults: what is to be injected%s", hint)
		return Injection{}, false
	}
	if m != nil && kind.target != "" && !slices.Contains(m.Targets, kind.target) {
		r.add(n.position, "faults: %s has no %s that %s could hit; leave it out", m.Name, kind.target, kind.name)
		return Injection{}, false
	}
	if number.shape == text && slices.Contains(kind.words(), number.text) {
		if slices.ContainsFunc(n.entries, func(e entry) bool { return e.key == kind.word }) {
			r.add(number.position, "%s: %s says the %s already; leave the key %s out, or give a number such as 3", kind.name, number.text, kind.word, kind.word)
			return Injection{}, false
		}
		n, number = kind.spelledOut(n, number)
	}
	count, rate := kind.numbers()
	form := count
	if rateForm.MatchString(number.text) {
		form = rate
	} else if _, whole := parseScalar(Int, number); !whole {
		r.add(number.position, "%s: expected %s, not %s", kind.name, kind.wanted(), number.describe())
		return Injection{}, false
	}
	params, ok := r.table(n, kind.name, kind.keys(form))
	if !ok {
		return Injection{}, false
	}
	if params.Has("until") {
		switch {
		case form.Kind == Int:
			r.add(n.position, "%s: a number is injected all at once, so it has no until; leave that out, or give a rate such as 10/s", kind.name)
			return Injection{}, false
		case params.Duration("until") <= params.Duration("from"):
			r.add(n.position, "%s: until must be after from", kind.name)
			return Injection{}, false
		}
	}
	return Injection{Kind: kind.name, Params: params}, true
}

// wanted describes how often a fault of the kind can be asked for.
func (k faultKind) wanted() string {
	const numbers = "a number such as 3, for all at once, or a rate such as 10/s"
	if k.word == "" {
		return numbers
	}
	return fmt.Sprintf("%s, or one of %s", numbers, strings.Join(k.words(), ", "))
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

// spelledOut writes a fault whose number is a word as one with that parameter.
func (k faultKind) spelledOut(n, number *node) (fault, one *node) {
	written := *n
	one = &node{position: number.position, shape: integer, text: "1"}
	written.entries = nil
	for _, e := range n.entries {
		if e.key == k.name {
			written.entries = append(written.entries, entry{e.position, k.name, one})
			e.key, e.value = k.word, number
		}
		written.entries = append(written.entries, e)
	}
	return &written, one
}

// encodeInjection returns the injection as a scenario file has it.
func encodeInjection(i Injection) []field {
	kind := i.kind()
	form, rate := kind.numbers()
	if _, ok := i.Params[i.Kind].(float64); ok {
		form = rate
	}
	return encodeTable(i.Params, kind.keys(form))
}

// faultsSchema describes the faults of a step.
func faultsSchema() schema {
	kinds := make([]any, len(faultKinds))
	for i, k := range faultKinds {
		count, rate := k.numbers()
		s := tableSchema(k.keys(count))
		s["properties"].(schema)[k.name] = schema{
			"description": k.doc + " A number is injected all at once, a rate such as 10/s evenly.",
			"oneOf":       []any{kindSchema(count), kindSchema(rate)},
		}
		if k.word != "" {
			number := s["properties"].(schema)[k.name].(schema)
			number["description"] = number["description"].(string) + " A component's name is one of it."
			number["oneOf"] = append(number["oneOf"].([]any), s["properties"].(schema)[k.word])
		}
		s["required"] = []string{k.name}
		kinds[i] = s
	}
	return schema{
		"type": "array", "minItems": 1, "items": schema{"anyOf": kinds},
		"description": "What is done to the system under test while the load runs.",
	}
}

// planned is how many there are; false if that hangs on how long the load runs.
func (i Injection) planned() (n int, ok bool) {
	if count, whole := i.Params[i.Kind].(int); whole {
		return count, true
	}
	if !i.Params.Has("until") {
		return 0, false
	}
	// Where rounding makes the last one due is for due to say.
	most := i.Params.Float(i.Kind)*(i.Params.Duration("until")-i.Params.Duration("from")).Seconds() + 2
	return sort.Search(int(most), func(n int) bool {
		_, due := i.due(n)
		return !due
	}), true
}

// missed says that it was not injected and why, for the step's errors.
func (i Injection) missed(why string) string {
	return fmt.Sprintf("%s was not injected: %s", i.Kind, why)
}
