package fold

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

var update = flag.Bool("update", false, "write the golden files anew")

// watchedRun is a run of two scenarios with a sample every 0.1 s, of which one
// fails and the other cannot be measured.
func watchedRun() []stream.Event {
	failed := report.Step{
		Name: "load", Verdict: report.Fail, DurationSeconds: 7.4,
		Thresholds: []report.Threshold{{Metric: "latency_ms.p99", Condition: "< 5"}, {Metric: "dropped", Condition: "== 0", OK: true}},
		Metrics: map[string]report.Metric{
			"agents_per_second": {Value: 812.0, Unit: "1/s", Status: report.StatusFail},
			"success_rate":      {Value: 1.0, Unit: "ratio", Status: report.StatusPass},
		},
	}
	broken := report.Step{Name: "calm", Verdict: report.Broken, DurationSeconds: 0.6, Errors: []report.Error{{Message: "was there before", Count: 1}, {Message: "agent\x1b[2J crashed\nstack", Count: 1}}}
	events := []stream.Event{
		{T: 0, Type: stream.RunStarted, Run: &stream.Run{Scenarios: []string{"storm", "calm"}, EstimateSeconds: 12}},
		{T: 0, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "storm", EstimateSeconds: 10}},
		{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "load", Repeat: 2}},
		{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "lookups", Repeat: 2}},
		{T: 0.1, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 0, Of: 2}},
	}
	for i := 2; i < 74; i++ {
		t := float64(i) / 10
		switch i {
		case 10:
			events = append(events, stream.Event{T: t, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 1, Of: 2}})
		case 30:
			events = append(events, stream.Event{T: t, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "not for the shell"}},
				stream.Event{T: t, Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: "samples dropped: 7"}})
		case 40:
			events = append(events, stream.Event{T: t, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 2, Of: 2}},
				stream.Event{T: t, Type: stream.StepFinished, StepResult: &report.Step{Name: "lookups", Verdict: report.Pass, DurationSeconds: 4}})
		}
		events = append(events, stream.Event{T: t, Type: stream.SampleTaken, Sample: probe.Sample{"completed_per_second": 19_800 + float64(i)}})
	}
	return append(events,
		stream.Event{T: 7.4, Type: stream.StepFinished, StepResult: &failed},
		stream.Event{T: 7.4, Type: stream.ScenarioFinished, ScenarioResult: &report.Scenario{Name: "storm"}},
		stream.Event{T: 7.4, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "calm", EstimateSeconds: 2}},
		stream.Event{T: 7.4, Type: stream.StepStarted, Step: &stream.Step{Name: "calm", Repeat: 1}},
		stream.Event{T: 7.5, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "calm", Number: 1, Of: 1}},
		stream.Event{T: 7.6, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 1}},
		stream.Event{T: 8, Type: stream.StepFinished, StepResult: &broken},
		stream.Event{T: 8, Type: stream.ScenarioFinished, ScenarioResult: &report.Scenario{Name: "calm"}},
		stream.Event{T: 8, Type: stream.RunFinished, Report: &report.Report{}},
	)
}

func width(columns int) func() int { return func() int { return columns } }

func TestProgress(t *testing.T) {
	for name, p := range map[string]*Progress{
		"plain":       {},
		"terminal":    {Width: width(100)},
		"terminal-40": {Width: width(40)},
		"ascii":       {Width: width(100), ASCII: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p.Out = &out
			for _, e := range watchedRun() {
				p.Add(e)
			}
			p.Close()
			// Each drawing on a line of its own, and spaces visible.
			got := strings.ReplaceAll(out.String(), "\r", "␍\n")
			golden(t, "progress-"+name+".txt", strings.ReplaceAll(got, " \n", "·\n"))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// screen is what a terminal of one line shows after a text, and whether a line
// was longer than the terminal.
func screen(text string, columns int) (shown string, tooLong bool) {
	for line := range strings.SplitSeq(text, "\n") {
		shown = ""
		for drawing := range strings.SplitSeq(line, "\r") {
			if (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(drawing) >= max(columns, 1) {
				tooLong = true
			}
			if rest := []rune(shown); len(rest) > len([]rune(drawing)) {
				drawing += string(rest[len([]rune(drawing)):])
			}
			shown = drawing
		}
	}
	return strings.TrimSpace(shown), tooLong
}

// Whatever is told, and however narrow the terminal is or becomes, no line is
// wider, and nothing is left when it is over.
func TestProgressFitsTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(0, 200).Draw(t, "columns")
		var out strings.Builder
		p := &Progress{Out: &out, Width: width(columns)}
		for _, e := range watchedRun() {
			p.Add(e)
		}
		for range rapid.IntRange(0, 20).Draw(t, "more") {
			p.Add(stream.Event{T: 8, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: rapid.StringMatching(`[a-z世界-]{0,40}`).Draw(t, "name")}})
			p.Add(stream.Event{T: rapid.Float64Range(8, 1e6).Draw(t, "t"), Type: stream.SampleTaken})
			p.Add(stream.Event{T: 8, Type: stream.Logged, Log: &stream.Log{Level: "error", Message: rapid.String().Draw(t, "message")}})
		}
		p.Close()
		if shown, tooLong := screen(out.String(), columns); tooLong || shown != "" {
			t.Fatalf("%d columns: too long: %v, left: %q\n%q", columns, tooLong, shown, out.String())
		}
	})
}

// Times and estimates that make no sense are no reason to fall over.
func TestProgressOfAnOddRun(t *testing.T) {
	for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5, 0} {
		var out strings.Builder
		p := &Progress{Out: &out, Width: width(80)}
		p.Add(stream.Event{T: odd, Type: stream.RunStarted, Run: &stream.Run{EstimateSeconds: odd}})
		p.Add(stream.Event{T: odd, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "odd", EstimateSeconds: odd}})
		p.Add(stream.Event{T: 3, Type: stream.SampleTaken, Sample: probe.Sample{"completed_per_second": odd}})
		if got := out.String(); !strings.Contains(got, "  0:03  odd") || strings.Contains(got, "ops/s") {
			t.Errorf("%v: %q", odd, got)
		}
	}
}

func ExampleProgress() {
	p := &Progress{Out: os.Stdout}
	p.Add(stream.Event{T: 0, Type: stream.RunStarted, Run: &stream.Run{EstimateSeconds: 60}})
	p.Add(stream.Event{T: 0, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "agent-creation", EstimateSeconds: 60}})
	p.Add(stream.Event{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "agent-creation", Repeat: 5}})
	p.Add(stream.Event{T: 1, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "agent-creation", Number: 1, Of: 5}})
	p.Add(stream.Event{T: 6, Type: stream.SampleTaken, Sample: probe.Sample{"completed_per_second": 250_000}})
	p.Close()
	fmt.Println("done")
	// Output:
	// 0:06 of ~1:00  agent-creation  repetition 1 of 5  250k ops/s
	// done
}
