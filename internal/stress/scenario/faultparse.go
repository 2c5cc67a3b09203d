package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A givenFault is a fault of a file, and the position that says when it begins.
type givenFault struct {
	Fault
	from position
}

// faults reads the faults of a step.
func (r *reader) faults(m *Measurement, keys map[string]entry) []givenFault {
	e, ok := keys["faults"]
	if !ok || e.value.shape == broken {
		return nil
	}
	if len(e.value.items) == 0 {
		r.add(e.value.position, "faults: expected a list of faults such as [{kill_agents: 10/s}], not %s", e.value.describe())
	}
	var all []givenFault
	for _, item := range e.value.items {
		f, ok := r.fault(m, item)
		if !ok {
			continue
		}
		given := givenFault{Fault: f, from: item.position}
		for _, key := range item.entries {
			if key.key == faultFrom.Name {
				given.from = key.value.position
			}
		}
		all = append(all, given)
	}
	return all
}

// fault reads one fault. The measurement can be nil.
func (r *reader) fault(m *Measurement, n *node) (Fault, bool) {
	spec, number := r.faultKind(n)
	if number == nil {
		return Fault{}, false
	}
	if m != nil && spec.target != "" && !slices.Contains(m.Targets, spec.target) {
		r.add(n.position, "faults: %s has no %s for %s to hit; remove the fault", m.Name, spec.target, spec.kind)
		return Fault{}, false
	}
	if number.shape == text && slices.Contains(spec.words(), number.text) {
		if slices.ContainsFunc(n.entries, func(e entry) bool { return e.key == spec.word }) {
			r.add(number.position, "%s: the value %s already names the %s; remove the key %s, or use a number such as 3", spec.kind, number.text, spec.word, spec.word)
			return Fault{}, false
		}
		n, number = spec.spelledOut(n, number)
	}
	form, rate := spec.numbers()
	if rateForm.MatchString(number.text) {
		form = rate
	} else if _, whole := parseScalar(Int, number); !whole {
		r.add(number.position, "%s: expected %s, not %s", spec.kind, spec.expectation(), number.describe())
		return Fault{}, false
	}
	params, ok := r.table(n, string(spec.kind), spec.keys(form))
	if !ok {
		return Fault{}, false
	}
	if params.Has(faultUntil.Name) {
		switch {
		case form.Kind == Int:
			r.add(n.position, "%s: a number is injected all at once and cannot have an until; remove it, or use a rate such as 10/s", spec.kind)
			return Fault{}, false
		case params.Duration(faultUntil.Name) <= params.Duration(faultFrom.Name):
			r.add(n.position, "%s: until must be later than from", spec.kind)
			return Fault{}, false
		}
	}
	return Fault{Kind: spec.kind, Params: params}, true
}

// faultKind finds the kind of a fault, and the node that says how often it is
// injected. The node is nil after a problem.
func (r *reader) faultKind(n *node) (spec faultSpec, number *node) {
	if !r.isMapping(n, "a fault such as {kill_agents: 10/s}") {
		return spec, nil
	}
	for _, e := range n.entries {
		i := slices.IndexFunc(faultSpecs, func(s faultSpec) bool { return string(s.kind) == e.key })
		switch {
		case slices.Contains(unsupportedFaults, e.key):
			r.add(e.position, "faults: this version does not support %s; remove it", e.key)
			return spec, nil
		case i < 0:
		case number != nil && e.key != string(spec.kind):
			r.add(e.position, "faults: %s and %s are two faults; give each its own list entry", spec.kind, e.key)
			return spec, nil
		case number == nil:
			spec, number = faultSpecs[i], e.value
		}
	}
	if number == nil {
		hint := "; expected " + oneOf(faultNames())
		if len(n.entries) > 0 {
			hint = didYouMean(n.entries[0].key, faultNames())
		}
		r.add(n.position, "faults: the kind of the fault is missing%s", hint)
	}
	return spec, number
}

// expectation describes how the frequency of a fault is written.
func (s faultSpec) expectation() string {
	const numbers = "a number such as 3, to inject all at once, or a rate such as 10/s"
	if s.word == "" {
		return numbers
	}
	return fmt.Sprintf("%s, or one of %s", numbers, strings.Join(s.words(), ", "))
}

// spelledOut returns a fault whose number is a word as one with that parameter.
func (s faultSpec) spelledOut(n, number *node) (fault, one *node) {
	written := *n
	one = &node{position: number.position, shape: integer, text: "1"}
	written.entries = nil
	for _, e := range n.entries {
		if e.key == string(s.kind) {
			written.entries = append(written.entries, entry{e.position, e.key, one})
			e.key, e.value = s.word, number
		}
		written.entries = append(written.entries, e)
	}
	return &written, one
}

// encodeFault returns a fault as a scenario file has it.
func encodeFault(f Fault) []field {
	form, rate := f.spec().numbers()
	if _, ok := f.frequency().(float64); ok {
		form = rate
	}
	return encodeTable(f.Params, f.spec().keys(form))
}

// CheckFault checks a manual fault, whatever measurement runs.
func CheckFault(text string) error {
	_, err := ParseFault(nil, text)
	return err
}

// ParseFault reads a fault in the notation of a scenario file, without the braces.
// The measurement says what the fault can hit; nil allows everything.
func ParseFault(m *Measurement, text string) (Fault, error) {
	r := &reader{problemList: problemList{file: "fault"}}
	nodes := r.documents([]byte("{" + text + "}"))
	var f Fault
	if len(nodes) == 1 && len(r.problems) == 0 {
		f, _ = r.fault(m, nodes[0])
	}
	if len(r.problems) > 0 {
		return f, errors.New(r.problems[0].Message)
	}
	if f.Kind == "" {
		return f, errors.New("expected a fault such as kill_agents: 10")
	}
	return f, nil
}
