package scenario

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Overrides change every scenario of a plan. The zero value changes nothing, and nil fields
// leave the values of the scenarios.
type Overrides struct {
	// Set has STEP.PARAM=VALUE for the steps of that name, or PARAM=VALUE for every
	// step that has the parameter. The value is in the notation of a scenario file.
	// The last one for a parameter applies.
	Set    []string
	Repeat *int
	Seed   *uint64
	// Timeout is that of each scenario, not of the run.
	Timeout *time.Duration
	// Tolerance is a share: 0.2 for 20 %.
	Tolerance *float64
}

// NewPlan returns a plan of the scenarios with the overrides. It does not change the
// scenarios. The error, if any, is of type Problems and has every override that matches no
// step, or whose value is not allowed.
func NewPlan(scenarios []Scenario, o Overrides) (Plan, error) {
	plan := Plan{Scenarios: make([]Scenario, len(scenarios))}
	for i, s := range scenarios {
		plan.Scenarios[i] = s.clone()
	}
	var problems Problems
	changed := make(map[*Step]bool)
	for _, set := range o.Set {
		l := &problemList{file: "--set " + set}
		if strings.ContainsFunc(set, unicode.IsControl) {
			l.file = "--set " + strconv.Quote(set) // a problem has one line
		}
		for _, step := range l.set(plan, set) {
			changed[step] = true
		}
		problems = append(problems, l.problems...)
	}
	l := &problemList{}
	l.applyScalars(plan, o)
	problems = append(problems, l.problems...)
	if len(problems) == 0 {
		problems = append(problems, recheck(plan, changed)...)
	}
	if len(problems) > 0 {
		return Plan{}, problems
	}
	return plan, nil
}

// recheck repeats the checks that the steps of a file passed with other parameters: whether
// the parameters fit together, and whether the load is long enough for the faults and
// thresholds.
func recheck(plan Plan, changed map[*Step]bool) Problems {
	l := problemList{file: "--set"}
	for _, s := range plan.Scenarios {
		for _, group := range s.Groups {
			for i := range group {
				if !changed[&group[i]] {
					continue
				}
				where := "step " + group[i].Name
				if len(plan.Scenarios) > 1 {
					where += " of " + s.Name
				}
				l.recheck(where, &group[i])
			}
		}
	}
	return l.problems
}

// recheck checks one step.
func (l *problemList) recheck(where string, s *Step) {
	if s.Measurement.Check != nil {
		if err := s.Measurement.Check(s.Params); err != nil {
			l.add(position{}, "%s: %v", where, err)
			return
		}
	}
	for _, fault := range s.Faults {
		if why := s.tooLate(fault); why != "" {
			l.add(position{}, "%s: %s: %s", where, fault.Kind, why)
		}
	}
	for _, t := range s.Thresholds {
		if why := s.noWindow(t); why != "" {
			l.add(position{}, "%s: %s: %s", where, t.Metric, why)
		}
	}
}

// applyScalars applies the overrides that are not parameters.
func (l *problemList) applyScalars(plan Plan, o Overrides) {
	for i := range plan.Scenarios {
		s := &plan.Scenarios[i]
		if o.Seed != nil {
			s.Seed = *o.Seed
		}
		if o.Timeout != nil {
			s.Timeout = *o.Timeout
		}
	}
	for _, step := range plan.steps() {
		if o.Repeat != nil {
			step.Repeat = *o.Repeat
		}
		if o.Tolerance != nil {
			step.Tolerance = *o.Tolerance
		}
	}
	if o.Timeout != nil {
		l.flag(timeoutParam, *o.Timeout)
	}
	if o.Repeat != nil {
		l.flag(repeatParam, *o.Repeat)
	}
	if o.Tolerance != nil {
		l.flag(toleranceParam, *o.Tolerance)
	}
}

// flag checks the value of a flag against the limits of the key that it overrides.
func (l *problemList) flag(p Param, v any) {
	l.file = "--" + p.Name
	l.allowed(p, v, &node{text: flow(encode(p, v))})
}

// set applies one --set and returns the steps that it changed.
func (l *problemList) set(plan Plan, set string) []*Step {
	target, source, ok := strings.Cut(set, "=")
	if !ok || target == "" {
		l.add(position{}, "expected STEP.PARAM=VALUE or PARAM=VALUE")
		return nil
	}
	steps := plan.steps()
	stepName, name, ofStep := strings.Cut(target, ".")
	if !ofStep {
		name = target
	} else {
		known := stepNames(steps)
		steps = slices.DeleteFunc(steps, func(s *Step) bool { return s.Name != stepName })
		if len(steps) == 0 {
			l.add(position{}, "no step has the name %q%s", shorten(stepName), didYouMean(stepName, known))
			return nil
		}
	}
	known := paramNames(steps)
	steps = slices.DeleteFunc(steps, func(s *Step) bool { return s.param(name) == nil })
	switch {
	case len(steps) > 0:
	case ofStep:
		l.add(position{}, "the step %q has no parameter %q%s", stepName, shorten(name), didYouMean(name, known))
		return nil
	default:
		l.add(position{}, "no step has the parameter %q%s", shorten(name), didYouMean(name, known))
		return nil
	}
	n := l.overrideNode(source)
	if n == nil {
		return nil
	}
	for _, step := range steps {
		l.setParam(step, *step.param(name), n)
	}
	return steps
}

// setParam sets one parameter of one step. A problem that several steps have is added
// once.
func (l *problemList) setParam(step *Step, p Param, n *node) {
	if p.Default == nil && n.text == none {
		delete(step.Params, p.Name)
		return
	}
	refused := &problemList{}
	if v, ok := refused.value(p, n); ok {
		step.Params[p.Name] = v
	}
	for _, problem := range refused.problems {
		problem = Problem{File: l.file, Message: problem.Message}
		if !slices.Contains(l.problems, problem) {
			l.problems = append(l.problems, problem)
		}
	}
}

// overrideNode reads the value of a --set; nil after a problem.
func (l *problemList) overrideNode(source string) *node {
	inner := &problemList{}
	documents := inner.documents([]byte(source))
	for _, problem := range inner.problems {
		l.add(position{}, "%s", problem.Message)
	}
	switch {
	case len(inner.problems) > 0:
		return nil
	case len(documents) == 0:
		return &node{shape: empty}
	case len(documents) > 1:
		l.add(position{}, "expected one value, not several documents")
		return nil
	}
	return documents[0]
}

// stepNames returns the names of the steps, sorted, each once.
func stepNames(steps []*Step) []string {
	set := make(map[string]bool)
	for _, step := range steps {
		set[step.Name] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// paramNames returns the names of the steps' parameters, sorted, each once.
func paramNames(steps []*Step) []string {
	set := make(map[string]bool)
	for _, step := range steps {
		for _, p := range step.Measurement.Params {
			set[p.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// param returns the description of a parameter; nil if there is none.
func (s *Step) param(name string) *Param {
	params := s.Measurement.Params
	if i := slices.IndexFunc(params, func(p Param) bool { return p.Name == name }); i >= 0 {
		return &params[i]
	}
	return nil
}

// steps returns pointers to all steps of the plan.
func (p Plan) steps() []*Step {
	var steps []*Step
	for _, s := range p.Scenarios {
		for _, group := range s.Groups {
			for i := range group {
				steps = append(steps, &group[i])
			}
		}
	}
	return steps
}

// clone copies everything that an override can change.
func (s Scenario) clone() Scenario {
	s.Groups = slices.Clone(s.Groups)
	for i, group := range s.Groups {
		s.Groups[i] = slices.Clone(group)
		for j := range group {
			s.Groups[i][j].Params = maps.Clone(group[j].Params)
		}
	}
	return s
}
