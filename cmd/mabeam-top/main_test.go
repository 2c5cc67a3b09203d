package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// The test binary is also the program, if it is called mabeam-top.
func TestMain(m *testing.M) {
	// Most of the tests wait for a program, so more of them than CPUs can run at a time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"mabeam-top": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			// With the race detector, the exit of a program would take a second.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cut":      cut,
			"exits":    exits,
			"profiled": profiled,
			"valid":    valid,
		},
		Condition: func(name string) (bool, error) {
			if name != "devfull" {
				return false, fmt.Errorf("unknown condition %s", name)
			}
			_, err := os.Stat("/dev/full")
			return err == nil, nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// cut copies a file without its last bytes: cut FILE BYTES COPY
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut FILE BYTES COPY")
	}
	text := ts.ReadFile(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text[:len(text)-n]), 0o666))
}

// exits runs a program and checks its exit code: exits CODE PROGRAM ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// profiled searches a profile for a function: profiled FILE TYPE REGEXP
func profiled(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] profiled FILE TYPE REGEXP")
	}
	p, err := profile.ParseData([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == args[1] })
	if at < 0 {
		ts.Fatalf("no samples of type %s, only of %v", args[1], p.SampleType)
	}
	function := regexp.MustCompile(args[2])
	sum := int64(0)
	for _, s := range p.Sample {
		if slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
			return slices.ContainsFunc(l.Line, func(line profile.Line) bool { return function.MatchString(line.Function.Name) })
		}) {
			sum += s.Value[at]
		}
	}
	if (sum > 0) == neg {
		ts.Fatalf("%d of %s in %s", sum, args[1], args[2])
	}
}

// valid validates each JSON document of a file with a JSON Schema: valid SCHEMA FILE
func valid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: valid SCHEMA FILE")
	}
	schema, err := compile(ts.ReadFile(args[0]))
	ts.Check(err)
	documents := []string{ts.ReadFile(args[1])}
	if strings.HasSuffix(args[1], ".jsonl") {
		documents = strings.Split(strings.TrimSuffix(documents[0], "\n"), "\n")
	}
	for _, text := range documents {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		ts.Check(err)
		if err := schema.Validate(document); err != nil {
			ts.Fatalf("%v\nin %s", err, text)
		}
	}
}

func compile(schema string) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:schema", document); err != nil {
		return nil, err
	}
	return c.Compile("urn:schema")
}

// longRun is a short scenario, whose events fill a pipe, and one that takes longer than
// any test waits.
const longRun = `
name: short
title: Short
steps:
  - measure: registry-operations
    name: moment
    with: {lookup: 10, register: 10, unregister: 10, agents: 1, concurrency: 1}
    baseline: none
    thresholds: {concurrent_operations_per_sec: "> 0"}
    repeat: 60
---
name: long
title: Long
timeout: 10m
steps:
  - measure: event-stress
    name: ages
    with: {rate: 100/s, duration: 5m, burst: 100/s, subscribers: 1}
    baseline: none
    thresholds: {events_processed: "> 0"}
`

// A program is a running program.
type program struct {
	*exec.Cmd
	folder string
	stderr *bufio.Scanner
	output strings.Builder
}

// start starts the program with the long run.
func start(t *testing.T, stdout io.Writer, args ...string) *program {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send to a process")
	}
	p := &program{folder: t.TempDir()}
	file := filepath.Join(p.folder, "long.yaml")
	if err := os.WriteFile(file, []byte(longRun), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // in case it hangs
	t.Cleanup(cancel)
	p.Cmd = exec.CommandContext(ctx, "mabeam-top", append([]string{"-f", file}, args...)...)
	p.Env = append(os.Environ(), "XDG_STATE_HOME="+p.folder)
	p.Stdout = stdout
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stderr = bufio.NewScanner(stderr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// inAges matches the progress, printed every 5 s, once the second scenario has
// completed operations.
const inAges = "  long/ages  .*[1-9].* ops/s"

// until reads standard error until a line matches.
func (p *program) until(t *testing.T, expression string) {
	t.Helper()
	line := regexp.MustCompile(expression)
	for p.stderr.Scan() {
		p.output.WriteString(p.stderr.Text() + "\n")
		if line.Match(p.stderr.Bytes()) {
			return
		}
	}
	t.Fatalf("%q is not in the output:\n%s", expression, p.output.String())
}

func (p *program) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end of the program and checks its exit code.
func (p *program) ends(t *testing.T, code int) {
	t.Helper()
	for p.stderr.Scan() {
		p.output.WriteString(p.stderr.Text() + "\n")
	}
	_ = p.Wait() // the exit code is checked
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d; output:\n%s", got, code, p.output.String())
	}
}

// The first signal stops the load, and the report covers what was measured.
func TestSignalOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signal syscall.Signal
		code   int
		args   []string
	}{
		"interrupted":               {syscall.SIGINT, 130, []string{"--json"}},
		"terminated":                {syscall.SIGTERM, 143, []string{"--events"}},
		"terminal closed":           {syscall.SIGHUP, 143, []string{"--events"}},
		"with a child, interrupted": {syscall.SIGINT, 130, []string{"--events", "--isolate", "always"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, stdout, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			text := filepath.Join(t.TempDir(), "report.txt")
			p := start(t, stdout, append([]string{"-o", text}, c.args...)...)
			stdout.Close()
			var r report.Report
			if c.args[0] == "--json" {
				p.until(t, inAges)
				p.signal(t, c.signal)
				r, err = report.Read(in)
			} else {
				r, err = p.lastEvent(t, in, c.signal)
			}
			if err != nil {
				t.Fatal(err)
			}
			p.ends(t, c.code)
			if r.Verdict != report.Interrupted || len(r.Scenarios) != 2 || len(r.Scenarios[0].Steps) != 1 || len(r.Scenarios[1].Steps) != 1 {
				t.Fatalf("report: %s, %+v", r.Verdict, r.Scenarios)
			}
			moment, ages := r.Scenarios[0].Steps[0], r.Scenarios[1].Steps[0]
			if moment.Verdict != report.Pass || len(moment.Metrics) == 0 || ages.Verdict != report.Interrupted {
				t.Errorf("steps: %s with %d metrics, %s", moment.Verdict, len(moment.Metrics), ages.Verdict)
			}
			if file, err := os.ReadFile(text); err != nil || !strings.HasPrefix(string(file), "INTERRUPTED") {
				t.Errorf("-o: %v, %.80s", err, file)
			}
			if kept, err := filepath.Glob(filepath.Join(p.folder, "mabeam-top", "runs", "*.json")); err != nil || len(kept) != 1 {
				t.Errorf("past runs: %v, %v", kept, err)
			}
		})
	}
}

// lastEvent reads the events, sends the signal once the second scenario runs, and
// returns the report that the stream ends with.
func (p *program) lastEvent(t *testing.T, in io.Reader, s os.Signal) (report.Report, error) {
	t.Helper()
	events := stream.NewReader(in)
	for {
		e, err := events.Read()
		switch {
		case err != nil:
			return report.Report{}, err
		case e.Type == stream.RepetitionStarted && e.Repetition.Step == "ages":
			p.signal(t, s)
		case e.Type == stream.RunFinished:
			return *e.Report, nil
		}
	}
}

// The second signal ends the program at once, even if it is blocked: here nobody reads
// its events.
func TestSignalTwice(t *testing.T) {
	t.Parallel()
	endAtOnce(t, syscall.SIGINT)
}

// endAtOnce ends the program, whose events nobody reads, with two signals.
func endAtOnce(t *testing.T, first syscall.Signal, args ...string) {
	t.Helper()
	unread, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	defer stdout.Close()
	p := start(t, stdout, append([]string{"--events"}, args...)...)
	p.until(t, inAges)
	p.signal(t, first)
	p.until(t, "INTERRUPTED  long/ages")
	time.Sleep(repeatWindow + 100*time.Millisecond) // an earlier signal counts as a repeat
	p.signal(t, syscall.SIGTERM)
	p.ends(t, 143)
}

// A run stops when nobody reads its events anymore.
func TestClosedStandardOutput(t *testing.T) {
	t.Parallel()
	in, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, stdout, "--events")
	stdout.Close()
	if e, err := stream.NewReader(in).Read(); err != nil || e.Type != stream.RunStarted {
		t.Errorf("%+v, %v", e, err)
	}
	in.Close()
	p.ends(t, 3)
	if !strings.Contains(p.output.String(), "broken pipe") {
		t.Errorf("output:\n%s", p.output.String())
	}
}

// The metrics page exists during the run. Another run cannot use its port.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "--headless", "--metrics", "0")
	p.until(t, "serving metrics on ")
	_, url, _ := strings.Cut(p.output.String(), "serving metrics on ")
	url, _, _ = strings.Cut(url, "\n")
	p.until(t, inAges)
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`mabeam_step_running{measurement="event-stress",scenario="long",step="ages"} 1`, "mabeam_goroutines ", `mabeam_run_steps_finished{verdict="pass"} 1`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%s is not on the page:\n%s", want, page)
		}
	}
	address := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	other := start(t, nil, "--headless", "--metrics", address)
	other.ends(t, 2)
	if output := other.output.String(); !strings.HasPrefix(output, "mabeam-top: --metrics: ") || strings.Count(output, "\n") != 1 || !strings.Contains(output, "in use") {
		t.Errorf("output with the port in use:\n%s", output)
	}
	p.signal(t, syscall.SIGINT)
	p.ends(t, 130)
	if _, err := http.Get(url); err == nil {
		t.Error("the page still exists after the run")
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		verdict report.Verdict
		signal  os.Signal
		want    int
	}{
		{report.Pass, nil, 0},
		{report.Warn, nil, 0},
		{report.Fail, nil, 1},
		{report.Inconclusive, nil, 3},
		{report.Broken, nil, 3},
		{report.Interrupted, syscall.SIGINT, 130},
		{report.Interrupted, syscall.SIGTERM, 143},
		{report.Interrupted, syscall.SIGHUP, 143},
		{report.Interrupted, nil, 130}, // by a key of the UI
		{report.Pass, syscall.SIGINT, 0},
		{report.Fail, syscall.SIGTERM, 1},
		{"", nil, 3},
	} {
		if got := exitCode(c.verdict, c.signal); got != c.want {
			t.Errorf("verdict %q, signal %v: exit code %d, want %d", c.verdict, c.signal, got, c.want)
		}
	}
}
