package mabeam

import "fmt"

// Params are the named parameters of an action, as the demo and the complex
// agent take them. A behaviour of one's own may take any other value: nothing
// is allocated for an action whose parameter is a pointer.
type Params map[string]any

// param returns a named parameter; nil if there is none of that name.
func param(params any, name string) any {
	named, _ := params.(Params)
	return named[name]
}

// intParam reads a whole number from an action's parameters.
func intParam(params any, name string, absent int) (int, error) {
	value := param(params, name)
	switch v := value.(type) {
	case nil:
		return absent, nil
	case int:
		return v, nil
	case int64:
		return int(v), nil
	case uint64: // as a YAML parser gives it
		return int(v), nil
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("parameter %q: want a whole number, got %v", name, value)
}
