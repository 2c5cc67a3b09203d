package scenario

import (
	"time"
)

// Encode returns the parameters as the JSON report and the events tell them:
// numbers, booleans, texts, lists and mappings as themselves, and what has a
// unit (durations, rates, sizes, and ratios with their %) as a text in the
// notation of a scenario file.
func Encode(p Params, params []Param) map[string]any {
	return plain(encodeTable(p, params)).(map[string]any)
}

// A notation is a text in the notation of scenario files that needs no
// quotes there, such as 5s.
type notation string

// A field is a key with its value, in a mapping that has an order.
type field struct {
	key   string
	value any
}

// encodeTable returns the parameters that have a value, in the order in which
// they were declared.
func encodeTable(p Params, params []Param) []field {
	fields := make([]field, 0, len(params))
	for _, param := range params {
		if v := p[param.Name]; v != nil {
			fields = append(fields, field{param.Name, encode(param, v)})
		}
	}
	return fields
}

// encode turns a value into what YAML and JSON have: numbers, booleans,
// texts, notations, lists and mappings.
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

// plain turns what encode returned into what encoding/json knows.
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
