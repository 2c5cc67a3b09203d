package report

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

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
)

// course is that of failed(): a storm with a warm-up, two repetitions, faults
// and a stall that the latency shows.
func course() Course {
	c := Course{Probes: map[probe.Name][]float64{}}
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
	c.Steps = []CourseStep{{
		Scenario: "event-storm", Step: "storm", From: 0.2, To: 28.3,
		Repetitions: []CourseRepetition{{0, 0.3}, {1, 2}, {2, 14}},
		Limits: []CourseLimit{
			{"sustained_event_rate", "baseline", ">=", "completed_per_second", 8000},
			{"sustained_event_rate", "threshold", ">=", "completed_per_second", 15000},
			{"latency_ms.p99", "threshold", "<", "action_p99_ms", 5},
			{"generosity", "threshold", "<", "cpu_percent", 100_000},
		},
	}}
	c.Faults = []CourseFault{{"storm", "stall_subscribers", 14.2, 1, []string{"subscriber-3"}}, {"storm", "kill_agents", 15, 40, []string{"a_0042", "a_0007"}}}
	return c
}

// hostile has names and texts from outside that want to be more than that, and
// figures that are none.
func hostile() Report {
	name := "</script><script>alert(1)</script>]]>\"'`|*_[x](http://example.org) @everyone #1 <!-- & \x00\x1b[31m\u202e\ufffe\xff\r\n| a | b |\n# head"
	step := Step{
		Name: name, Measurement: name, Component: name, Verdict: Fail, DurationSeconds: math.NaN(),
		Params: map[string]any{name: name, "table": []any{map[string]any{name: 1}}, "bad": math.Inf(1)},
		Metrics: map[string]Metric{
			name:                       {Value: name, Unit: name, Better: Better(name), Status: Status(name)},
			"=HYPERLINK(\"http://x\")": {Value: "=1+1", Unit: "text", Status: StatusInfo},
			"not_a_number":             {Value: math.NaN(), Unit: "ms", Samples: []float64{math.NaN(), math.Inf(1), 1}, Baseline: ptr(math.NaN()), Deviation: ptr(math.Inf(-1)), Status: StatusFail},
			"no_samples":               {Value: nil, Unit: "ms", Status: StatusFail, Distribution: &Distribution{}},
			strings.Repeat("long", 999): {
				Value: 1.0, Unit: "count", Samples: []float64{1, 1}, Baseline: ptr(1.0), Deviation: ptr(0.0), Status: StatusPass,
			},
		},
		Thresholds:      []Threshold{{Metric: name, Condition: name}, {Metric: "not_a_number", Condition: "< 1", Actual: ptr(math.NaN())}},
		Errors:          []Error{{Message: name, Count: math.MaxInt64, FirstAtSeconds: math.Inf(1)}, {Message: "panic: x\ngoroutine 1 [running]:\n\tmain.go:1", Count: 1}},
		Faults:          []Fault{{Fault: name, Injected: -1, FirstAtSeconds: ptr(math.NaN()), LastAtSeconds: ptr(math.Inf(1)), Hit: []Hit{{Name: name, Count: -1}}}},
		Probes:          map[probe.Name]Probe{probe.Name(name): {Min: math.NaN()}, "cpu_percent": {Max: math.Inf(1)}},
		Recommendations: []string{name},
	}
	r := run(Scenario{Name: name, Title: name, File: name, Verdict: Fail, Steps: []Step{step}})
	r.Scenarios = append(r.Scenarios, Scenario{Name: "no steps", Verdict: Verdict(name)})
	r.ID, r.Verdict, r.Grade, r.Score, r.DurationSeconds = name, Verdict(name), Grade(name), math.NaN(), math.Inf(1)
	r.Command, r.Recommendations = []string{name}, []string{name}
	r.Host.Kernel, r.Tool.Version = name, name
	r.Regression = &Regression{Baseline: name, Metrics: []RegressionMetric{{Scenario: name, Step: name, Metric: name, Verdict: "regressed", Old: ptr(math.NaN()), Note: name}}}
	return r
}

func hostileCourse() Course {
	c := course()
	c.Steps = append(c.Steps, CourseStep{Scenario: hostile().Scenarios[0].Name, Step: hostile().Scenarios[0].Steps[0].Name, From: 1, To: 20, Limits: []CourseLimit{
		{Metric: hostile().ID, Source: hostile().ID, Op: "<", Probe: "cpu_percent", Value: math.NaN()},
	}})
	c.Faults = append(c.Faults, CourseFault{Fault: hostile().ID, At: 5, Count: 1})
	c.Probes[probe.Name(hostile().ID)] = slices.Repeat([]float64{math.Inf(1)}, len(c.Times))
	c.Probes["rss_bytes"] = slices.Repeat([]float64{math.NaN()}, len(c.Times))
	return c
}

func written(t testing.TB, f Format, r Report, c Course) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, r, c, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormats(t *testing.T) {
	for name, r := range fixtures() {
		for _, f := range []struct {
			format Format
			ending string
		}{{FormatJUnit, ".xml"}, {FormatMarkdown, ".md"}, {FormatCSV, ".csv"}, {FormatHTML, ".html"}} {
			if f.format == FormatCSV && name != "odd" || f.format == FormatHTML && name != "fail" && name != "empty" {
				continue // nothing that others do not show
			}
			t.Run(name+f.ending, func(t *testing.T) {
				c := Course{}
				if name == "fail" {
					c = course()
				}
				golden(t, name+f.ending, written(t, f.format, r, c))
			})
		}
	}
}

// everything is each fixture and the hostile one, with and without a course.
func everything() map[string]Report {
	all := fixtures()
	all["hostile"] = hostile()
	return all
}

// wellFormed reads a document as XML, strictly, and tells its elements, with
// their attributes, and its text.
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

// A step that somebody steered says so in each format, and no other does.
func TestFormatsTellWhatWasSteered(t *testing.T) {
	says := map[Format]string{
		FormatText: "steered by hand", FormatMarkdown: "steered by hand", FormatHTML: "steered by hand",
		FormatJUnit: "steered by hand", FormatCSV: "storm,step,steered,value,,,true,bool", FormatJSON: `"steered": true`,
	}
	for _, f := range formats {
		for _, steered := range []bool{true, false} {
			step := storm()
			step.Steered = steered
			out := string(written(t, f.format, run(scenario("event-storm", "Event storm", step)), Course{}))
			if said := says[f.format]; said == "" || strings.Contains(out, said) != steered {
				t.Errorf("%s, steered %v: %q is not told as it should be in\n%s", f.format, steered, said, out)
			}
		}
	}
}

// A step whose metrics are not of all its repetitions says so in each format, and
// no other does.
func TestFormatsTellHowManyRepetitions(t *testing.T) {
	says := map[Format]string{
		FormatText: "2 of 5 repetitions", FormatMarkdown: "2 of 5 repetitions", FormatHTML: "metrics of 2 of 5 repetitions",
		FormatJUnit: "metrics of 2 of 5 repetitions", FormatCSV: "storm,step,repetitions_finished,value,,,2,count", FormatJSON: `"planned": 5`,
	}
	for _, f := range formats {
		for _, partial := range []bool{true, false} {
			step := storm()
			if partial {
				step.Repetitions = &Repetitions{Finished: 2, Planned: 5}
			}
			out := string(written(t, f.format, run(scenario("event-storm", "Event storm", step)), Course{}))
			if said := says[f.format]; said == "" || strings.Contains(out, said) != partial {
				t.Errorf("%s, partial %v: %q is not told as it should be in\n%s", f.format, partial, said, out)
			}
		}
	}
}

func TestJUnitIsValid(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			document := written(t, FormatJUnit, r, Course{})
			wellFormed(t, document)
			var suites junitSuites
			if err := xml.Unmarshal(document, &suites); err != nil {
				t.Fatal(err)
			}
			var total junitSuite
			for _, s := range suites.Suites {
				told := s
				s.Failures, s.Errors, s.Skipped = 0, 0, 0
				s.count()
				if s.Tests != told.Tests || s.Failures != told.Failures || s.Errors != told.Errors || s.Skipped != told.Skipped {
					t.Errorf("suite %s tells %d tests, %d failures, %d errors, %d skipped", s.Name, told.Tests, told.Failures, told.Errors, told.Skipped)
				}
				seen := map[string]bool{}
				for _, c := range s.Cases {
					if seen[c.Class+"\x00"+c.Name] {
						t.Errorf("case %s of %s is there twice", c.Name, c.Class)
					}
					seen[c.Class+"\x00"+c.Name] = true
				}
				total.Failures += s.Failures
				total.Errors += s.Errors
				total.Tests += s.Tests
				if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); s.Timestamp != "" && err != nil {
					t.Error(err)
				}
				if _, err := strconv.ParseFloat(s.Time, 64); s.Time != "" && err != nil {
					t.Error(err)
				}
			}
			if total.Tests == 0 || total.Tests != suites.Tests {
				t.Errorf("%d tests, told are %d", total.Tests, suites.Tests)
			}
			// Whoever looks at nothing but the counts must not take a run for a
			// good one that was not, or the other way round.
			good := (r.Verdict == Pass || r.Verdict == Warn) && r.Regression == nil
			if bad := suites.Failures+suites.Errors > 0; bad == good && r.Regression == nil {
				t.Errorf("verdict %s, but %d failures and %d errors", r.Verdict, suites.Failures, suites.Errors)
			}
		})
	}
}

// What stands in a step without an answer is neither passed nor failed.
func TestJUnitSkipsInconclusive(t *testing.T) {
	var suites junitSuites
	if err := xml.Unmarshal(written(t, FormatJUnit, inconclusive(), Course{}), &suites); err != nil {
		t.Fatal(err)
	}
	s := suites.Suites[0]
	if s.Errors != 1 || s.Failures != 0 || s.Skipped != s.Tests-1 || s.Skipped == 0 {
		t.Errorf("%d tests, %d errors, %d failures, %d skipped", s.Tests, s.Errors, s.Failures, s.Skipped)
	}
}

// A run can be worse than all of its steps, if not all of them were run.
func TestJUnitTellsWhatWasNotRun(t *testing.T) {
	r := passed()
	r.Scenarios[0].Verdict, r.Verdict = Broken, Broken
	r.Recommendations = []string{"not run: step last of agent-creation (scenario timeout of 1s)"}
	document := string(written(t, FormatJUnit, r, Course{}))
	if !strings.Contains(document, `errors="1"`) || !strings.Contains(document, "scenario timeout of 1s") {
		t.Error(document)
	}
	r = passed()
	r.Verdict = Interrupted
	if document := string(written(t, FormatJUnit, r, Course{})); !strings.Contains(document, `<error message="the verdict of the run is interrupted"`) {
		t.Error(document)
	}
}

func TestHTMLIsValid(t *testing.T) {
	for name, r := range everything() {
		for with, c := range map[string]Course{"without course": {}, "with course": hostileCourse()} {
			t.Run(name+" "+with, func(t *testing.T) {
				document := written(t, FormatHTML, r, c)
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

// All that a chart has to show is in it.
func TestHTMLCharts(t *testing.T) {
	elements, text := wellFormed(t, written(t, FormatHTML, failed(), course()))
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
		"threshold latency_ms.p99 < 5 ms", "baseline sustained_event_rate >= 8k/s", "threshold generosity < 100000 % lies far above the chart",
		"kill_agents ×40 (a_0042, a_0007 and 38 more) at 14.8 s", "action_p99_ms: mean 1.43 ms, most 7 ms", "goroutines: mean 200, most 200",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.Contains(text, "failed_per_second") {
		t.Error("a probe that was 0 all the time is drawn")
	}
}

// A line has a gap where nothing was read, and keeps every peak however many
// readings there are.
func TestPath(t *testing.T) {
	identity := func(v float64) float64 { return v }
	nan := math.NaN()
	if got, want := path([]float64{0, 1, 2, 3}, []float64{5, nan, 7, 8}, identity, identity), "M0.00 5.00M2.00 7.00L3.00 8.00"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 99), 1, 3000).Draw(t, "values")
		times := make([]float64, len(values))
		for i := range times {
			times[i] = float64(i)
		}
		got := path(times, values, identity, identity)
		if n := strings.Count(got, "L") + strings.Count(got, "M"); n > chartPoints {
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
			rows, err := csv.NewReader(bytes.NewReader(written(t, FormatCSV, r, hostileCourse()))).ReadAll()
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

// Each sample is there: of a metric by its repetition, of a probe by its time.
func TestCSVSamples(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(written(t, FormatCSV, failed(), course()))).ReadAll()
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

// Nothing in a table breaks it, whatever it is called.
func TestMarkdownTables(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			columns := 0
			for _, line := range strings.Split(string(written(t, FormatMarkdown, r, Course{})), "\n") {
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

func TestFormatsTellWriteErrors(t *testing.T) {
	for _, f := range Formats() {
		if err := Format(f).Write(brokenWriter{}, passed(), Course{}, TextOptions{}); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: error %v", f, err)
		}
	}
	if err := Format("pdf").Write(io.Discard, passed(), Course{}, TextOptions{}); err == nil || !strings.Contains(err.Error(), "text, json, junit, markdown, html, csv") {
		t.Errorf("error %v", err)
	}
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]Format{
		"a.json": FormatJSON, "a.txt": FormatText, "b/a.xml": FormatJUnit, "A.MD": FormatMarkdown, "a.b.html": FormatHTML, "a.csv": FormatCSV,
		"a.htm": "", "json": "", "": "", "a.": "",
	} {
		if got, ok := FormatOf(path); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, want %q", path, got, ok, want)
		}
	}
}

// The page has to be one that a browser shows, too.
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
	if err := os.WriteFile(file, written(t, FormatHTML, failed(), course()), 0o666); err != nil {
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
