package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for _, name := range []string{"fail", "error", "empty", "regression"} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, fixtures()[name]); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", b.Bytes())
		})
	}
}

func TestJSONAndBack(t *testing.T) {
	for name, r := range fixtures() {
		t.Run(name, func(t *testing.T) {
			var first, second bytes.Buffer
			if err := Write(&first, r); err != nil {
				t.Fatal(err)
			}
			read, err := Read(bytes.NewReader(first.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			if err := Write(&second, read); err != nil {
				t.Fatal(err)
			}
			if first.String() != second.String() {
				t.Errorf("read and written again it is\n%s\nbefore\n%s", second.String(), first.String())
			}
		})
	}
}

func TestJSONRefusesWhatIsNotFinite(t *testing.T) {
	for where, change := range map[string]func(*Report){
		"report.score": func(r *Report) { r.Score = math.NaN() },
		"report.scenarios[0].steps[0].metrics.dropped.value":      func(r *Report) { setDropped(r, Metric{Value: math.Inf(1)}) },
		"report.scenarios[0].steps[0].metrics.dropped.samples[1]": func(r *Report) { setDropped(r, Metric{Samples: []float64{1, math.NaN()}}) },
		"report.scenarios[0].steps[0].metrics.dropped.deviation":  func(r *Report) { setDropped(r, Metric{Deviation: ptr(math.Inf(-1))}) },
		"report.scenarios[0].steps[0].metrics.dropped.distribution.p99": func(r *Report) {
			setDropped(r, Metric{Distribution: &Distribution{P99: math.NaN()}})
		},
		"report.scenarios[0].steps[0].params.list[0].rate": func(r *Report) {
			r.Scenarios[0].Steps[0].Params["list"] = []any{map[string]any{"rate": math.Inf(1)}}
		},
	} {
		t.Run(where, func(t *testing.T) {
			r := failed()
			change(&r)
			var b bytes.Buffer
			err := Write(&b, r)
			if err == nil || !strings.Contains(err.Error(), where+" is not a finite number") {
				t.Errorf("error %v", err)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes were written all the same", b.Len())
			}
		})
	}
}

func setDropped(r *Report, m Metric) { r.Scenarios[0].Steps[0].Metrics["dropped"] = m }

// TestNothingIsNull marshals records without a single entry.
func TestNothingIsNull(t *testing.T) {
	for _, v := range []any{Report{}, Scenario{}, Step{}, Metric{}, Regression{}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		for name, field := range fields {
			if field == nil && name != "value" {
				t.Errorf("%s.%s is null", reflect.TypeOf(v).Name(), name)
			}
		}
	}
}

func TestJSONTellsWriteErrors(t *testing.T) {
	if err := Write(brokenWriter{}, passed()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, failed()); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "not a JSON report"},
		"text":               {"FAIL  1 of 3\n", "not a JSON report"},
		"a list":             {"[]", "not a JSON report"},
		"something else":     {`{"name": "x"}`, `it has no "schema"`},
		"another schema":     {`{"schema": "mabeam-top/report/v2"}`, `its schema is "mabeam-top/report/v2", this program reads "mabeam-top/report/v1"`},
		"an event stream":    {`{"schema": "mabeam-top/events/v1"}`, "events/v1"},
		"cut off":            {good[:len(good)/2], "not a JSON report"},
		"two of them":        {good + good, "not a JSON report"},
		"a wrong type":       {strings.Replace(good, `"seed": 42`, `"seed": "42"`, 1), "seed"},
		"an unknown verdict": {strings.Replace(good, `"verdict": "fail"`, `"verdict": "fine"`, 1), `the run has the unknown verdict "fine"`},
		"no verdict":         {`{"schema": "mabeam-top/report/v1"}`, `the run has the unknown verdict ""`},
		"a value of no kind": {strings.Replace(good, `"value": false`, `"value": []`, 1), "metric system_stable of step event-storm/storm"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, r := range fixtures() {
		var b bytes.Buffer
		if err := Write(&b, r); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := Write(&first, r); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if err := Write(&second, again); err != nil || first.String() != second.String() {
			t.Fatalf("written differently the second time (%v)", err)
		}
		if err := Text(&second, r, TextOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestReadOldReport reads a report as it was written before there were conditions,
// floors and kinds of errors, when a score was up to 1.2.
func TestReadOldReport(t *testing.T) {
	r, err := Load("testdata/old-report.json")
	if err != nil {
		t.Fatal(err)
	}
	step := r.Scenarios[0].Steps[0]
	m := step.Metrics["agents_per_second"]
	if r.Score <= 1 || m.Status != StatusExceed || m.Condition != "" || m.Floor != nil {
		t.Errorf("score %v, metric %+v", r.Score, m)
	}
	if shown, ok := m.MainCheck(); !ok || shown.Kind != KindBaseline || shown.Status != StatusExceed {
		t.Errorf("it is held against %+v", shown)
	}
	for _, f := range formats {
		if err := f.format.Write(io.Discard, r, Timeline{}, TextOptions{}); err != nil {
			t.Errorf("%s: %v", f.format, err)
		}
	}
}
