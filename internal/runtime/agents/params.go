package agents

import (
	"fmt"
	"math"
	"reflect"
)

// param returns a named parameter of an action; nil if there is none of that name.
// Parameters that are not a map with string keys and any values are an error.
func param(params any, name string) (any, error) {
	switch p := params.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return p[name], nil
	}
	return paramOf(reflect.ValueOf(params), name)
}

// paramOf is param for the map types that a program defines itself.
func paramOf(params reflect.Value, name string) (any, error) {
	if t := params.Type(); t.Kind() != reflect.Map || t.Key().Kind() != reflect.String || t.Elem() != reflect.TypeFor[any]() {
		return nil, fmt.Errorf("parameters: want a map with string keys and any values, got %v", t)
	}
	value := params.MapIndex(reflect.ValueOf(name).Convert(params.Type().Key()))
	if !value.IsValid() {
		return nil, nil
	}
	return value.Interface(), nil
}

// textParam reads a string from an action's parameters.
func textParam(params any, name string) (string, error) {
	value, err := param(params, name)
	if err != nil {
		return "", err
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("parameter %q: want a string, got %v (%T)", name, value, value)
	}
	return text, nil
}

// intParam reads a whole number of any type from an action's parameters.
func intParam(params any, name string, absent int) (int, error) {
	value, err := param(params, name)
	switch n, isInt := value.(int); {
	case err != nil:
		return 0, err
	case value == nil:
		return absent, nil
	case isInt:
		return n, nil
	}
	if n, ok := toInt(reflect.ValueOf(value)); ok {
		return n, nil
	}
	return 0, fmt.Errorf("parameter %q: want a whole number, got %v (%T)", name, value, value)
}

// toInt converts a number that an int can hold without loss.
func toInt(v reflect.Value) (n int, ok bool) {
	switch {
	case v.CanInt():
		n = int(v.Int())
		return n, int64(n) == v.Int()
	case v.CanUint():
		n = int(v.Uint())
		return n, n >= 0 && uint64(n) == v.Uint()
	case v.CanFloat():
		f := v.Float()
		if f < math.MinInt || f >= math.MaxInt { // a float64 rounds MaxInt up
			return 0, false
		}
		n = int(f)
		return n, float64(n) == f
	}
	return 0, false
}
