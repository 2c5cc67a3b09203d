package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Write writes the report as one indented JSON document. It returns an error that says
// where, and writes nothing, if a number is not finite.
func Write(w io.Writer, r Report) error {
	if where := findNotFinite(reflect.ValueOf(r), "report"); where != "" {
		return fmt.Errorf("encode report: %s is not a finite number", where)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // conditions are full of < and >
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	return nil
}

// Read reads a report from JSON. It returns an error for any other document, for another
// schema, and for data after the report.
func Read(r io.Reader) (Report, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Report{}, fmt.Errorf("read report: not a JSON report: %w", err)
	}
	switch {
	case head.Schema == nil:
		return Report{}, errors.New(`read report: not a report: no "schema"`)
	case *head.Schema != Schema:
		return Report{}, fmt.Errorf("read report: unknown schema %q; this program reads %q", *head.Schema, Schema)
	}
	var report Report
	if err := json.Unmarshal(data, &report); err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	if err := report.validate(); err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	return report, nil
}

// validate returns an error for what would mislead readers of the report.
func (r Report) validate() error {
	validVerdict := func(where string, v Verdict) error {
		if severity[v] == 0 {
			return fmt.Errorf("%s: unknown verdict %q", where, v)
		}
		return nil
	}
	errs := []error{validVerdict("run", r.Verdict)}
	for _, s := range r.Scenarios {
		errs = append(errs, validVerdict("scenario "+s.Name, s.Verdict))
		for _, step := range s.Steps {
			errs = append(errs, validVerdict("step "+s.Name+"/"+step.Name, step.Verdict))
			for name, m := range step.Metrics {
				switch m.Value.(type) {
				case nil, float64, string, bool:
				default:
					errs = append(errs, fmt.Errorf("step %s/%s: metric %s: the value is not a number, text or bool", s.Name, step.Name, name))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// MarshalUnescaped is json.Marshal without the HTML escapes: conditions are full of < and
// >.
func MarshalUnescaped(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// The records below write empty lists and maps as [] and {}, never as null, so that
// readers can loop over them.

// MarshalJSON implements json.Marshaler.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	r.Command, r.Scenarios, r.Recommendations = OrEmpty(r.Command), OrEmpty(r.Scenarios), OrEmpty(r.Recommendations)
	return MarshalUnescaped(plain(r))
}

// MarshalJSON implements json.Marshaler.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type plain Scenario
	s.Tags, s.Steps = OrEmpty(s.Tags), OrEmpty(s.Steps)
	return MarshalUnescaped(plain(s))
}

// MarshalJSON implements json.Marshaler.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	s.Params, s.Metrics, s.Probes = OrEmptyMap(s.Params), OrEmptyMap(s.Metrics), OrEmptyMap(s.Probes)
	s.Thresholds, s.Errors, s.Faults = OrEmpty(s.Thresholds), OrEmpty(s.Errors), OrEmpty(s.Faults)
	s.Recommendations = OrEmpty(s.Recommendations)
	return MarshalUnescaped(plain(s))
}

// MarshalJSON implements json.Marshaler.
func (m Metric) MarshalJSON() ([]byte, error) {
	type plain Metric
	m.Samples = OrEmpty(m.Samples)
	return MarshalUnescaped(plain(m))
}

// MarshalJSON implements json.Marshaler.
func (r Regression) MarshalJSON() ([]byte, error) {
	type plain Regression
	r.Metrics = OrEmpty(r.Metrics)
	return MarshalUnescaped(plain(r))
}

// OrEmpty returns the list, or an empty one for nil.
func OrEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// OrEmptyMap returns the map, or an empty one for nil.
func OrEmptyMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// findNotFinite returns where in v a NaN or an infinity is; empty for nowhere.
func findNotFinite(v reflect.Value, where string) string {
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		if !Finite(v.Float()) {
			return where
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return findNotFinite(v.Elem(), where)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if at := findNotFinite(v.Index(i), where+"["+strconv.Itoa(i)+"]"); at != "" {
				return at
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if at := findNotFinite(entries.Value(), fmt.Sprintf("%s.%v", where, entries.Key())); at != "" {
				return at
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if at := findNotFinite(v.Field(i), where+"."+name); at != "" {
					return at
				}
			}
		}
	}
	return ""
}
