package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A Scenario is one entry of the menu.
type Scenario struct {
	// Name is the name that the Runner knows.
	Name        string
	Title       string
	Description string
	// Tags group the menu. An entry belongs to the group of its first tag.
	Tags         []string
	Measurements []string
	Steps        []Step
	// Fields are the values that can be changed for a run, in the order of the
	// form.
	Fields   []Field
	Estimate time.Duration
	// LastVerdict is empty if the scenario never ran.
	LastVerdict report.Verdict
	LastRun     time.Time
}

// Tag is the tag that the menu groups the scenario by.
func (s Scenario) Tag() string {
	if len(s.Tags) == 0 {
		return "other"
	}
	return s.Tags[0]
}

// A Step is one step of a scenario.
type Step struct {
	Name, Measurement string
	// Notes are what is special about the step, in a few words each, such as the
	// number of repetitions.
	Notes []string
	// Limits are what the results are checked against.
	Limits []stream.Limit
}

// A Field is a value of a scenario that can be changed for a run: a parameter of
// a step, or a setting of the whole scenario.
type Field struct {
	// Name is the key in Settings: STEP.PARAM, or only the name for a setting of
	// the whole scenario.
	Name string
	// Step is empty for a setting of the whole scenario.
	Step string
	// Param is the parameter's own name.
	Param string
	// Value is the value of the scenario, as scenario files write it.
	Value   string
	Choices []string
	// Doc explains the field in one sentence.
	Doc string
}

// A FaultKind is a fault that can be injected while a load runs.
type FaultKind struct {
	// Name is the name in scenario files. Doc explains the fault in one sentence.
	Name, Doc string
	// Example is the fault as scenario files write it, with a sensible number.
	Example string
}

// A Catalogue is the scenarios that can be run, with the values changed for the
// next runs.
type Catalogue struct {
	Scenarios []Scenario
	// Changed holds the changed values by the scenarios' names.
	Changed map[string]Settings
}

// NewCatalogue returns a catalogue that groups scenarios by their tags, in the
// order of the first scenario of each tag.
func NewCatalogue(scenarios []Scenario) *Catalogue {
	first := map[string]int{}
	for i, s := range scenarios {
		if _, ok := first[s.Tag()]; !ok {
			first[s.Tag()] = i
		}
	}
	scenarios = slices.Clone(scenarios)
	slices.SortStableFunc(scenarios, func(a, b Scenario) int { return first[a.Tag()] - first[b.Tag()] })
	return &Catalogue{Scenarios: scenarios, Changed: map[string]Settings{}}
}

// Find returns the scenario of a name.
func (c *Catalogue) Find(name string) (Scenario, bool) {
	i := slices.IndexFunc(c.Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return c.Scenarios[i], true
}

// Order returns the order of scenarios with their changed values.
func (c *Catalogue) Order(names ...string) Order {
	o := Order{Scenarios: names, Settings: map[string]Settings{}}
	for _, name := range names {
		if s := c.Changed[name]; len(s) > 0 {
			o.Settings[name] = s
		}
	}
	return o
}

// Record notes the verdicts of a report as the last ones of its scenarios.
func (c *Catalogue) Record(r *report.Report) {
	for _, result := range r.Scenarios {
		for i := range c.Scenarios {
			if c.Scenarios[i].Name == result.Name {
				c.Scenarios[i].LastVerdict, c.Scenarios[i].LastRun = result.Verdict, result.StartedAt
			}
		}
	}
}

// OrderOf returns the order that runs the scenarios of a report again, with its
// parameters where they differ from the catalogue's.
func (c *Catalogue) OrderOf(r report.Report) Order {
	o := Order{Settings: map[string]Settings{}}
	for _, sc := range r.Scenarios {
		o.Scenarios = append(o.Scenarios, sc.Name)
		settings := settingsOf(sc)
		settings["seed"] = fmt.Sprint(r.Seed)
		scenario, _ := c.Find(sc.Name)
		for _, f := range scenario.Fields {
			if v, ok := settings[f.Name]; ok && strings.ReplaceAll(v, " ", "") == strings.ReplaceAll(f.Value, " ", "") {
				delete(settings, f.Name)
			}
		}
		o.Settings[sc.Name] = settings
	}
	return o
}

// settingsOf returns the parameters of the steps of a report, and the number of
// repetitions if all steps have the same.
func settingsOf(sc report.Scenario) Settings {
	settings := Settings{}
	var repeats []int
	for _, step := range sc.Steps {
		for name, v := range step.Params {
			settings[step.Name+"."+name] = notation(v)
		}
		if n := step.RepetitionCount(); n > 0 || len(repeats) > 0 {
			repeats = append(repeats, n)
		}
	}
	if repeats = slices.Compact(repeats); len(repeats) == 1 {
		settings["repeat"] = fmt.Sprint(repeats[0])
	}
	return settings
}

// notation writes a parameter of a report as a scenario file does.
func notation(v any) string {
	if s, ok := v.(string); ok && s != "" && !strings.ContainsAny(s, ":#{}[],&*!|>'\"%@`") {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
