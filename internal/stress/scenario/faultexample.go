package scenario

import "time"

// A FaultExample is a kind of fault as somebody would inject it by hand.
type FaultExample struct {
	// Name is what scenario files call the kind, and Doc says in a sentence what
	// it does.
	Name, Doc string
	// Text is the fault as a scenario file has it, without the braces.
	Text string
}

// byHand says of each kind how much of it is felt in a load that runs, and does
// not end it. What is not in it is as a scenario file has it by default.
var byHand = map[string]Params{
	"kill_agents":       {"kill_agents": 10},
	"panic_agents":      {"panic_agents": 10},
	"slow_actions":      {"slow_actions": 10, "for": 2 * time.Second},
	"stall_subscribers": {"stall_subscribers": 3, "for": time.Second},
	"crash_component":   {"crash_component": 1},
	"garbage":           {"garbage": 50},
	"hog_cpu":           {"hog_cpu": 1, "for": 2 * time.Second},
}

// FaultExamples returns one for each kind of fault.
func FaultExamples() []FaultExample {
	examples := make([]FaultExample, len(faultKinds))
	for i, k := range faultKinds {
		count, _ := k.numbers()
		params := append([]Param{count}, k.params...)
		fields := encodeTable(completeTable(params, byHand[k.name]), params)
		text := joined(fields, func(f field) string { return quote(f.key, ",") + ": " + flow(f.value) })
		examples[i] = FaultExample{Name: k.name, Doc: k.doc, Text: text}
	}
	return examples
}
