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

// JSON writes the report as one indented JSON document. A number that is not
// finite is a fault of whoever measured: the error says where it stands, and
// nothing is written.
func JSON(w io.Writer, r Report) error {
	if where := notFinite(reflect.ValueOf(r), "report"); where != "" {
		return fmt.Errorf("write report as JSON: %s is not a finite number", where)
	}
	data, err := MarshalReadable(r)
	if err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	if _, err := w.Write(indented.Bytes()); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	return nil
}

// Read reads a report as JSON writes it. It refuses what is not a report, one
// of another schema, and anything that follows it.
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
		return Report{}, errors.New(`read report: not a report: it has no "schema"`)
	case *head.Schema != Schema:
		return Report{}, fmt.Errorf("read report: its schema is %q, this program reads %q", *head.Schema, Schema)
	}
	var report Report
	if err := json.Unmarshal(data, &report); err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	if err := report.check(); err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	return report, nil
}

// check tells what in a report that was read would mislead its readers.
func (r Report) check() error {
	known := func(where string, v Verdict) error {
		if rank[v] == 0 {
			return fmt.Errorf("%s has the unknown verdict %q", where, v)
		}
		return nil
	}
	faults := []error{known("the run", r.Verdict)}
	for _, s := range r.Scenarios {
		faults = append(faults, known("scenario "+s.Name, s.Verdict))
		for _, step := range s.Steps {
			faults = append(faults, known("step "+s.Name+"/"+step.Name, step.Verdict))
			for name, m := range step.Metrics {
				switch m.Value.(type) {
				case nil, float64, string, bool:
				default:
					faults = append(faults, fmt.Errorf("metric %s of step %s/%s has a value that is no number, text or bool", name, s.Name, step.Name))
				}
			}
		}
	}
	return errors.Join(faults...)
}

// MarshalReadable is json.Marshal without the escapes that only a web page needs:
// conditions are full of < and >.
func MarshalReadable(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// The records below write a list or table without entries as [] or {}, never
// as null: whoever reads them may loop without asking first.

// MarshalJSON implements json.Marshaler.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	p := plain(r)
	p.Command, p.Scenarios, p.Recommendations = OrEmpty(r.Command), OrEmpty(r.Scenarios), OrEmpty(r.Recommendations)
	return MarshalReadable(p)
}

// MarshalJSON implements json.Marshaler.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type plain Scenario
	p := plain(s)
	p.Tags, p.Steps = OrEmpty(s.Tags), OrEmpty(s.Steps)
	return MarshalReadable(p)
}

// MarshalJSON implements json.Marshaler.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	p := plain(s)
	p.Params, p.Metrics, p.Probes = OrEmptyTable(s.Params), OrEmptyTable(s.Metrics), OrEmptyTable(s.Probes)
	p.Thresholds, p.Errors, p.Faults = OrEmpty(s.Thresholds), OrEmpty(s.Errors), OrEmpty(s.Faults)
	p.Recommendations = OrEmpty(s.Recommendations)
	return MarshalReadable(p)
}

// MarshalJSON implements json.Marshaler.
func (m Metric) MarshalJSON() ([]byte, error) {
	type plain Metric
	p := plain(m)
	p.Samples = OrEmpty(m.Samples)
	return MarshalReadable(p)
}

// MarshalJSON implements json.Marshaler.
func (r Regression) MarshalJSON() ([]byte, error) {
	type plain Regression
	p := plain(r)
	p.Metrics = OrEmpty(r.Metrics)
	return MarshalReadable(p)
}

// OrEmpty returns the list, or an empty one in place of nil, which JSON would
// write as null.
func OrEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// OrEmptyTable is OrEmpty for a table.
func OrEmptyTable[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// notFinite returns where in v a NaN or an infinity stands, or "".
func notFinite(v reflect.Value, where string) string {
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		if !Finite(v.Float()) {
			return where
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return notFinite(v.Elem(), where)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if at := notFinite(v.Index(i), where+"["+strconv.Itoa(i)+"]"); at != "" {
				return at
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if at := notFinite(entries.Value(), fmt.Sprintf("%s.%v", where, entries.Key())); at != "" {
				return at
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if at := notFinite(v.Field(i), where+"."+name); at != "" {
					return at
				}
			}
		}
	}
	return ""
}
