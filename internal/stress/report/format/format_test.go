package format

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"pgregory.net/rapid"
)

// timeline is that of reporttest.Failed: a storm with a warm-up, two repetitions, faults and
// a stall that the latency shows.
func timeline() report.Timeline {
	c := report.Timeline{Probes: map[string][]float64{}}
	for i := range 284 {
		t := float64(i) / 10
		c.Times = append(c.Times, t)
		add := func(name string, v float64) { c.Probes[name] = append(c.Probes[name], v) }
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
		Probes:          map[string]report.Probe{name: {Min: math.NaN()}, "cpu_percent": {Max: math.Inf(1)}},
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
	c.Probes[hostile().ID] = slices.Repeat([]float64{math.Inf(1)}, len(c.Times))
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
	says := map[Format]string{
		Text: steeredManually, Markdown: steeredManually, HTML: steeredManually,
		JUnit: steeredManually, CSV: "storm,step,steered,value,,,true,bool", JSON: `"steered": true`,
	}
	for _, f := range formats {
		for _, steered := range []bool{true, false} {
			step := reporttest.Storm()
			step.Steered = steered
			out := string(written(t, f.format, reporttest.Run(reporttest.Scenario("event-storm", "Event storm", step)), report.Timeline{}))
			if said := says[f.format]; said == "" || strings.Contains(out, said) != steered {
				t.Errorf("%s, steered %v: %q is not told as it should be in\n%s", f.format, steered, said, out)
			}
		}
	}
}

// Each format marks steps with unfinished repetitions, and no others.
func TestFormatsMarkPartialSteps(t *testing.T) {
	says := map[Format]string{
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
			if said := says[f.format]; said == "" || strings.Contains(out, said) != partial {
				t.Errorf("%s, partial %v: %q is not told as it should be in\n%s", f.format, partial, said, out)
			}
		}
	}
}

func junitOf(t testing.TB, r report.Report) junit.Testsuites {
	t.Helper()
	document := written(t, JUnit, r, report.Timeline{})
	wellFormed(t, document)
	var suites junit.Testsuites
	if err := xml.Unmarshal(document, &suites); err != nil {
		t.Fatal(err)
	}
	return suites
}

func TestJUnitIsValid(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			suites := junitOf(t, r)
			total := 0
			for _, s := range suites.Suites {
				counted := junit.Testsuite{}
				seen := map[string]bool{}
				for _, c := range s.Testcases {
					counted.AddTestcase(c)
					if seen[c.Classname+"\x00"+c.Name] {
						t.Errorf("case %s of %s is there twice", c.Name, c.Classname)
					}
					seen[c.Classname+"\x00"+c.Name] = true
				}
				if s.Tests != counted.Tests || s.Failures != counted.Failures || s.Errors != counted.Errors || s.Skipped != counted.Skipped {
					t.Errorf("suite %s has %d tests, %d failures, %d errors, %d skipped", s.Name, s.Tests, s.Failures, s.Errors, s.Skipped)
				}
				total += s.Tests
				if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); s.Timestamp != "" && err != nil {
					t.Error(err)
				}
				if _, err := strconv.ParseFloat(s.Time, 64); err != nil {
					t.Error(err)
				}
			}
			if total == 0 || total != suites.Tests {
				t.Errorf("%d tests, want %d", suites.Tests, total)
			}
			// The counts alone must say whether the run is good.
			good := (r.Verdict == report.Pass || r.Verdict == report.Warn) && r.Regression == nil
			if bad := suites.Failures+suites.Errors > 0; bad == good && r.Regression == nil {
				t.Errorf("verdict %s, but %d failures and %d errors", r.Verdict, suites.Failures, suites.Errors)
			}
		})
	}
}

// The checks of an inconclusive step neither pass nor fail.
func TestJUnitSkipsInconclusive(t *testing.T) {
	s := junitOf(t, reporttest.Inconclusive()).Suites[0]
	if s.Errors != 1 || s.Failures != 0 || s.Skipped != s.Tests-1 || s.Skipped == 0 {
		t.Errorf("%d tests, %d errors, %d failures, %d skipped", s.Tests, s.Errors, s.Failures, s.Skipped)
	}
}

// A run can be worse than all its steps, if some did not run.
func TestJUnitShowsWhatDidNotRun(t *testing.T) {
	r := reporttest.Passed()
	r.Scenarios[0].Verdict, r.Verdict = report.Broken, report.Broken
	r.Recommendations = []string{"not run: step last of agent-creation (scenario timeout of 1s)"}
	document := string(written(t, JUnit, r, report.Timeline{}))
	if !strings.Contains(document, `errors="1"`) || !strings.Contains(document, "scenario timeout of 1s") {
		t.Error(document)
	}
	r = reporttest.Passed()
	r.Verdict = report.Interrupted
	if document := string(written(t, JUnit, r, report.Timeline{})); !strings.Contains(document, `<error message="run verdict: interrupted"`) {
		t.Error(document)
	}
}

func TestHTMLIsValid(t *testing.T) {
	for name, r := range everything() {
		for with, c := range map[string]report.Timeline{"without timeline": {}, "with timeline": hostileTimeline()} {
			t.Run(name+" "+with, func(t *testing.T) {
				document := written(t, HTML, r, c)
				elements, _ := wellFormed(t, document)
				ids := map[string]bool{}
				for _, e := range elements {
					if slices.Contains([]string{"script", "link", "img", "iframe", "object", "form"}, e.Name.Local) {
						t.Errorf("there is a %s", e.Name.Local)
					}
					if id := attribute(e, "id"); ids[id] && id != "" {
						t.Errorf("id %s is there twice", id)
					} else {
						ids[id] = true
					}
					if href := attribute(e, "href"); href != "" && !strings.HasPrefix(href, "#s") {
						t.Errorf("a link leads to %s", href)
					}
					for _, a := range e.Attr {
						if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" {
							t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
						}
						if strings.Contains("cx x1 x2 y1 y2 x width d", a.Name.Local) && regexp.MustCompile("NaN|Inf").MatchString(a.Value) && e.Name.Local != "meta" {
							t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
						}
					}
				}
				if regexp.MustCompile(`url\(|@import|ZgotmplZ`).Match(document) {
					t.Error("the page wants something from elsewhere, or a value was refused by the template")
				}
			})
		}
	}
}

// A chart shows lines, limits, faults, repetitions and the warm-up.
func TestHTMLCharts(t *testing.T) {
	elements, text := wellFormed(t, written(t, HTML, reporttest.Failed(), timeline()))
	classes := map[string]int{}
	for _, e := range elements {
		classes[attribute(e, "class")]++
	}
	for _, class := range []string{"threshold", "baseline", "fault", "start", "warmup", "s1", "s2", "dots"} {
		if classes[class] == 0 {
			t.Errorf("nothing of class %s is drawn", class)
		}
	}
	for _, want := range []string{
		"threshold latency_ms.p99 < 5 ms", "baseline sustained_event_rate >= 8k/s", "threshold generosity < 100000 % is far above the chart",
		"kill_agents ×40 (a_0042, a_0007 and 38 more) at 14.8 s", "action_p99_ms: mean 1.43 ms, max 7 ms", "goroutines: mean 200, max 200",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.Contains(text, "failed_per_second") {
		t.Error("a probe that was 0 all the time is drawn")
	}
}

// A line has a gap where there are no readings, and keeps every peak of many readings.
func TestLinePath(t *testing.T) {
	identity := func(v float64) float64 { return v }
	nan := math.NaN()
	if got, want := linePath([]float64{0, 1, 2, 3}, []float64{5, nan, 7, 8}, identity, identity), "M0.00 5.00M2.00 7.00L3.00 8.00"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 99), 1, 3000).Draw(t, "values")
		times := make([]float64, len(values))
		for i := range times {
			times[i] = float64(i)
		}
		got := linePath(times, values, identity, identity)
		if n := strings.Count(got, "L") + strings.Count(got, "M"); n > mostPoints {
			t.Fatalf("%d points", n)
		}
		for _, v := range []float64{slices.Max(values), slices.Min(values)} {
			if !strings.Contains(got, fmt.Sprintf(" %.2f", v)) {
				t.Fatalf("%.2f is not in %s", v, got)
			}
		}
	})
}

func TestCSVIsValid(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, r, hostileTimeline()))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows[1:] {
				for i, cell := range row {
					number := csvHeader[i] == "value"
					if _, err := strconv.ParseFloat(cell, 64); cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) && (!number || err != nil) {
						t.Errorf("a spreadsheet would calculate %q", cell)
					}
					if strings.ContainsAny(cell, "\n\r\x00") || cell == "NaN" || cell == "+Inf" {
						t.Errorf("cell %q", cell)
					}
				}
			}
		})
	}
}

// CSV has each sample: of a metric by its repetition, of a probe by its time.
func TestCSVSamples(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, reporttest.Failed(), timeline()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	has := func(want ...string) bool {
		return slices.ContainsFunc(rows, func(row []string) bool { return slices.Equal(row, want) })
	}
	for _, want := range [][]string{
		{"event-storm", "storm", "metric", "burst_event_rate", "value", "", "", "10350", "1/s"},
		{"event-storm", "storm", "metric", "burst_event_rate", "sample", "3", "", "13200", "1/s"},
		{"event-storm", "storm", "metric", "latency_ms", "p99", "", "", "8.4", "ms"},
		{"event-storm", "storm", "metric", "latency_ms", "count", "", "", "495210", "count"},
		{"event-storm", "storm", "probe", "heap_bytes", "max", "", "", "4.12e+07", "bytes"},
		{"event-storm", "storm", "probe", "offered_per_second", "sample", "2", "15.000", "20000", "1/s"},
		{"", "", "probe", "offered_per_second", "sample", "", "0.000", "20000", "1/s"},
	} {
		if !has(want...) {
			t.Errorf("there is no row %q", want)
		}
	}
	if has("event-storm", "storm", "probe", "goroutines", "sample", "1", "10.500", "", "count") {
		t.Error("there is a row for what was not read")
	}
}

// No name breaks a table.
func TestMarkdownTables(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			columns := 0
			for _, line := range strings.Split(string(written(t, Markdown, r, report.Timeline{})), "\n") {
				if !strings.HasPrefix(line, "|") {
					columns = 0
					continue
				}
				bars := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|")
				if columns == 0 {
					columns = bars
				}
				if bars != columns {
					t.Errorf("%d bars instead of %d in %s", bars, columns, line)
				}
			}
		})
	}
}

func TestMarkdownEscapes(t *testing.T) {
	for s, want := range map[string]string{
		"latency_ms.p99":           "latency_ms.p99",
		"a|b":                      `a\|b`,
		"_x_ *y* `z`":              "\\_x\\_ \\*y\\* \\`z\\`",
		"@team see #12":            "@<!-- -->team see #<!-- -->12",
		"http://x www.y":           "http:/" + "/<!-- -->x www.<!-- -->y",
		"<b>&amp;":                 `\<b\>\&amp;`,
		"- item":                   `\- item`,
		"12. item":                 `12\. item`,
		"12.5 ms":                  `12.5 ms`,
		"two\nlines":               "two lines",
		"[x](y)":                   `\[x\](y)`,
		"10.3k/s, 31 % worse, < 5": `10.3k/s, 31 % worse, \< 5`,
	} {
		if got := md(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
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

// A browser shows the page without complaints.
func TestHTMLInBrowser(t *testing.T) {
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed here, so that the page is not opened in one")
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "report.html")
	if err := os.WriteFile(file, written(t, HTML, reporttest.Failed(), timeline()), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--disable-gpu", "--no-sandbox", "--user-data-dir="+folder, "--dump-dom", "--enable-logging=stderr", "file://"+file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	for _, want := range []string{"latency_ms.p99", "<path", "</footer>"} {
		if !strings.Contains(string(dom), want) {
			t.Errorf("the browser does not show %q", want)
		}
	}
	if i := strings.Index(stderr.String(), "CONSOLE"); i >= 0 {
		t.Errorf("the browser complains: %s", stderr.String()[i:])
	}
}
