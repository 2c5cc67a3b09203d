package scenario

import "time"

// Encode returns the parameters as they are in JSON reports and events: numbers, booleans,
// texts, lists and mappings as themselves, and values with a unit (durations, rates,
// sizes and ratios) as texts in the notation of a scenario file.
func Encode(p Params, params []Param) map[string]any {
	return plain(encodeTable(p, params)).(map[string]any)
}

// A notation is a value in the notation of scenario files, such as 5s. It needs no quotes
// there.
type notation string

// A field is a key with its value, in an ordered mapping.
type field struct {
	key   string
	value any
}

// encodeTable returns the parameters that have a value, in the order of their
// declaration.
func encodeTable(p Params, params []Param) []field {
	fields := make([]field, 0, len(params))
	for _, param := range params {
		if v := p[param.Name]; v != nil {
			fields = append(fields, field{param.Name, encode(param, v)})
		}
	}
	return fields
}

// encode converts a value to what YAML and JSON have: numbers, booleans, texts, notations,
// lists and mappings.
func encode(p Param, v any) any {
	switch p.Kind {
	case Ratio:
		return notation(formatRatio(v.(float64)))
	case Duration:
		return notation(formatDuration(v.(time.Duration)))
	case Rate:
		return notation(formatNumber(v.(float64)) + "/s")
	case Size:
		return notation(formatSize(v.(int64)))
	case Table:
		return encodeTable(v.(Params), p.Fields)
	case List:
		return encodeAll(v.([]Params), func(entry Params) any { return encodeTable(entry, p.Fields) })
	case Ints:
		return encodeAll(v.([]int), func(i int) any { return i })
	case Texts:
		return encodeAll(v.([]string), func(s string) any { return s })
	case Stages:
		return encodeAll(v.([]Stage), func(s Stage) any {
			return encodeTable(Params{"rate": s.Rate, "for": s.For, "ramp": s.Ramp}, stageParams)
		})
	}
	return v
}

func encodeAll[T any](list []T, encode func(T) any) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = encode(v)
	}
	return all
}

// plain converts the result of encode to values that encoding/json knows.
func plain(v any) any {
	switch v := v.(type) {
	case notation:
		return string(v)
	case []field:
		m := make(map[string]any, len(v))
		for _, f := range v {
			m[f.key] = plain(f.value)
		}
		return m
	case []any:
		return encodeAll(v, plain)
	}
	return v
}
