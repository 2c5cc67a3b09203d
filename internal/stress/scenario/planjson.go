package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MarshalJSON returns the step with the name of its measurement.
func (s Step) MarshalJSON() ([]byte, error) {
	type fields Step
	return json.Marshal(struct {
		fields
		Measurement string `json:"measurement"`
	}{fields(s), s.Measurement.Name})
}

// MarshalJSON returns the parameters as typed values: a duration is in nanoseconds, for
// example. Encode returns them in the notation of scenario files.
func (p Params) MarshalJSON() ([]byte, error) {
	return json.Marshal(exact(map[string]any(p)))
}

// exact returns a value whose JSON shows whether a whole number is a float64 (1.0) or an
// int (1).
func exact(v any) any {
	switch v := v.(type) {
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !isFloat(text) {
			text += ".0"
		}
		return json.RawMessage(text)
	case []any:
		return encodeAll(v, exact)
	case map[string]any:
		values := make(map[string]any, len(v))
		for key, value := range v {
			values[key] = exact(value)
		}
		return values
	}
	return v
}

// isFloat reports whether a number in JSON is a float64.
func isFloat(number string) bool { return strings.ContainsAny(number, ".eE") }

// DecodePlan returns the plan whose JSON is data. The plan has been checked, so DecodePlan
// only checks whether it fits the catalogue.
func (c Catalogue) DecodePlan(data []byte) (Plan, error) {
	var encoded struct {
		Scenarios []struct {
			Scenario
			Groups [][]encodedStep `json:"groups"`
		} `json:"scenarios"`
	}
	if err := decode(data, &encoded); err != nil {
		return Plan{}, err
	}
	var plan Plan
	for _, e := range encoded.Scenarios {
		s := e.Scenario
		for _, steps := range e.Groups {
			group := make(Group, len(steps))
			for i, step := range steps {
				var err error
				if group[i], err = step.decode(c); err != nil {
					return Plan{}, fmt.Errorf("scenario %s: step %s: %w", s.Name, step.Name, err)
				}
			}
			s.Groups = append(s.Groups, group)
		}
		plan.Scenarios = append(plan.Scenarios, s)
	}
	return plan, nil
}

// decode decodes JSON, and refuses fields that v does not have.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	d.UseNumber()
	return d.Decode(v)
}

// An encodedStep is a step in JSON. The values that need the catalogue are not decoded.
type encodedStep struct {
	Step
	Measurement string         `json:"measurement"`
	Params      encodedParams  `json:"params"`
	Faults      []encodedFault `json:"faults"`
}

type encodedFault struct {
	Kind   FaultKind     `json:"kind"`
	Params encodedParams `json:"params"`
}

func (e encodedStep) decode(cat Catalogue) (s Step, err error) {
	s = e.Step
	if s.Measurement = cat.Find(e.Measurement); s.Measurement == nil {
		return s, fmt.Errorf("unknown measurement %q", e.Measurement)
	}
	if s.Params, err = e.Params.decode(s.Measurement.Params); err != nil {
		return s, err
	}
	for _, one := range e.Faults {
		f, err := one.decode()
		if err != nil {
			return s, fmt.Errorf("fault %s: %w", one.Kind, err)
		}
		s.Faults = append(s.Faults, f)
	}
	return s, nil
}

func (e encodedFault) decode() (Fault, error) {
	f := Fault{Kind: e.Kind}
	if !slices.Contains(faultNames(), string(e.Kind)) {
		return f, fmt.Errorf("unknown kind; expected %s", oneOf(faultNames()))
	}
	number, rate := f.spec().numbers()
	if isFloat(string(e.Params[number.Name])) {
		number = rate
	}
	var err error
	f.Params, err = e.Params.decode(f.spec().keys(number))
	return f, err
}

// encodedParams are the values of parameters in JSON, by name.
type encodedParams map[string]json.RawMessage

// decode decodes each value by the kind of its parameter.
func (e encodedParams) decode(params []Param) (Params, error) {
	values := make(Params, len(e))
	for _, p := range params {
		data, given := e[p.Name]
		switch {
		case given:
			v, err := p.decode(data)
			if err != nil {
				return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
			}
			values[p.Name] = v
		case p.Default != nil:
			return nil, fmt.Errorf("parameter %s is missing", p.Name)
		}
	}
	for name := range e {
		if _, known := values[name]; !known {
			return nil, fmt.Errorf("unknown parameter %s", name)
		}
	}
	return values, nil
}

// decode decodes a value of the parameter.
func (p Param) decode(data []byte) (any, error) {
	switch p.Kind {
	case Int:
		return decodeAs[int](data)
	case Float, Ratio, Rate:
		return decodeAs[float64](data)
	case Duration:
		return decodeAs[time.Duration](data)
	case Size:
		return decodeAs[int64](data)
	case Bool:
		return decodeAs[bool](data)
	case Text:
		return decodeAs[string](data)
	case Stages:
		return decodeAs[[]Stage](data)
	case Ints:
		return decodeAs[[]int](data)
	case Texts:
		return decodeAs[[]string](data)
	case Map:
		var m map[string]any
		if err := decode(data, &m); err != nil {
			return nil, err
		}
		return withNumbers(m)
	case Table:
		var table encodedParams
		if err := decode(data, &table); err != nil {
			return nil, err
		}
		return table.decode(p.Fields)
	case List:
		return p.decodeList(data)
	}
	return nil, fmt.Errorf("unknown kind %d", p.Kind)
}

func decodeAs[T any](data []byte) (any, error) {
	var v T
	err := decode(data, &v)
	return v, err
}

// decodeList decodes the entries of a List.
func (p Param) decodeList(data []byte) (any, error) {
	var entries []encodedParams
	if err := decode(data, &entries); err != nil {
		return nil, err
	}
	list := make([]Params, len(entries))
	for i, entry := range entries {
		var err error
		if list[i], err = entry.decode(p.Fields); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	return list, nil
}

// withNumbers replaces each number in the content of a Map by an int or a float64.
func withNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if isFloat(v.String()) {
			return v.Float64()
		}
		return strconv.Atoi(v.String())
	case []any:
		for i := range v {
			if v[i], err = withNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = withNumbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
