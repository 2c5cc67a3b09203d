package scenario

import (
	"encoding/json"
	"math"
	"strings"

	"mabeam-top/internal/stress/verdict"
)

// schema is a JSON Schema, or a part of one.
type schema = map[string]any

// Schema returns the JSON Schema of a scenario file, for editors: it offers the
// measurements of the catalogue, and the parameters and metrics of the measurement of each
// step. It accepts every file that Parse accepts, and some that Parse refuses, such as a
// file with two steps of the same name.
func Schema(cat Catalogue) []byte {
	definitions := stepSchemas(cat)
	steps := schema{"type": "array", "minItems": 1, "items": definitionOf("step")}
	scenario := objectSchema(schema{
		"name":        nameSchema(nameParam),
		"title":       schema{"type": "string", "minLength": 1, "description": titleParam.Doc},
		"description": paramSchema(descriptionParam),
		"tags":        paramSchema(tagsParam),
		"timeout":     paramSchema(timeoutParam),
		"seed": schema{
			"type": "integer", "minimum": 0, "maximum": uint64(math.MaxUint64), "default": defaultSeed, "description": seedDoc,
		},
		"system": paramSchema(systemParam),
		"steps": schema{"type": "array", "minItems": 1, "items": schema{
			"if":   schema{"required": []string{"parallel"}},
			"then": objectSchema(schema{"parallel": steps}),
			"else": definitionOf("step"),
		}},
	}, "name", "title", "steps")
	scenario["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	scenario["$id"] = "urn:mabeam-top:scenario:v1"
	scenario["title"] = "A scenario of mabeam-top"
	scenario["$defs"] = definitions
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // patterns and conditions are full of < and >
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(scenario); err != nil {
		panic(err) // the catalogue has a default that JSON cannot express
	}
	return []byte(out.String())
}

// stepSchemas returns the definition of a step, and those that it refers to.
func stepSchemas(cat Catalogue) schema {
	definitions := schema{"condition": schema{
		"type": "string", "pattern": verdict.ConditionPattern,
		"description": "An operator and a number without a unit, such as < 5, >= 95000 or <= 20%.",
	}}
	measurements := make([]any, len(cat))
	branches := make([]any, len(cat))
	for i, m := range cat {
		measurements[i] = schema{"const": m.Name, "description": m.Summary}
		definitions["with."+m.Name] = tableSchema(m.Params)
		definitions["thresholds."+m.Name] = thresholdsSchema(m)
		branches[i] = schema{
			"if": schema{"required": []string{"measure"}, "properties": schema{"measure": schema{"const": m.Name}}},
			"then": schema{"properties": schema{
				"with":       definitionOf("with." + m.Name),
				"thresholds": definitionOf("thresholds." + m.Name),
			}},
		}
	}
	step := objectSchema(schema{
		"measure":    schema{"oneOf": measurements, "description": "Measurement of the step."},
		"name":       nameSchema(stepNameParam),
		"with":       schema{"type": "object", "description": "Parameters of the measurement."},
		"warmup":     warmupSchema(),
		"repeat":     paramSchema(repeatParam),
		"baseline":   paramSchema(baselineParam),
		"tolerance":  paramSchema(toleranceParam),
		"thresholds": schema{"type": "object", "description": "Conditions on metrics. The step fails if one does not hold."},
		"faults":     faultsSchema(),
	}, "measure")
	step["allOf"] = branches
	definitions["step"] = step
	return definitions
}

func definitionOf(definition string) schema { return schema{"$ref": "#/$defs/" + definition} }

func objectSchema(properties schema, required ...string) schema {
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func nameSchema(p Param) schema {
	return schema{"type": "string", "pattern": kebabCase.String(), "description": p.Doc}
}

func warmupSchema() schema {
	return schema{
		"description": "Warm-up, whose results are discarded: a duration, or a number of operations.",
		"oneOf":       []any{kindSchema(Param{Kind: Duration}), schema{"type": "integer", "minimum": 0, "maximum": maxWarmup}},
	}
}

// tableSchema describes a mapping of parameters.
func tableSchema(params []Param) schema {
	properties := make(schema, len(params))
	for _, p := range params {
		properties[p.Name] = paramSchema(p)
	}
	return objectSchema(properties)
}

// paramSchema describes a parameter, with its documentation and default.
func paramSchema(p Param) schema {
	s := kindSchema(p)
	if p.Default == nil && p.Kind != Text {
		s = schema{"anyOf": []any{s, schema{"const": none}}}
	}
	if p.Doc != "" {
		s["description"] = p.Doc
	}
	if p.Default != nil {
		s["default"] = plain(encode(p, complete(p, p.Default)))
	}
	return s
}

// kindSchema describes the values of a kind. A schema cannot express limits on texts with a
// unit.
func kindSchema(p Param) schema {
	switch p.Kind {
	case Int:
		return bounded(schema{"type": "integer"}, p)
	case Float:
		return bounded(schema{"type": "number"}, p)
	case Ratio:
		return schema{"oneOf": []any{bounded(schema{"type": "number"}, p), schema{"type": "string", "pattern": ratioForm.String()}}}
	case Duration:
		return schema{"type": "string", "pattern": durationForm.String()}
	case Rate:
		return schema{"type": "string", "pattern": rateForm.String()}
	case Size:
		return schema{"type": "string", "pattern": sizeForm.String()}
	case Bool:
		return schema{"type": "boolean"}
	case Map:
		return schema{"type": "object"}
	case Table:
		return tableSchema(p.Fields)
	case List:
		return schema{"type": "array", "items": tableSchema(p.Fields)}
	case Stages:
		items := tableSchema(stageParams)
		items["required"] = []string{"rate", "for"}
		return schema{"type": "array", "items": items}
	case Ints:
		return schema{"type": "array", "items": bounded(schema{"type": "integer"}, p)}
	case Texts:
		return schema{"type": "array", "items": textSchema(p)}
	default:
		return textSchema(p)
	}
}

func textSchema(p Param) schema {
	s := schema{"type": "string"}
	if len(p.Choices) == 0 {
		return s
	}
	s["enum"] = p.Choices
	if p.Kind == Text && p.Default == nil {
		s["enum"] = append([]string{none}, p.Choices...)
	}
	return s
}

func bounded(s schema, p Param) schema {
	if p.Min == 0 && p.Max == 0 {
		return s
	}
	s["minimum"] = p.Min
	if p.Max >= p.Min {
		s["maximum"] = p.Max
	}
	return s
}

// thresholdsSchema describes the thresholds of a measurement, with every name that a
// threshold can be set on.
func thresholdsSchema(m *Measurement) schema {
	windowed := objectSchema(schema{
		"is":     definitionOf("condition"),
		"window": kindSchema(windowParam),
		"after":  paramSchema(afterParam),
		"abort":  paramSchema(abortParam),
	}, "is")
	properties, patterns := schema{}, schema{}
	for _, metric := range m.Metrics {
		if metric.Unit == "text" {
			continue
		}
		threshold := schema{"description": metric.Doc, "oneOf": []any{definitionOf("condition"), windowed}}
		properties[metric.Name] = threshold
		if metric.Distribution {
			for _, statistic := range statistics {
				properties[metric.Name+"."+statistic] = threshold
			}
		}
		if metric.Keyed {
			patterns["^"+metric.Name+`\..+$`] = threshold
		}
	}
	s := objectSchema(properties)
	if len(patterns) > 0 {
		s["patternProperties"] = patterns
	}
	return s
}

// faultsSchema describes the faults of a step.
func faultsSchema() schema {
	kinds := make([]any, len(faultSpecs))
	for i, spec := range faultSpecs {
		count, rate := spec.numbers()
		s := tableSchema(spec.keys(count))
		properties, name := s["properties"].(schema), string(spec.kind)
		description := spec.doc + " A number is injected all at once, a rate such as 10/s evenly."
		forms := []any{kindSchema(count), kindSchema(rate)}
		if spec.word != "" {
			description += " The name of a component injects it once."
			forms = append(forms, properties[spec.word])
		}
		properties[name] = schema{"description": description, "oneOf": forms}
		s["required"] = []string{name}
		kinds[i] = s
	}
	return schema{
		"type": "array", "minItems": 1, "items": schema{"anyOf": kinds},
		"description": "Faults that are injected into the system under test while the load runs.",
	}
}
