package fold

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"
)

func sampleAt(t, v float64) stream.Event {
	return stream.Event{T: t, Type: stream.SampleTaken, Sample: probe.Sample{"goroutines": v}}
}

func fold(events ...stream.Event) *Snapshot {
	var t Timeline
	for _, e := range events {
		t.Add(e)
	}
	return t.Snapshot()
}

func TestTimelineFollowsARun(t *testing.T) {
	limits := []stream.Limit{{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5}}
	storm := &stream.Step{Name: "storm", Limits: limits, Repeat: 2}
	result := &report.Step{Name: "storm", Verdict: report.Warn}
	final := &report.Report{Verdict: report.Warn}
	s := fold(
		stream.Event{Type: stream.RunStarted, Run: &stream.Run{ID: "r", EstimateSeconds: 10}},
		stream.Event{T: 0.1, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "event-storm", Steps: []string{"storm", "calm"}}},
		stream.Event{T: 0.2, Type: stream.StepStarted, Step: storm},
		stream.Event{T: 0.3, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "storm", Number: 0, Of: 2}},
		stream.Event{T: 0.4, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "storm", Number: 1, Of: 2}},
		sampleAt(0.5, 7),
		stream.Event{T: 0.6, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "storm", Fault: "kill_agents", Target: "a_1"}},
		stream.Event{T: 0.65, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "storm", Fault: "kill_agents", Target: "a_2"}},
		stream.Event{T: 0.9, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "storm", Fault: "kill_agents"}},
		stream.Event{T: 0.95, Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: "slow"}},
		stream.Event{T: 1, Type: stream.StepFinished, StepResult: result},
		stream.Event{T: 1.1, Type: stream.StepStarted, Step: &stream.Step{Name: "calm"}},
		stream.Event{T: 2, Type: stream.ScenarioFinished, ScenarioResult: &report.Scenario{Name: "event-storm"}},
		stream.Event{T: 2, Type: stream.RunFinished, Report: final},
	)
	if s.Events != 14 || s.T != 2 || s.Run.ID != "r" || s.ScenarioNumber != 1 || s.Report != final || len(s.Results) != 1 {
		t.Errorf("run: %+v", s)
	}
	if len(s.Steps) != 2 || s.Steps[0].Result != result || s.Steps[0].FinishedAt != 1 || s.Steps[0].Repetition.Number != 1 || s.Steps[0].Scenario != "event-storm" {
		t.Errorf("steps: %+v", s.Steps)
	}
	if active := s.Active(); len(active) != 1 || active[0].Step.Name != "calm" {
		t.Errorf("active: %+v", active)
	}
	wantMarks := []Mark{
		{T: 0.2, Type: stream.StepStarted, Step: "storm", Text: "storm", Count: 1},
		{T: 0.3, Type: stream.RepetitionStarted, Step: "storm", Text: "warm-up", Count: 1},
		{T: 0.4, Type: stream.RepetitionStarted, Step: "storm", Text: "repetition 1", Count: 1},
		{T: 0.6, Type: stream.FaultInjected, Step: "storm", Text: "kill_agents", Count: 2, Targets: []string{"a_1", "a_2"}},
		{T: 0.9, Type: stream.FaultInjected, Step: "storm", Text: "kill_agents", Count: 1},
		{T: 1.1, Type: stream.StepStarted, Step: "calm", Text: "calm", Count: 1},
	}
	if !reflect.DeepEqual(s.Marks, wantMarks) {
		t.Errorf("marks:\n got %v\nwant %v", s.Marks, wantMarks)
	}
	if s.Faults["kill_agents"] != 3 {
		t.Errorf("faults: %v", s.Faults)
	}
	if len(s.Log) != 1 || s.Log[0].T != 0.95 || s.Log[0].Message != "slow" {
		t.Errorf("log: %v", s.Log)
	}
	if v, ok := s.Latest("goroutines"); !ok || v != 7 {
		t.Errorf("latest = %v, %v", v, ok)
	}
}

// A step of the same name in a later scenario is another step.
func TestTimelineSameStepNameAgain(t *testing.T) {
	first, second := &report.Step{Name: "a", Score: 1}, &report.Step{Name: "a", Score: 2}
	s := fold(
		stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "a"}},
		stream.Event{Type: stream.StepFinished, StepResult: first},
		stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "a"}},
		stream.Event{Type: stream.StepFinished, StepResult: second},
		stream.Event{Type: stream.StepFinished, StepResult: &report.Step{Name: "a", Score: 3}},
	)
	if s.Steps[0].Result != first || s.Steps[1].Result != second {
		t.Errorf("steps: %+v", s.Steps)
	}
}

// Steps of one group run at the same time and finish in any order.
func TestTimelineParallelSteps(t *testing.T) {
	s := fold(
		stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "a"}},
		stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "b"}},
		stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "a", Number: 1}},
		stream.Event{Type: stream.StepFinished, StepResult: &report.Step{Name: "a"}},
	)
	if a := s.Active(); len(a) != 1 || a[0].Step.Name != "b" || a[0].Repetition != nil {
		t.Errorf("active: %+v", a)
	}
}

func TestTimelineSurvivesBrokenEvents(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	s := fold(
		stream.Event{T: 1, Type: stream.StepStarted}, stream.Event{Type: stream.RepetitionStarted}, stream.Event{Type: stream.StepFinished}, stream.Event{Type: stream.FaultInjected},
		stream.Event{Type: stream.Logged}, stream.Event{Type: stream.ScenarioFinished}, stream.Event{Type: stream.ScenarioStarted}, stream.Event{Type: "unheard_of"},
		stream.Event{Type: stream.SampleTaken},
		stream.Event{T: nan, Type: stream.SampleTaken, Sample: probe.Sample{"a": nan, "b": 1, "c": inf}},
		stream.Event{T: 0.5, Type: stream.SampleTaken, Sample: probe.Sample{"b": 2}},
		stream.Event{T: 1e18, Type: stream.Logged, Log: &stream.Log{}},
	)
	if s.T != 1 {
		t.Errorf("T = %v, want 1", s.T)
	}
	if got, want := s.Points("b", 0), []Point{{1, 1}, {1, 2}}; !slices.Equal(got, want) || len(s.Points("a", 0)) != 0 || s.Len() != 2 {
		t.Errorf("%d samples, of b %v, want %v", s.Len(), got, want)
	}
}

func TestTimelineLeavesEventsAlone(t *testing.T) {
	values := probe.Sample{"a": math.Inf(1), "b": 1}
	fold(stream.Event{Type: stream.SampleTaken, Sample: values})
	if len(values) != 2 {
		t.Errorf("the event was changed: %v", values)
	}
}

func TestSnapshotDoesNotChange(t *testing.T) {
	var tl Timeline
	feed := func(from, to int) {
		for i := from; i < to; i++ {
			at := float64(i)
			tl.Add(sampleAt(at, at))
			tl.Add(stream.Event{T: at, Type: stream.StepStarted, Step: &stream.Step{Name: "s"}})
			tl.Add(stream.Event{T: at, Type: stream.StepFinished, StepResult: &report.Step{Name: "s"}})
			tl.Add(stream.Event{T: at, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "f"}})
			tl.Add(stream.Event{T: at, Type: stream.Logged, Log: &stream.Log{Message: fmt.Sprint(i)}})
		}
	}
	feed(0, defaultSamples)
	s := tl.Snapshot()
	before := fmt.Sprintf("%+v", *s)
	feed(defaultSamples, 2*defaultSamples)
	if fmt.Sprintf("%+v", *s) != before {
		t.Error("a snapshot changed after it was taken")
	}
}

func TestTimelineConcurrentUse(t *testing.T) {
	var tl Timeline
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 3000 {
			tl.Add(sampleAt(float64(i), 1))
		}
	})
	for range 100 {
		s := tl.Snapshot()
		if last, ok := s.Last(); ok && last.T > s.T {
			t.Error("a sample is newer than the snapshot")
		}
	}
	wg.Wait()
}

// However long a run, what is remembered is bounded, in order, reaches back to
// its first sample, and is complete for the latest.
func TestTimelineBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6*defaultSamples).Draw(t, "samples")
		var tl Timeline
		for i := range n {
			at := float64(i) / 10
			tl.Add(sampleAt(at, at))
			if i%7 == 0 {
				tl.Add(stream.Event{T: at, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "f"}})
				tl.Add(stream.Event{T: at, Type: stream.Logged, Log: &stream.Log{Message: "m"}})
			}
		}
		s := tl.Snapshot()
		times := s.times
		if len(times) > defaultSamples || len(s.Marks) > keptMarks || len(s.Log) > keptLogLines {
			t.Fatalf("grew to %d samples, %d marks, %d lines", len(times), len(s.Marks), len(s.Log))
		}
		disturbed := (n + 6) / 7
		if len(s.Marks)+s.MarksDropped != disturbed || len(s.Log)+s.LogDropped != disturbed || s.Faults["f"] != disturbed {
			t.Fatalf("%d disturbances: %d marks and %d dropped, %d lines and %d dropped", disturbed, len(s.Marks), s.MarksDropped, len(s.Log), s.LogDropped)
		}
		if times[0] != 0 || times[len(times)-1] != float64(n-1)/10 {
			t.Fatalf("reaches from %v to %v", times[0], times[len(times)-1])
		}
		// Of the past, spans of equal length, a quarter as many as samples fit, keep
		// one each of those that are left of the time before. Some spans have none of
		// these, and two neighbours may be at the far ends of theirs.
		most := 5*s.T/(defaultSamples/4) + 0.11
		for i := 1; i < len(times); i++ {
			switch d := times[i] - times[i-1]; {
			case d <= 0:
				t.Fatalf("out of order at %d", i)
			case d > most:
				t.Fatalf("between samples %d and %d of a run of %.1f s are %.1f s, more than %.1f", i-1, i, s.T, d, most)
			}
		}
		if recent := s.Points("goroutines", s.T-defaultSamples/20+0.05); len(recent) != min(n, defaultSamples/2) {
			t.Fatalf("%d recent points of %d samples", len(recent), n)
		}
	})
}

// However old it is, the worst moment of a run can still be found.
func TestTimelineKeepsTheWorst(t *testing.T) {
	var tl Timeline
	for i := range 30 * defaultSamples {
		latency := 3.0
		if i == 1233 {
			latency = 80
		}
		tl.Add(stream.Event{T: float64(i) / 10, Type: stream.SampleTaken, Sample: probe.Sample{"action_p99_ms": latency}})
	}
	worst := Point{}
	for _, p := range tl.Snapshot().Points("action_p99_ms", 0) {
		if p.V > worst.V {
			worst = p
		}
	}
	if worst != (Point{T: 123.3, V: 80}) {
		t.Errorf("the worst that is remembered is %+v", worst)
	}
}

func TestSnapshotPoints(t *testing.T) {
	s := fold(sampleAt(1, 10), stream.Event{T: 2, Type: stream.SampleTaken, Sample: probe.Sample{"x": 1}}, sampleAt(3, 30))
	for _, test := range []struct {
		probe probe.Name
		from  float64
		want  []Point
	}{
		{"goroutines", 0, []Point{{1, 10}, {3, 30}}},
		{"goroutines", 1, []Point{{1, 10}, {3, 30}}},
		{"goroutines", 1.5, []Point{{3, 30}}},
		{"goroutines", 4, nil},
		{"absent", 0, nil},
	} {
		if got := s.Points(test.probe, test.from); !reflect.DeepEqual(got, test.want) {
			t.Errorf("Points(%q, %v) = %v, want %v", test.probe, test.from, got, test.want)
		}
	}
	if _, ok := s.Latest("x"); ok {
		t.Error("a probe absent from the newest sample has a latest value")
	}
}

func TestTimelineOfWhatIsDoneByHand(t *testing.T) {
	var line Timeline
	look := &stream.Inspection{AgentsTotal: 3}
	for _, e := range []stream.Event{
		{T: 1, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "rate 110 %", ByHand: true}},
		{T: 1.1, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "not by hand"}},
		{T: 1.2, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "garbage", ByHand: true}},
		{T: 1.2, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "garbage"}},
		{T: 1.3, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 3}, Inspection: look},
		{T: 1.4, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 4}},
	} {
		line.Add(e)
	}
	s := line.Snapshot()
	want := []Mark{
		{T: 1, Type: stream.Logged, Text: "rate 110 %", ByHand: true, Count: 1},
		{T: 1.2, Type: stream.FaultInjected, Text: "garbage", ByHand: true, Count: 1},
		{T: 1.2, Type: stream.FaultInjected, Text: "garbage", Count: 1}, // told apart from what a person did
	}
	if !reflect.DeepEqual(s.Marks, want) {
		t.Errorf("marks:\n got %v\nwant %v", s.Marks, want)
	}
	if in, ok := s.InspectedAt(s.T); !ok || in.Inspection != look || in.T != 1.3 {
		t.Errorf("inspection %v at %v, want that of 1.3 s", in.Inspection, in.T)
	}
}

// A run that begins anew leaves nothing of what came before, in whatever folds
// it.
func TestFoldsBeginAnew(t *testing.T) {
	run := streamtest.Recording(30).Events
	var timeline, once Timeline
	var collector Collector
	for _, e := range append(slices.Clone(run), run[:100]...) {
		timeline.Add(e)
		collector.Add(e)
	}
	var want Collector
	for _, e := range run[:100] {
		once.Add(e)
		want.Add(e)
	}
	got, first := timeline.Snapshot(), once.Snapshot()
	if got.Events <= first.Events {
		t.Error("the number of events went back: nobody would look again")
	}
	got.Events = first.Events
	if !reflect.DeepEqual(got, first) {
		t.Errorf("the timeline shows %+v", got)
	}
	if !reflect.DeepEqual(collector.Report(), want.Report()) {
		t.Errorf("the collector tells %+v", collector.Report())
	}
}

func TestInspectionIsCut(t *testing.T) {
	whole := &stream.Inspection{Types: make([]stream.TypeState, 9), TypesTotal: 9, Waits: make([]stream.WaitState, 7)}
	if got := firstRows(whole, 9); got != whole {
		t.Error("what is short enough was cut")
	}
	if got := firstRows(whole, 8); len(got.Types) != 8 || got.TypesTotal != 9 || len(got.Waits) != 7 || len(whole.Types) != 9 {
		t.Errorf("%d types of %d, %d waits", len(got.Types), got.TypesTotal, len(got.Waits))
	}
}

// Who looks back finds the look inside of that time: of an hour ago one of about
// then, with the worst of them all, and no more memory than of a few minutes.
func TestInspectionsOfThePast(t *testing.T) {
	var tl Timeline
	const looks, worst = 4 * 3600, 1234 // four a second for an hour
	for i := range looks {
		in := &stream.Inspection{Agents: make([]stream.AgentState, 200), Subscriptions: make([]stream.SubscriptionState, 200)}
		for j := range in.Agents {
			in.Agents[j] = stream.AgentState{ID: fmt.Sprint(i), Mailbox: 10, MailboxCapacity: 1000}
		}
		if i == worst {
			in.Subscriptions[0] = stream.SubscriptionState{Subscriber: "slow", Queued: 990, Capacity: 1000}
		}
		tl.Add(stream.Event{T: 10 + float64(i)/4, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 200}, Inspection: in})
	}
	s := tl.Snapshot()
	if n := len(s.Inspections); n > keptInspections || n < keptInspections/2 {
		t.Errorf("%d looks are kept", n)
	}
	if _, ok := s.InspectedAt(9.9); ok {
		t.Error("there is one of before the first")
	}
	const end = 10 + float64(looks-1)/4
	for _, at := range []float64{10, 11, 600, 1800, end - 60, end, end + 5} {
		in, ok := s.InspectedAt(at)
		if age := at - in.T; !ok || age < 0 || age > 5*looks/4/(keptInspections/4) {
			t.Errorf("at %v there is one of %v, %v", at, in.T, ok)
			continue
		}
		if want := fmt.Sprint(int((in.T - 10) * 4)); in.Agents[0].ID != want {
			t.Errorf("that of %v is look %s, want %s", in.T, in.Agents[0].ID, want)
		}
		if n := len(in.Agents); at < end && n != inspectedRows || at >= end && n != 200 {
			t.Errorf("that of %v has %d agents", in.T, n)
		}
	}
	if !slices.ContainsFunc(s.Inspections, func(in Inspected) bool { return in.Subscriptions[0].Subscriber == "slow" }) {
		t.Error("the worst moment is forgotten")
	}
}

// An hour of samples is folded anew in a blink: nobody waits to go back.
func BenchmarkTimelineOfAnHour(b *testing.B) {
	r := streamtest.Recording(3600)
	for i := range r.Events {
		if e := &r.Events[i]; e.Type == stream.SampleTaken {
			for n := range 45 { // about as many as there are probes
				e.Sample[probe.Name("probe_"+strconv.Itoa(n))] = e.T
			}
		}
	}
	for b.Loop() {
		var t Timeline
		for _, e := range r.Events {
			t.Add(e)
		}
	}
}
