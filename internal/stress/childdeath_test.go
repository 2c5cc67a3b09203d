package stress

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// The death of a child loses its current repetition. Earlier results are kept, and what
// follows runs in a new child.
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

// The results of the repetitions before the death are those of the step, which reports how
// many there are. Other steps lose nothing.
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

// A child that does not know the protocol is an error of the step, and nothing waits for it
// for long.
func TestStrangersAsChild(t *testing.T) {
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

// A step that needs its own process gets one for each repetition, while others run in this
// process. Its death affects no other step.
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

// A process that runs out of memory loses its repetition, unless the measurement makes a
// result of its death.
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

// A child that is asked to stop reports its results; one that does not stop is killed.
func TestChildStopsWhenAsked(t *testing.T) {
	for mode, says := range map[string]string{"ok": "interrupted in repetition 1", "hang": "did not stop within 3s", "freeze": "did not stop within 3s"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {duration: 1h, mode: "+mode+"}}\n")+"timeout: 2h\n")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var last *report.Report
			err := fold.WithReport(servedBy(t, "1").Source(plan)).Run(ctx, func(e stream.Event) {
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

// A child that exceeds the timeout of its scenario is killed, and the next scenario runs.
func TestChildThatHangs(t *testing.T) {
	t.Parallel()
	plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {mode: hang}}\n")+"timeout: 10s\n", "name: next\ntitle: Next\nsteps:\n  - {measure: probe}\n")
	began := time.Now()
	_, r := collect(context.Background(), t, servedBy(t, "1").Source(plan))
	if text := fmt.Sprint(r.Scenarios[0].Steps[0].Errors); !strings.Contains(text, "scenario timeout of 10s") || !strings.Contains(text, "did not stop within 3s") {
		t.Error(text)
	}
	if r.Verdict != report.Broken || r.Scenarios[1].Verdict != report.Pass {
		t.Errorf("%s; the next is %s", r.Verdict, r.Scenarios[1].Verdict)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// A process that ends takes everything that it has started with it.
func TestProcessLeavesNothing(t *testing.T) {
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
