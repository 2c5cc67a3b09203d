package stress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// childMode makes the test binary a child process that serves a run, or one that does not
// know how to.
const childMode = "MABEAM_TOP_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "garbage":
		fmt.Println("hello")
		time.Sleep(time.Hour)
	case "stranger": // who speaks JSON, but not of the job
		fmt.Println(`{"done": {"outcomes": []}}`)
		time.Sleep(time.Hour)
	case "chatter": // in a line without an end
		for hello := strings.Repeat("hello ", 1<<17); ; {
			fmt.Print(hello)
		}
	case "mute":
		os.Stdout.Close()
		time.Sleep(time.Hour) // without cgo, to wait for nothing is a deadlock
	case "deaf":
		os.Stdin.Close()
		time.Sleep(time.Hour)
	default:
		if err := ServeChild(context.Background(), probing(nil), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// die ends the process in the way that the mode asks for.
func die(ctx context.Context, mode string) error {
	switch mode {
	case "exit":
		os.Exit(7)
	case "kill":
		return signalSelf("-KILL")
	case "kill third":
		if repetitions.Add(1) == 3 {
			return signalSelf("-KILL")
		}
	case "panic elsewhere":
		go func() { panic("planned panic in another goroutine") }()
		<-ctx.Done()
	case "hog":
		return hog(ctx)
	case "hang":
		select {}
	case "freeze": // not even its sampler goes on
		return signalSelf("-STOP")
	case "close":
		return os.Stdout.Close()
	case "print":
		fmt.Println("hello")
	}
	return nil
}

// repetitions counts those that this process has carried out to die in the third.
var repetitions atomic.Int64

// The limits of a process of its own.
const (
	hogSoft = 64 << 20
	hogHard = 128 << 20
)

// hog takes memory for ever, after a while in which samples tell what it has.
func hog(ctx context.Context) error {
	if limit := debug.SetMemoryLimit(-1); limit != hogSoft {
		return fmt.Errorf("the soft limit is %d bytes", limit)
	}
	var held [][]byte
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 1 << 10 {
			piece[i] = 1
		}
		held = append(held, piece)
	}
	runtime.KeepAlive(held)
	return nil
}

// signalSelf sends this process a signal; it is for what goes by an
// identifier that not every platform knows.
func signalSelf(signal string) error {
	if err := exec.Command("kill", signal, strconv.Itoa(os.Getpid())).Run(); err != nil {
		return err
	}
	select {} // it comes
}

// childOf is a run in child processes of the test binary.
func childOf(t *testing.T, plan scenario.Plan) stream.Source {
	t.Setenv(childMode, "1")
	return isolated(t).Source(plan)
}

func isolated(t *testing.T) Engine {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Engine{
		Catalogue: probing(nil),
		Command:   []string{"the", "command"}, Tool: report.Tool{Version: "v"}, Baselines: verdict.Builtin(),
		Child: []string{executable}, Isolate: true,
	}
}

func TestChild(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 2, with: {operations: 20}, thresholds: {time_ms: '< 1000'}}\n"))
	events, r := collect(context.Background(), t, childOf(t, plan))
	if r.Verdict != report.Pass || len(r.Scenarios) != 1 {
		t.Fatalf("%+v", r)
	}
	step := r.Scenarios[0].Steps[0]
	if !step.Isolated || step.Operations.Succeeded != 40 || r.Scenarios[0].File != "0.yaml" || r.Command[0] != "the" || r.Tool.Version != "v" {
		t.Errorf("%+v of %+v", step, r)
	}
	if m := step.Metrics["time_ms"]; len(m.Samples) != 2 || m.Distribution.Count != 40 || m.Distribution.P50 < 2 || m.Value.(float64) < 2 {
		t.Errorf("actions of 2 ms: %+v, %+v", m, m.Distribution)
	}
	if len(step.Probes) == 0 || step.Probes["rss_bytes"].Mean < 1e6 {
		t.Errorf("probes %+v", step.Probes)
	}
	if !slices.ContainsFunc(events, func(e stream.Event) bool { return e.Sample["agents"] == 1 }) {
		t.Error("no sample tells of the system's agent")
	}
}

// A child process measures the same as this process.
func TestChildMeasuresTheSame(t *testing.T) {
	source := scenarioOf("  - {measure: probe, name: errors, repeat: 2, with: {mode: errors}}\n" +
		"  - {measure: probe, name: missing, with: {mode: missing}, thresholds: {missing: '< 1'}}\n" +
		"  - {measure: probe, name: fails, with: {mode: fail}}\n" +
		"  - {measure: probe, name: panics, with: {mode: panic}}\n" +
		"  - {measure: probe, name: faulty, with: {mode: stall, duration: 100ms}, warmup: 20ms}\n" +
		"  - parallel:\n      - {measure: probe, name: left}\n      - {measure: probe, name: right, repeat: 2}\n")
	plan := planOf(t, probing(nil), source)
	told := func(r report.Report) (all []string) {
		for _, s := range r.Scenarios[0].Steps {
			text := fmt.Sprintf("%s %s %v %v", s.Name, s.Verdict, s.Metrics["kind"].Value, s.Metrics["fine"].Value)
			if s.Name != "faulty" { // which lasts for a time
				text += fmt.Sprintf(" %+v", s.Operations)
			}
			for _, e := range s.Errors {
				first, _, _ := strings.Cut(e.Message, "\n")
				text += fmt.Sprintf(" %d × %s", e.Count, first)
			}
			all = append(all, text)
		}
		return all
	}
	_, here := collect(context.Background(), t, Engine{Catalogue: probing(nil), Baselines: verdict.Builtin()}.Source(plan))
	_, there := collect(context.Background(), t, childOf(t, plan))
	if !reflect.DeepEqual(told(here), told(there)) {
		t.Errorf("here\n%s\nin a child\n%s", strings.Join(told(here), "\n"), strings.Join(told(there), "\n"))
	}
}

// A threshold ends the loads of a child too.
func TestChildAborts(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {duration: 10m, mode: ok}, thresholds: {rate: {is: '> 1000', window: 300ms, abort: true}}}\n")+"timeout: 20m\n")
	_, r := collect(context.Background(), t, childOf(t, plan))
	step := r.Scenarios[0].Steps[0]
	if text := fmt.Sprint(step.Errors); step.Verdict != report.Fail || !strings.Contains(text, "stopped early") {
		t.Errorf("%s: %s", step.Verdict, text)
	}
	if rate := step.Metrics["rate"]; rate.Value == nil || rate.Value.(float64) > 500 {
		t.Errorf("what was measured until then is %+v", rate)
	}
}

// A child logs why it cannot inject a manual fault. A fault between loads is refused at
// once.
func TestManualFaultInAChild(t *testing.T) {
	t.Setenv(childMode, "1")
	engine := isolated(t)
	engine.Steerable = true
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 2, with: {operations: 1000}}\n"))
	source := engine.Source(plan)
	run := source.(stream.Steerable)
	stall := stream.Command{Do: stream.InjectFault, Fault: "stall_subscribers: 1"}
	if err := run.Command(stall); !errors.Is(err, fault.ErrNoLoad) {
		t.Errorf("before the run: %v", err)
	}
	told, asked := 0, 0
	err := source.Run(t.Context(), func(e stream.Event) {
		if e.Type == stream.SampleTaken && asked == 0 {
			asked++
			if err := run.Command(stall); err != nil {
				t.Errorf("while the load runs: %v", err)
			}
		}
		if e.Log != nil && strings.HasPrefix(e.Log.Message, "inject the fault stall_subscribers: 1: ") {
			told++
		}
	})
	if err != nil || told != 1 {
		t.Errorf("told %d times, %v", told, err)
	}
}

// An event that comes after its job has ended is passed on with the next job; any other late
// message is an error.
func TestLateMessages(t *testing.T) {
	late := logged("warn", "late")
	for _, test := range []struct {
		message message
		fine    bool
	}{
		{message{Job: 2, Result: &jobResult{Outcomes: make([]outcome, 1)}}, true},
		{message{Job: 1, Result: &jobResult{Outcomes: make([]outcome, 1)}}, false},
		{message{Job: 1, Event: &late}, true},
		{message{Job: 2, Result: &jobResult{}}, false},
		{message{Job: 1}, false},
	} {
		if err := test.message.check(2, 1); (err == nil) != test.fine {
			t.Errorf("%+v: %v", test.message, err)
		}
	}
}

// A child stops when its input ends, because its parent is gone.
func TestChildWithoutParent(t *testing.T) {
	in, parent := io.Pipe()
	out, child := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- ServeChild(context.Background(), probing(nil), in, child)
		child.Close()
	}()
	go func() {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {duration: 1h}}\n")+"timeout: 2h\n")
		lines := json.NewEncoder(parent)
		lines.Encode(setup{Plan: plan})
		lines.Encode(request{Job: &job{Number: 1, Parts: []part{{}}}})
	}()
	var last message
	for messages := json.NewDecoder(out); ; {
		var m message
		if err := messages.Decode(&m); err != nil {
			break
		}
		if m.Event != nil && m.Event.Type == stream.SampleTaken {
			parent.Close()
		}
		last = m
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if last.Result == nil || last.Result.Outcomes[0].Failure != "" || len(last.Result.Outcomes[0].Results) != 1 {
		t.Errorf("the last message is %+v", last)
	}
}

// longScenario is one of so many small steps. It is much larger with all defaults
// filled in.
func longScenario(steps int) string {
	var source strings.Builder
	source.WriteString("name: s\ntitle: S\nsteps:\n")
	for i := range steps {
		fmt.Fprintf(&source, "  - {measure: probe, name: step-%d}\n", i)
	}
	return source.String()
}

// The limits on scenario files do not apply to the plan that a child gets.
func TestChildTakesALargePlan(t *testing.T) {
	cat := probing(nil)
	plan := planOf(t, cat, longScenario(2000))
	source := scenario.Show(plan.Scenarios[0])
	if len(longScenario(2000)) > scenario.MaxSource || len(source) < scenario.MaxSource {
		t.Fatalf("the file has %d bytes, and with all defaults %d", len(longScenario(2000)), len(source))
	}
	line, err := json.Marshal(setup{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readSetup(cat.Descriptions(), bufio.NewReader(strings.NewReader(string(line)+"\n")))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Plan, plan) {
		t.Error("the child has another plan")
	}
}
