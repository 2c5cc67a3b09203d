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
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// childMode makes the test binary a child process that serves a run, or one
// that does not know how to.
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
		if err := ServeChild(context.Background(), probing(nil), verdict.Builtin().Components(), os.Stdin, os.Stdout); err != nil {
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

// What is measured in a child is what would be measured here.
func TestChildIsNoDifference(t *testing.T) {
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

// The death of a child costs the repetition that it was at. What was measured
// before is kept, and what follows runs in a new child.
func TestChildDies(t *testing.T) {
	for _, c := range []struct{ mode, says string }{
		{"exit", "exit status 7"},
		{"kill", "signal: killed"},
		{"panic elsewhere", "its standard error: panic: planned panic in another goroutine"},
		{"print", `it wrote "hello", which is not a message`},
		{"close", "file already closed"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: fine, repeat: 2}\n  - {measure: probe, name: deadly, with: {mode: "+c.mode+"}}\n  - {measure: probe, name: later}\n"),
				"name: next\ntitle: Next\nsteps:\n  - {measure: probe}\n")
			events, r := collect(context.Background(), t, servedBy(t, "1").Source(plan))
			if r.Verdict != report.Broken || len(r.Scenarios) != 2 || len(r.Scenarios[0].Steps) != 3 {
				t.Fatalf("%s, %+v", r.Verdict, r.Scenarios)
			}
			fine, deadly, later := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1], r.Scenarios[0].Steps[2]
			if fine.Verdict != report.Pass || len(fine.Metrics["rate"].Samples) != 2 || later.Verdict != report.Pass || r.Scenarios[1].Verdict != report.Pass {
				t.Errorf("fine %s, later %s, next %s", fine.Verdict, later.Verdict, r.Scenarios[1].Verdict)
			}
			if text := fmt.Sprint(deadly.Errors); deadly.Verdict != report.Broken || !strings.Contains(text, c.says) {
				t.Errorf("%s; it does not say how the child ended: %s", deadly.Verdict, text)
			}
			kinds := map[stream.Type]int{}
			for _, e := range events {
				kinds[e.Type]++
			}
			if kinds[stream.RunStarted] != 1 || kinds[stream.RunFinished] != 1 || kinds[stream.StepFinished] != 4 || kinds[stream.ScenarioFinished] != 2 {
				t.Errorf("it is not one stream: %v", kinds)
			}
		})
	}
}

// What the repetitions before the death said is the step's, and is told as being of
// so many of them; the steps beside it lose nothing.
func TestChildDiesInALaterRepetition(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: deadly, repeat: 4, with: {mode: kill third}}\n  - {measure: probe, name: beside, repeat: 4}\n"),
		"name: next\ntitle: Next\nsteps:\n  - {measure: probe}\n")
	_, r := collect(context.Background(), t, servedBy(t, "1").Source(plan))
	deadly, beside := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
	if deadly.Verdict != report.Broken || len(deadly.Metrics["rate"].Samples) != 2 || deadly.Repetitions == nil || *deadly.Repetitions != (report.Repetitions{Finished: 2, Planned: 4}) {
		t.Errorf("deadly: %s, %+v of %+v", deadly.Verdict, deadly.Metrics["rate"], deadly.Repetitions)
	}
	if beside.Verdict != report.Pass || len(beside.Metrics["rate"].Samples) != 4 || beside.Repetitions != nil || r.Scenarios[1].Verdict != report.Pass {
		t.Errorf("beside: %s, %+v of %+v; next: %s", beside.Verdict, beside.Metrics["rate"], beside.Repetitions, r.Scenarios[1].Verdict)
	}
}

// servedBy is an engine whose children are of that mode, for tests that run
// beside others.
func servedBy(t *testing.T, mode string) Engine {
	e := isolated(t)
	e.Child = append([]string{"env", childMode + "=" + mode}, e.Child...)
	return e
}

// A child that does not know how to serve is an error of the step, and nothing
// waits for it for long.
func TestChildThatIsNone(t *testing.T) {
	for mode, says := range map[string]string{
		"garbage":  `it wrote "hello", which is not a message`,
		"stranger": "it sent a message that is not about its job",
		"chatter":  "token too long",
		"mute":     "it closed its output and did not exit",
		"deaf":     "did not stop within 3s",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe}\n")+"timeout: 1s\n")
			_, r := collect(context.Background(), t, servedBy(t, mode).Source(plan))
			step := r.Scenarios[0].Steps[0]
			if text := fmt.Sprint(step.Errors); step.Verdict != report.Broken || !strings.Contains(text, says) {
				t.Errorf("%s, %s does not say %q", step.Verdict, text, says)
			}
		})
	}
}

func TestChildThatCannotStart(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe}\n"))
	_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil), Isolate: true, Child: []string{"/no/such/program"}}.Source(plan))
	if text := fmt.Sprint(r.Scenarios[0].Steps[0].Errors); r.Verdict != report.Broken || !strings.Contains(text, "/no/such/program") {
		t.Errorf("%s: %s", r.Verdict, text)
	}
}

// What needs a process of its own gets one for each repetition, beside what
// runs here; its death costs nothing else.
func TestOwnProcess(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: here, repeat: 3, with: {mode: fail}}\n"+
		"  - {measure: probe, name: own, repeat: 3, with: {mode: own ok}}\n  - {measure: probe, name: deadly, with: {mode: own kill}}\n"))
	e := servedBy(t, "1")
	e.Isolate = false
	_, r := collect(context.Background(), t, e.Source(plan))
	here, own, deadly := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1], r.Scenarios[0].Steps[2]
	if here.Isolated || !own.Isolated || !deadly.Isolated {
		t.Errorf("isolated: here %v, own %v, deadly %v", here.Isolated, own.Isolated, deadly.Isolated)
	}
	if own.Verdict != report.Pass || len(own.Metrics["rate"].Samples) != 3 || deadly.Verdict != report.Broken {
		t.Errorf("own %s with %+v, deadly %s", own.Verdict, own.Metrics["rate"], deadly.Verdict)
	}
	e.Child = nil
	_, r = collect(context.Background(), t, e.Source(plan))
	if text := fmt.Sprint(r.Scenarios[0].Steps[1].Errors); !strings.Contains(text, "needs its own process, and this run cannot start any") {
		t.Error(text)
	}
}

// A process that runs out of memory costs its repetition, and is a result if its
// measurement makes one of it.
func TestOutOfMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no hard limit on memory here")
	}
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: dies, with: {mode: own hog}}\n"+
		"  - {measure: probe, name: told, repeat: 2, with: {mode: own hog told}, thresholds: {fine: '== false'}}\n  - {measure: probe, name: later}\n"))
	e := servedBy(t, "1")
	e.Isolate = false
	events, r := collect(context.Background(), t, e.Source(plan))
	dies, told, later := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1], r.Scenarios[0].Steps[2]
	if text := fmt.Sprint(dies.Errors); dies.Verdict != report.Broken || !strings.Contains(text, "died: out of memory; ") {
		t.Errorf("%s: %s", dies.Verdict, text)
	}
	if kind := told.Metrics["kind"].Value; told.Verdict != report.Pass || !strings.HasPrefix(fmt.Sprint(kind), "out of memory: true") {
		t.Errorf("%s: %v, %+v", told.Verdict, kind, told.Errors)
	}
	// By a limit on the process it is somewhat more, as that counts what is
	// mapped.
	for _, peak := range told.Metrics["rate"].Samples {
		if peak < hogHard-16<<20 || peak > hogHard+128<<20 {
			t.Errorf("the peak was %.0f MiB, with a limit of %d", peak/(1<<20), hogHard>>20)
		}
	}
	if n := len(told.Metrics["rate"].Samples); n != 2 || told.Operations != (report.Operations{Attempted: 2, Failed: 2}) {
		t.Errorf("%d samples, %+v", n, told.Operations)
	}
	// The last second was on the stream, and is in the step's probes.
	if rss := told.Probes["rss_bytes"]; rss.Max < hogHard/2 {
		t.Errorf("probes %+v", rss)
	}
	if later.Verdict != report.Pass || later.Isolated {
		t.Errorf("later: %s", later.Verdict)
	}
	for _, says := range []string{"memory of the child process to", "dies, repetition 1: the child process died: out of memory"} {
		if !slices.ContainsFunc(events, func(e stream.Event) bool { return e.Log != nil && strings.Contains(e.Log.Message, says) }) {
			t.Errorf("the log does not say %q", says)
		}
	}
}

// A child that is told to stop says what it has done; one that does not heed is
// killed.
func TestChildStops(t *testing.T) {
	for mode, says := range map[string]string{"ok": "interrupted in repetition 1", "hang": "did not stop within 3s", "freeze": "did not stop within 3s"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {duration: 1h, mode: "+mode+"}}\n")+"timeout: 2h\n")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var last *report.Report
			err := servedBy(t, "1").Source(plan).Run(ctx, func(e stream.Event) {
				if e.Type == stream.SampleTaken {
					cancel()
				}
				last = e.Report
			})
			if err != nil {
				t.Fatal(err)
			}
			if last == nil || last.Verdict != report.Interrupted {
				t.Fatalf("%+v", last)
			}
			step := last.Scenarios[0].Steps[0]
			if text := fmt.Sprint(step.Errors); !strings.Contains(text, says) {
				t.Errorf("%s does not say %q", text, says)
			}
			if o := step.Operations; o.Attempted != o.Succeeded {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A child that does not end its scenario in time is killed, and the next
// scenario runs.
func TestChildThatHangs(t *testing.T) {
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {mode: hang}}\n")+"timeout: 1s\n", "name: next\ntitle: Next\nsteps:\n  - {measure: probe}\n")
	began := time.Now()
	_, r := collect(context.Background(), t, childOf(t, plan))
	if text := fmt.Sprint(r.Scenarios[0].Steps[0].Errors); !strings.Contains(text, "scenario timeout of 1s") || !strings.Contains(text, "did not stop within 3s") {
		t.Error(text)
	}
	if r.Verdict != report.Broken || r.Scenarios[1].Verdict != report.Pass {
		t.Errorf("%s; the next is %s", r.Verdict, r.Scenarios[1].Verdict)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// A threshold ends the loads of a child, too.
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

// What a process of its own cannot do of what it was asked by hand, it tells;
// what is asked of it when it cannot take it is refused at once.
func TestFaultByHandInAChild(t *testing.T) {
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

// An event that comes after its job is told with the next, and nothing else of
// it is taken.
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

// A process takes with it all that it has started.
func TestNothingIsLeftOfAChild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems tell otherwise what processes there are")
	}
	p, err := startProcess([]string{"sh", "-c", "sleep 3600 & echo '{\"at\": '$!'}'; exit 3"}, scenario.MemoryLimits{})
	if err != nil {
		t.Fatal(err)
	}
	m := <-p.messages
	if death := p.died(""); !strings.Contains(death.Error(), "exit status 3") {
		t.Error(death)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		// One that was killed may still wait for its parent, or whoever took
		// its place, to ask how it ended.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.At))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it still runs: %s", stat)
		}
	}
}

// A child whose input ends has lost its parent, and stops.
func TestChildWithoutParent(t *testing.T) {
	in, parent := io.Pipe()
	out, child := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- ServeChild(context.Background(), probing(nil), verdict.Builtin().Components(), in, child)
		child.Close()
	}()
	go func() {
		source := scenarioOf("  - {measure: probe, with: {duration: 1h}}\n") + "timeout: 2h\n"
		lines := json.NewEncoder(parent)
		lines.Encode(setup{Documents: []setupDocument{{File: "f", Source: source}}})
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

// A histogram is the same on the other side of a pipe.
func TestHistogramAsJSON(t *testing.T) {
	h := load.NewHistogram()
	for _, d := range []time.Duration{0, 1, 17, time.Millisecond, time.Second, 2 * time.Hour, time.Millisecond} {
		h.Record(d)
	}
	text, err := json.Marshal(sample{Value: 1.5, Histogram: h})
	if err != nil {
		t.Fatal(err)
	}
	var back sample
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := back.Histogram.Distribution(), h.Distribution(); *got != *want || back.Value != 1.5 {
		t.Errorf("%+v, want %+v", got, want)
	}
	back.Histogram.Merge(h)
	if back.Histogram.Count() != 14 {
		t.Errorf("%d values", back.Histogram.Count())
	}
	if err := json.Unmarshal([]byte(`{"buckets": {"-1": 1}}`), load.NewHistogram()); err == nil {
		t.Error("a bucket that there is not was taken")
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

// What this program writes for a child is not held against the limits on files that
// others have written.
func TestChildTakesALargePlan(t *testing.T) {
	cat := probing(nil)
	plan := planOf(t, cat, longScenario(2000))
	source := scenario.Show(plan.Scenarios[0])
	if len(longScenario(2000)) > scenario.MaxSource || len(source) < scenario.MaxSource {
		t.Fatalf("the file has %d bytes, and with all defaults %d", len(longScenario(2000)), len(source))
	}
	line, err := json.Marshal(setup{Documents: []setupDocument{{File: plan.Scenarios[0].File, Source: string(source)}}})
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := readSetup(cat.Descriptions(), verdict.Builtin().Components(), bufio.NewReader(strings.NewReader(string(line)+"\n")))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Scenarios[0].Groups, plan.Scenarios[0].Groups) {
		t.Error("the child has another plan")
	}
}
