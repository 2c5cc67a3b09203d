package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A givenFault is a fault of a file, and where it is said when it begins.
type givenFault struct {
	Fault
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
		given := givenFault{Fault: i, from: item.position}
		for _, key := range item.entries {
			if key.key == faultFrom.Name {
				given.from = key.value.position
			}
		}
		all = append(all, given)
	}
	return all
}

func (r *reader) injection(m *Measurement, n *node) (Fault, bool) {
	if !r.isMapping(n, "a fault such as {kill_agents: 10/s}") {
		return Fault{}, false
	}
	var kind faultKind
	var number *node
	for _, e := range n.entries {
		i := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == e.key })
		switch {
		case slices.Contains(plannedFaults, e.key):
			r.add(e.position, "faults: %s is not supported by this version yet; leave it out", e.key)
			return Fault{}, false
		case i < 0:
		case number != nil && e.key != kind.name:
			r.add(e.position, "faults: %s and %s are two faults; give each an entry of its own", kind.name, e.key)
			return Fault{}, false
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
		return Fault{}, false
	}
	if m != nil && kind.target != "" && !slices.Contains(m.Targets, kind.target) {
		r.add(n.position, "faults: %s has no %s that %s could hit; leave it out", m.Name, kind.target, kind.name)
		return Fault{}, false
	}
	if number.shape == text && slices.Contains(kind.words(), number.text) {
		if slices.ContainsFunc(n.entries, func(e entry) bool { return e.key == kind.word }) {
			r.add(number.position, "%s: %s says the %s already; leave the key %s out, or give a number such as 3", kind.name, number.text, kind.word, kind.word)
			return Fault{}, false
		}
		n, number = kind.spelledOut(n, number)
	}
	count, rate := kind.numbers()
	form := count
	if rateForm.MatchString(number.text) {
		form = rate
	} else if _, whole := parseScalar(Int, number); !whole {
		r.add(number.position, "%s: expected %s, not %s", kind.name, kind.wanted(), number.describe())
		return Fault{}, false
	}
	params, ok := r.table(n, kind.name, kind.keys(form))
	if !ok {
		return Fault{}, false
	}
	if params.Has("until") {
		switch {
		case form.Kind == Int:
			r.add(n.position, "%s: a number is injected all at once, so it has no until; leave that out, or give a rate such as 10/s", kind.name)
			return Fault{}, false
		case params.Duration("until") <= params.Duration("from"):
			r.add(n.position, "%s: until must be after from", kind.name)
			return Fault{}, false
		}
	}
	return Fault{Kind: kind.name, Params: params}, true
}

// wanted describes how often a fault of the kind can be asked for.
func (k faultKind) wanted() string {
	const numbers = "a number such as 3, for all at once, or a rate such as 10/s"
	if k.word == "" {
		return numbers
	}
	return fmt.Sprintf("%s, or one of %s", numbers, strings.Join(k.words(), ", "))
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
func encodeInjection(i Fault) []field {
	kind := i.kind()
	form, rate := kind.numbers()
	if _, ok := i.Params[i.Kind].(float64); ok {
		form = rate
	}
	return encodeTable(i.Params, kind.keys(form))
}

// CheckFault says what is wrong with a fault that is to be injected by hand,
// whatever runs; nil if nothing is.
func CheckFault(text string) error {
	_, err := ParseFault(nil, text)
	return err
}

// ParseFault reads a fault as the faults of a scenario have it. Of which
// measurement it is says what it can hit; nil is any.
func ParseFault(m *Measurement, text string) (Fault, error) {
	r := &reader{problemList: problemList{file: "fault"}}
	nodes := r.documents([]byte("{" + text + "}"))
	var one Fault
	if len(nodes) == 1 && len(r.problems) == 0 {
		one, _ = r.injection(m, nodes[0])
	}
	if len(r.problems) > 0 {
		return one, errors.New(r.problems[0].Message)
	}
	if one.Kind == "" {
		return one, errors.New("expected a fault such as kill_agents: 10")
	}
	return one, nil
}
