package scenario

import (
	"strconv"
)

// A Setting is a value of a scenario that a run can change.
type Setting struct {
	// Step is the name of the step whose parameter it is. It is empty for values of
	// the scenario or of all its steps, which flags change.
	Step string
	// Name is the name of the parameter or of the flag.
	Name string
	// Value is the value in the scenario, in the notation of a scenario file.
	Value   string
	Choices []string
	// Doc says in one sentence what it means.
	Doc string
}

// Key returns the name of the setting in a --set, or the name of its flag.
func (s Setting) Key() string {
	if s.Step == "" {
		return s.Name
	}
	return s.Step + "." + s.Name
}

// Settings returns the values of a scenario that a run can change, in the order of the
// scenario. It leaves out flags for which the steps have different values.
func Settings(s Scenario) []Setting {
	settings := []Setting{
		{Name: timeoutParam.Name, Value: formatDuration(s.Timeout), Doc: timeoutParam.Doc},
		{Name: "seed", Value: strconv.FormatUint(s.Seed, 10), Doc: seedDoc},
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
