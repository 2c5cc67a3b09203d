package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
)

// timeline is that of reporttest.Failed: a storm with a warm-up, two repetitions, faults and
// a stall that the latency shows.
func timeline() report.Timeline {
	c := report.Timeline{Probes: map[probe.Name][]float64{}}
	for i := range 284 {
		t := float64(i) / 10
		c.Times = append(c.Times, t)
		add := func(name probe.Name, v float64) { c.Probes[name] = append(c.Probes[name], v) }
		late := math.Max(0, 6-math.Abs(t-15)*3)
		add("offered_per_second", 20000)
		add("completed_per_second", 19800-2000*late)
		add("failed_per_second", 0)
		add("action_p50_ms", 0.1)
		add("action_p99_ms", 1+late)
		add("cpu_percent", 150+20*math.Sin(t))
		add("heap_bytes", 2e7+1e7*math.Mod(t, 3))
		if gap := i > 100 && i < 110; gap {
			add("goroutines", math.NaN())
		} else {
			add("goroutines", 200)
		}
	}
	c.Steps = []report.TimelineStep{{
		Scenario: "event-storm", Step: "storm", From: 0.2, To: 28.3,
		Repetitions: []report.TimelineRepetition{{Number: 0, At: 0.3}, {Number: 1, At: 2}, {Number: 2, At: 14}},
		Limits: []report.TimelineLimit{
			{Metric: "sustained_event_rate", Source: report.KindBaseline, Op: ">=", Probe: "completed_per_second", Value: 8000},
			{Metric: "sustained_event_rate", Source: report.KindThreshold, Op: ">=", Probe: "completed_per_second", Value: 15000},
			{Metric: "latency_ms.p99", Source: report.KindThreshold, Op: "<", Probe: "action_p99_ms", Value: 5},
			{Metric: "generosity", Source: report.KindThreshold, Op: "<", Probe: "cpu_percent", Value: 100_000},
		},
	}}
	c.Faults = []report.TimelineFault{{Step: "storm", Fault: "stall_subscribers", At: 14.2, Count: 1, Targets: []string{"subscriber-3"}}, {Step: "storm", Fault: "kill_agents", At: 15, Count: 40, Targets: []string{"a_0042", "a_0007"}}}
	return c
}

// hostile returns a report with names and texts that try to be markup, and values that are
// not numbers.
func hostile() report.Report {
	name := "</script><script>alert(1)</script>]]>\"'`|*_[x](http://example.org) @everyone #1 <!-- & \x00\x1b[31m\u202e\ufffe\xff\r\n| a | b |\n# head"
	step := report.Step{
		Name: name, Measurement: name, Component: name, Verdict: report.Fail, DurationSeconds: math.NaN(),
		Params: map[string]any{name: name, "table": []any{map[string]any{name: 1}}, "bad": math.Inf(1)},
		Metrics: map[string]report.Metric{
			name:                       {Value: name, Unit: name, Better: report.Better(name), Status: report.Status(name)},
			"=HYPERLINK(\"http://x\")": {Value: "=1+1", Unit: "text", Status: report.StatusInfo},
			"not_a_number":             {Value: math.NaN(), Unit: "ms", Samples: []float64{math.NaN(), math.Inf(1), 1}, Baseline: new(math.NaN()), Deviation: new(math.Inf(-1)), Status: report.StatusFail},
			"no_samples":               {Value: nil, Unit: "ms", Status: report.StatusFail, Distribution: &report.Distribution{}},
			strings.Repeat("long", 999): {
				Value: 1.0, Unit: "count", Samples: []float64{1, 1}, Baseline: new(1.0), Deviation: new(0.0), Status: report.StatusPass,
			},
		},
		Thresholds:      []report.Threshold{{Metric: name, Condition: name}, {Metric: "not_a_number", Condition: "< 1", Actual: new(math.NaN())}},
		Errors:          []report.Error{{Message: name, Count: math.MaxInt64, FirstAtSeconds: math.Inf(1)}, {Message: "panic: x\ngoroutine 1 [running]:\n\tmain.go:1", Count: 1}},
		Faults:          []report.Fault{{Fault: name, Injected: -1, FirstAtSeconds: new(math.NaN()), LastAtSeconds: new(math.Inf(1)), Targets: []report.Target{{Name: name, Count: -1}}}},
		Probes:          map[probe.Name]report.Probe{probe.Name(name): {Min: math.NaN()}, "cpu_percent": {Max: math.Inf(1)}},
		Recommendations: []string{name},
	}
	r := reporttest.Run(report.Scenario{Name: name, Title: name, File: name, Verdict: report.Fail, Steps: []report.Step{step}})
	r.Scenarios = append(r.Scenarios, report.Scenario{Name: "no steps", Verdict: report.Verdict(name)})
	r.ID, r.Verdict, r.Grade, r.Score, r.DurationSeconds = name, report.Verdict(name), report.Grade(name), math.NaN(), math.Inf(1)
	r.Command, r.Recommendations = []string{name}, []string{name}
	r.Host.Kernel, r.Tool.Version = name, name
	r.Regression = &report.Regression{Baseline: name, Metrics: []report.RegressionMetric{{Scenario: name, Step: name, Metric: name, Verdict: "regressed", Old: new(math.NaN()), Note: name}}}
	return r
}

func hostileTimeline() report.Timeline {
	c := timeline()
	c.Steps = append(c.Steps, report.TimelineStep{Scenario: hostile().Scenarios[0].Name, Step: hostile().Scenarios[0].Steps[0].Name, From: 1, To: 20, Limits: []report.TimelineLimit{
		{Metric: hostile().ID, Source: report.CheckKind(hostile().ID), Op: "<", Probe: "cpu_percent", Value: math.NaN()},
	}})
	c.Faults = append(c.Faults, report.TimelineFault{Fault: hostile().ID, At: 5, Count: 1})
	c.Probes[probe.Name(hostile().ID)] = slices.Repeat([]float64{math.Inf(1)}, len(c.Times))
	c.Probes["rss_bytes"] = slices.Repeat([]float64{math.NaN()}, len(c.Times))
	return c
}

func written(t testing.TB, f Format, r report.Report, c report.Timeline) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, r, c, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// goldens are the reports for which a format has a golden file, if not for all.
var goldens = map[Format][]string{
	CSV: {"odd"}, HTML: {"fail", "empty"}, JSON: {"fail", "error", "empty", "regression"},
}

func TestFormats(t *testing.T) {
	for name, r := range reporttest.All() {
		for _, f := range []struct {
			format Format
			ending string
		}{{JUnit, ".xml"}, {Markdown, ".md"}, {CSV, ".csv"}, {HTML, ".html"}, {JSON, ".json"}} {
			if of := goldens[f.format]; of != nil && !slices.Contains(of, name) {
				continue // it would show nothing new
			}
			t.Run(name+f.ending, func(t *testing.T) {
				c := report.Timeline{}
				if name == "fail" {
					c = timeline()
				}
				golden(t, name+f.ending, written(t, f.format, r, c))
			})
		}
	}
}

// everything is all reports of reporttest, and the hostile one.
func everything() map[string]report.Report {
	all := reporttest.All()
	all["hostile"] = hostile()
	return all
}

// wellFormed parses a document as XML, and returns its elements and its text.
func wellFormed(t testing.TB, document []byte) (elements []xml.StartElement, text string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, text
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Copy())
		case xml.CharData:
			text += string(token)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Each format marks steered steps, and no others.
func TestFormatsMarkSteeredSteps(t *testing.T) {
	marks := map[Format]string{
		Text: steeredManually, Markdown: steeredManually, HTML: steeredManually,
		JUnit: steeredManually, CSV: "storm,step,steered,value,,,true,bool", JSON: `"steered": true`,
	}
	for _, f := range formats {
		for _, steered := range []bool{true, false} {
			step := reporttest.Storm()
			step.Steered = steered
			out := string(written(t, f.format, reporttest.Run(reporttest.Scenario("event-storm", "Event storm", step)), report.Timeline{}))
			if mark := marks[f.format]; mark == "" || strings.Contains(out, mark) != steered {
				t.Errorf("%s, steered %v: %q is wrong in\n%s", f.format, steered, mark, out)
			}
		}
	}
}

// Each format marks steps with unfinished repetitions, and no others.
func TestFormatsMarkPartialSteps(t *testing.T) {
	marks := map[Format]string{
		Text: "2 of 5 repetitions", Markdown: "2 of 5 repetitions", HTML: "metrics from 2 of 5 repetitions",
		JUnit: "metrics from 2 of 5 repetitions", CSV: "storm,step,repetitions_finished,value,,,2,count", JSON: `"planned": 5`,
	}
	for _, f := range formats {
		for _, partial := range []bool{true, false} {
			step := reporttest.Storm()
			if partial {
				step.Repetitions = &report.Repetitions{Finished: 2, Planned: 5}
			}
			out := string(written(t, f.format, reporttest.Run(reporttest.Scenario("event-storm", "Event storm", step)), report.Timeline{}))
			if mark := marks[f.format]; mark == "" || strings.Contains(out, mark) != partial {
				t.Errorf("%s, partial %v: %q is wrong in\n%s", f.format, partial, mark, out)
			}
		}
	}
}

func TestFormatsReturnWriteErrors(t *testing.T) {
	for _, f := range Names() {
		if err := Format(f).Write(brokenWriter{}, reporttest.Passed(), report.Timeline{}, Options{}); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: error %v", f, err)
		}
	}
	if err := Format("pdf").Write(io.Discard, reporttest.Passed(), report.Timeline{}, Options{}); err == nil || !strings.Contains(err.Error(), "text, json, junit, markdown, html, csv") {
		t.Errorf("error %v", err)
	}
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]Format{
		"a.json": JSON, "a.txt": Text, "b/a.xml": JUnit, "A.MD": Markdown, "a.b.html": HTML, "a.csv": CSV,
		"a.htm": "", "json": "", "": "", "a.": "",
	} {
		if got, ok := Of(path); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, want %q", path, got, ok, want)
		}
	}
}
