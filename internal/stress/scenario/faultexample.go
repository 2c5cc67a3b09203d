package scenario

import "time"

// A FaultExample is a kind of fault with parameters that suit a manual injection.
type FaultExample struct {
	// Name is the name of the kind, and Doc says in one sentence what it does.
	Name, Doc string
	// Text is the fault in the notation of a scenario file, without the braces.
	Text string
}

// manualParams are parameters of manual faults that a running load feels but
// survives. Parameters that are not here have the defaults of a scenario file.
var manualParams = map[FaultKind]Params{
	KillAgents:       {string(KillAgents): 10},
	PanicAgents:      {string(PanicAgents): 10},
	SlowActions:      {string(SlowActions): 10, "for": 2 * time.Second},
	StallSubscribers: {string(StallSubscribers): 3, "for": time.Second},
	CrashComponent:   {string(CrashComponent): 1},
	Garbage:          {string(Garbage): 50},
	HogCPU:           {string(HogCPU): 1, "for": 2 * time.Second},
}

// FaultExamples returns one example for each kind of fault.
func FaultExamples() []FaultExample {
	examples := make([]FaultExample, len(faultSpecs))
	for i, s := range faultSpecs {
		count, _ := s.numbers()
		params := append([]Param{count}, s.params...)
		fields := encodeTable(completeTable(params, manualParams[s.kind]), params)
		text := joined(fields, func(f field) string { return quote(f.key, ",") + ": " + flow(f.value) })
		examples[i] = FaultExample{Name: string(s.kind), Doc: s.doc, Text: text}
	}
	return examples
}
