package scenario

import (
	"strconv"
)

// A Setting is one thing of a scenario that a run can change.
type Setting struct {
	// Step is the name of the step whose parameter it is; empty for what the
	// scenario or all of its steps have, which flags change.
	Step string
	// Name is that of the parameter or of the flag.
	Name string
	// Value is what the scenario says, in the notation of a scenario file.
	Value   string
	Choices []string
	// Doc says in one sentence what it means.
	Doc string
}

// Key is what the setting is called in a --set, or the name of its flag.
func (s Setting) Key() string {
	if s.Step == "" {
		return s.Name
	}
	return s.Step + "." + s.Name
}

// Settings returns all that a run can change of the scenario, in its order.
// What its steps do not have in common is not among them.
func Settings(s Scenario) []Setting {
	settings := []Setting{
		{Name: timeoutParam.Name, Value: formatDuration(s.Timeout), Doc: timeoutParam.Doc},
		{Name: "seed", Value: strconv.FormatUint(s.Seed, 10), Doc: "What all randomness of the scenario is drawn from."},
	}
	steps := Plan{Scenarios: []Scenario{s}}.steps()
	common := func(p Param, value func(*Step) string) {
		for _, step := range steps {
			if value(step) != value(steps[0]) {
				return
			}
		}
		settings = append(settings, Setting{Name: p.Name, Value: value(steps[0]), Doc: p.Doc})
	}
	if len(steps) > 0 {
		common(repeatParam, func(s *Step) string { return strconv.Itoa(s.Repeat) })
		common(toleranceParam, func(s *Step) string { return formatRatio(s.Tolerance) })
	}
	for _, step := range steps {
		for _, p := range step.Measurement.Params {
			value := none
			if v, ok := step.Params[p.Name]; ok && v != nil {
				value = flow(encode(p, v))
			}
			settings = append(settings, Setting{Step: step.Name, Name: p.Name, Value: value, Choices: p.Choices, Doc: p.Doc})
		}
	}
	return settings
}
