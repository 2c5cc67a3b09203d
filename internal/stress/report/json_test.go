package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/report/reporttest"
)

func TestJSONAndBack(t *testing.T) {
	for name, r := range reporttest.All() {
		t.Run(name, func(t *testing.T) {
			var first, second bytes.Buffer
			if err := report.Write(&first, r); err != nil {
				t.Fatal(err)
			}
			read, err := report.Read(bytes.NewReader(first.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			if err := report.Write(&second, read); err != nil {
				t.Fatal(err)
			}
			if first.String() != second.String() {
				t.Errorf("read and written again it is\n%s\nbefore\n%s", second.String(), first.String())
			}
		})
	}
}

func TestJSONRefusesWhatIsNotFinite(t *testing.T) {
	for where, change := range map[string]func(*report.Report){
		"report.score": func(r *report.Report) { r.Score = math.NaN() },
		"report.scenarios[0].steps[0].metrics.dropped.value":      func(r *report.Report) { setDropped(r, report.Metric{Value: math.Inf(1)}) },
		"report.scenarios[0].steps[0].metrics.dropped.samples[1]": func(r *report.Report) { setDropped(r, report.Metric{Samples: []float64{1, math.NaN()}}) },
		"report.scenarios[0].steps[0].metrics.dropped.deviation":  func(r *report.Report) { setDropped(r, report.Metric{Deviation: new(math.Inf(-1))}) },
		"report.scenarios[0].steps[0].metrics.dropped.distribution.p99": func(r *report.Report) {
			setDropped(r, report.Metric{Distribution: &report.Distribution{P99: math.NaN()}})
		},
		"report.scenarios[0].steps[0].params.list[0].rate": func(r *report.Report) {
			r.Scenarios[0].Steps[0].Params["list"] = []any{map[string]any{"rate": math.Inf(1)}}
		},
	} {
		t.Run(where, func(t *testing.T) {
			r := reporttest.Failed()
			change(&r)
			var b bytes.Buffer
			err := report.Write(&b, r)
			if err == nil || !strings.Contains(err.Error(), where+" is not a finite number") {
				t.Errorf("error %v", err)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes were written all the same", b.Len())
			}
		})
	}
}

func setDropped(r *report.Report, m report.Metric) { r.Scenarios[0].Steps[0].Metrics["dropped"] = m }

// Empty lists and maps are not null.
func TestNothingIsNull(t *testing.T) {
	for _, v := range []any{report.Report{}, report.Scenario{}, report.Step{}, report.Metric{}, report.Regression{}} {
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

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteReturnsErrors(t *testing.T) {
	if err := report.Write(brokenWriter{}, reporttest.Passed()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := report.Write(&b, reporttest.Failed()); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "not a JSON report"},
		"text":               {"FAIL  1 of 3\n", "not a JSON report"},
		"a list":             {"[]", "not a JSON report"},
		"something else":     {`{"name": "x"}`, `no "schema"`},
		"another schema":     {`{"schema": "mabeam-top/report/v2"}`, `unknown schema "mabeam-top/report/v2"; this program reads "mabeam-top/report/v1"`},
		"an event stream":    {`{"schema": "mabeam-top/events/v1"}`, "events/v1"},
		"cut off":            {good[:len(good)/2], "not a JSON report"},
		"two of them":        {good + good, "not a JSON report"},
		"a wrong type":       {strings.Replace(good, `"seed": 42`, `"seed": "42"`, 1), "seed"},
		"an unknown verdict": {strings.Replace(good, `"verdict": "fail"`, `"verdict": "fine"`, 1), `run: unknown verdict "fine"`},
		"no verdict":         {`{"schema": "mabeam-top/report/v1"}`, `run: unknown verdict ""`},
		"a value of no kind": {strings.Replace(good, `"value": false`, `"value": []`, 1), "step event-storm/storm: metric system_stable: the value is not"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := report.Read(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, r := range reporttest.All() {
		var b bytes.Buffer
		if err := report.Write(&b, r); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := report.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := report.Write(&first, r); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := report.Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if err := report.Write(&second, again); err != nil || first.String() != second.String() {
			t.Fatalf("written differently the second time (%v)", err)
		}
		if err := format.Text.Write(&second, r, report.Timeline{}, format.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

// A report of a version without conditions, floors and kinds of errors, where the score
// went up to 1.2, is readable.
func TestReadOldReport(t *testing.T) {
	r, err := report.Load("testdata/old-report.json")
	if err != nil {
		t.Fatal(err)
	}
	step := r.Scenarios[0].Steps[0]
	m := step.Metrics["agents_per_second"]
	if r.Score <= 1 || m.Status != report.StatusExceed || m.Condition != "" || m.Floor != nil {
		t.Errorf("score %v, metric %+v", r.Score, m)
	}
	if shown, ok := m.MainCheck(); !ok || shown.Kind != report.KindBaseline || shown.Status != report.StatusExceed {
		t.Errorf("main check %+v", shown)
	}
	for _, name := range format.Names() {
		if err := format.Format(name).Write(io.Discard, r, report.Timeline{}, format.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
