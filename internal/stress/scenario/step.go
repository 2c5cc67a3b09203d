package scenario

import (
	"slices"
	"time"
)

// step reads one step.
func (r *reader) step(n *node) Step {
	var s Step
	if !r.isMapping(n, "a step such as {measure: agent-creation}") {
		return s
	}
	keys := r.keys(n, "a step", stepKeys)
	r.require(n, keys, "a step", "measure", "measure: NAME")
	if s.Name = r.kebab(keys, stepNameParam); s.Name != "" {
		at := keys["name"].value.position
		if first, again := r.steps[s.Name]; again {
			r.add(at, "name: the step %q already exists, on line %d; choose another name", s.Name, first.line)
		} else {
			r.steps[s.Name] = at
		}
	}
	s.Repeat = read[int](r, keys, repeatParam)
	s.Tolerance = read[float64](r, keys, toleranceParam)
	s.Warmup = r.warmup(keys)
	s.Measurement = r.measurement(keys)
	faults := r.faults(s.Measurement, keys)
	for _, f := range faults {
		s.Faults = append(s.Faults, f.Fault)
	}
	if s.Measurement == nil {
		return s
	}
	fit := false
	s.Params, fit = r.with(s.Measurement, keys)
	s.Component = r.baseline(s.Measurement, keys)
	thresholds := r.thresholds(s.Measurement, keys)
	for _, t := range thresholds {
		s.Thresholds = append(s.Thresholds, t.Threshold)
	}
	if fit {
		r.checkTimes(s, faults, thresholds)
	}
	return s
}

// checkTimes adds a problem for each fault and threshold that the load of a step is too
// short for.
func (r *reader) checkTimes(s Step, faults []givenFault, thresholds []givenThreshold) {
	for _, f := range faults {
		if why := s.tooLate(f.Fault); why != "" {
			r.add(f.from, "faults: %s", why)
		}
	}
	for _, t := range thresholds {
		if why := s.noWindow(t.Threshold); why != "" {
			r.add(t.window, "%s: %s", t.Metric, why)
		}
	}
}

// measurement returns the measurement of a step, or nil if it is unknown.
func (r *reader) measurement(keys map[string]entry) *Measurement {
	e, ok := keys["measure"]
	if !ok || e.value.shape == broken {
		return nil
	}
	m := r.catalogue.Find(e.value.text)
	if m == nil {
		known := make([]string, len(r.catalogue))
		for i, m := range r.catalogue {
			known[i] = m.Name
		}
		if e.value.shape == text {
			r.add(e.value.position, "measure: unknown measurement %q%s", shorten(e.value.text), didYouMean(e.value.text, known))
		} else {
			r.add(e.value.position, "measure: expected the name of a measurement, not %s", e.value.describe())
		}
	}
	return m
}

// with reads the parameters of a measurement, and returns false after a problem.
func (r *reader) with(m *Measurement, keys map[string]entry) (Params, bool) {
	e, given := keys["with"]
	at := e.at(keys["measure"].value)
	block := &node{shape: mapping, position: at}
	if given {
		if block = e.value; block.shape != mapping {
			if block.shape != broken {
				r.add(at, "with: expected a mapping of parameters such as {NAME: VALUE}, not %s", block.describe())
			}
			return nil, false
		}
	}
	params, ok := r.table(block, m.Name, m.Params)
	if ok && m.Check != nil {
		if err := m.Check(params); err != nil {
			r.add(at, "with: %v", err)
			ok = false
		}
	}
	return params, ok
}

// warmup reads a warm-up: a duration, or a number of operations.
func (r *reader) warmup(keys map[string]entry) Warmup {
	e, ok := keys["warmup"]
	if !ok || e.value.shape == broken {
		return Warmup{}
	}
	if v, ok := parseScalar(Duration, e.value); ok {
		return Warmup{For: v.(time.Duration)}
	}
	operations, ok := parseScalar(Int, e.value)
	if n, _ := operations.(int); ok && n >= 0 && n <= maxWarmup {
		return Warmup{Operations: n}
	}
	r.add(e.value.position, "warmup: expected a duration such as 1s, or a number of operations from 0 to %s, not %s", formatNumber(maxWarmup), e.value.describe())
	return Warmup{}
}

// baseline reads the component that a step is compared with.
func (r *reader) baseline(m *Measurement, keys map[string]entry) string {
	e, ok := keys["baseline"]
	if !ok {
		return m.Component
	}
	component := read[string](r, keys, baselineParam)
	switch {
	case component == none:
		return ""
	case e.value.shape == text && !slices.Contains(r.components, component):
		r.add(e.value.position, "baseline: unknown component %q%s", shorten(component), didYouMean(component, append([]string{none}, r.components...)))
	}
	return component
}
