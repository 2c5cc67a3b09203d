package stream

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/stress/report"
)

func sampleAt(t, v float64) Event {
	return Event{T: t, Type: SampleTaken, Sample: map[string]float64{"goroutines": v}}
}

func fold(events ...Event) *Snapshot {
	var t Timeline
	for _, e := range events {
		t.Add(e)
	}
	return t.Snapshot()
}

func TestTimelineFollowsARun(t *testing.T) {
	limits := []Limit{{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5}}
	storm := &Step{Name: "storm", Limits: limits, Repeat: 2}
	result := &report.Step{Name: "storm", Verdict: report.Warn}
	final := &report.Report{Verdict: report.Warn}
	s := fold(
		Event{Type: RunStarted, Run: &Run{ID: "r", EstimateSeconds: 10}},
		Event{T: 0.1, Type: ScenarioStarted, Scenario: &Scenario{Name: "event-storm", Steps: []string{"storm", "calm"}}},
		Event{T: 0.2, Type: StepStarted, Step: storm},
		Event{T: 0.3, Type: RepetitionStarted, Repetition: &Repetition{Step: "storm", Number: 0, Of: 2}},
		Event{T: 0.4, Type: RepetitionStarted, Repetition: &Repetition{Step: "storm", Number: 1, Of: 2}},
		sampleAt(0.5, 7),
		Event{T: 0.6, Type: FaultInjected, Fault: &Fault{Step: "storm", Fault: "kill_agents", Target: "a_1"}},
		Event{T: 0.65, Type: FaultInjected, Fault: &Fault{Step: "storm", Fault: "kill_agents", Target: "a_2"}},
		Event{T: 0.9, Type: FaultInjected, Fault: &Fault{Step: "storm", Fault: "kill_agents"}},
		Event{T: 0.95, Type: Logged, Log: &Log{Level: "warn", Message: "slow"}},
		Event{T: 1, Type: StepFinished, StepResult: result},
		Event{T: 1.1, Type: StepStarted, Step: &Step{Name: "calm"}},
		Event{T: 2, Type: ScenarioFinished, ScenarioResult: &report.Scenario{Name: "event-storm"}},
		Event{T: 2, Type: RunFinished, Report: final},
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
		{0.2, StepStarted, "storm", false, 1, nil},
		{0.3, RepetitionStarted, "warm-up", false, 1, nil},
		{0.4, RepetitionStarted, "repetition 1", false, 1, nil},
		{0.6, FaultInjected, "kill_agents", false, 2, []string{"a_1", "a_2"}},
		{0.9, FaultInjected, "kill_agents", false, 1, nil},
		{1.1, StepStarted, "calm", false, 1, nil},
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
		Event{Type: StepStarted, Step: &Step{Name: "a"}},
		Event{Type: StepFinished, StepResult: first},
		Event{Type: StepStarted, Step: &Step{Name: "a"}},
		Event{Type: StepFinished, StepResult: second},
		Event{Type: StepFinished, StepResult: &report.Step{Name: "a", Score: 3}},
	)
	if s.Steps[0].Result != first || s.Steps[1].Result != second {
		t.Errorf("steps: %+v", s.Steps)
	}
}

// Steps of one group run at the same time and finish in any order.
func TestTimelineParallelSteps(t *testing.T) {
	s := fold(
		Event{Type: StepStarted, Step: &Step{Name: "a"}},
		Event{Type: StepStarted, Step: &Step{Name: "b"}},
		Event{Type: RepetitionStarted, Repetition: &Repetition{Step: "a", Number: 1}},
		Event{Type: StepFinished, StepResult: &report.Step{Name: "a"}},
	)
	if a := s.Active(); len(a) != 1 || a[0].Step.Name != "b" || a[0].Repetition != nil {
		t.Errorf("active: %+v", a)
	}
}

func TestTimelineSurvivesBrokenEvents(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	s := fold(
		Event{T: 1, Type: StepStarted}, Event{Type: RepetitionStarted}, Event{Type: StepFinished}, Event{Type: FaultInjected},
		Event{Type: Logged}, Event{Type: ScenarioFinished}, Event{Type: ScenarioStarted}, Event{Type: "unheard_of"},
		Event{Type: SampleTaken},
		Event{T: nan, Type: SampleTaken, Sample: map[string]float64{"a": nan, "b": 1, "c": inf}},
		Event{T: 0.5, Type: SampleTaken, Sample: map[string]float64{"b": 2}},
		Event{T: 1e18, Type: Logged, Log: &Log{}},
	)
	if s.T != 1 {
		t.Errorf("T = %v, want 1", s.T)
	}
	want := []Sample{{1, map[string]float64{"b": 1}}, {1, map[string]float64{"b": 2}}}
	if !reflect.DeepEqual(s.Samples, want) {
		t.Errorf("samples = %v, want %v", s.Samples, want)
	}
}

func TestTimelineLeavesEventsAlone(t *testing.T) {
	values := map[string]float64{"a": math.Inf(1), "b": 1}
	fold(Event{Type: SampleTaken, Sample: values})
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
			tl.Add(Event{T: at, Type: StepStarted, Step: &Step{Name: "s"}})
			tl.Add(Event{T: at, Type: StepFinished, StepResult: &report.Step{Name: "s"}})
			tl.Add(Event{T: at, Type: FaultInjected, Fault: &Fault{Fault: "f"}})
			tl.Add(Event{T: at, Type: Logged, Log: &Log{Message: fmt.Sprint(i)}})
		}
	}
	feed(0, historySize)
	s := tl.Snapshot()
	before := fmt.Sprintf("%+v", *s)
	feed(historySize, 2*historySize)
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
		if s := tl.Snapshot(); len(s.Samples) > 0 && s.Samples[len(s.Samples)-1].T > s.T {
			t.Error("a sample is newer than the snapshot")
		}
	}
	wg.Wait()
}

// However long a run, what is remembered is bounded, in order, reaches back to
// its first sample, and is complete for the latest.
func TestTimelineBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6*historySize).Draw(t, "samples")
		var tl Timeline
		for i := range n {
			at := float64(i) / 10
			tl.Add(sampleAt(at, at))
			if i%7 == 0 {
				tl.Add(Event{T: at, Type: FaultInjected, Fault: &Fault{Fault: "f"}})
				tl.Add(Event{T: at, Type: Logged, Log: &Log{Message: "m"}})
			}
		}
		s := tl.Snapshot()
		if len(s.Samples) > historySize || len(s.Marks) > marksSize || len(s.Log) > logSize {
			t.Fatalf("grew to %d samples, %d marks, %d lines", len(s.Samples), len(s.Marks), len(s.Log))
		}
		disturbed := (n + 6) / 7
		if len(s.Marks)+s.MarksDropped != disturbed || len(s.Log)+s.LogDropped != disturbed || s.Faults["f"] != disturbed {
			t.Fatalf("%d disturbances: %d marks and %d dropped, %d lines and %d dropped", disturbed, len(s.Marks), s.MarksDropped, len(s.Log), s.LogDropped)
		}
		if s.Samples[0].T != 0 || s.Samples[len(s.Samples)-1].T != float64(n-1)/10 {
			t.Fatalf("reaches from %v to %v", s.Samples[0].T, s.Samples[len(s.Samples)-1].T)
		}
		// Of the past, spans of equal length, a quarter as many as samples fit, keep
		// one each of those that are left of the time before. Some spans have none of
		// these, and two neighbours may be at the far ends of theirs.
		most := 5*s.T/(historySize/4) + 0.11
		for i := 1; i < len(s.Samples); i++ {
			switch d := s.Samples[i].T - s.Samples[i-1].T; {
			case d <= 0:
				t.Fatalf("out of order at %d", i)
			case d > most:
				t.Fatalf("between samples %d and %d of a run of %.1f s are %.1f s, more than %.1f", i-1, i, s.T, d, most)
			}
		}
		if recent := s.Points("goroutines", s.T-historySize/20+0.05); len(recent) != min(n, historySize/2) {
			t.Fatalf("%d recent points of %d samples", len(recent), n)
		}
	})
}

// However old it is, the worst moment of a run can still be found.
func TestTimelineKeepsTheWorst(t *testing.T) {
	var tl Timeline
	for i := range 30 * historySize {
		latency := 3.0
		if i == 1233 {
			latency = 80
		}
		tl.Add(Event{T: float64(i) / 10, Type: SampleTaken, Sample: map[string]float64{"action_p99_ms": latency}})
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
	s := fold(sampleAt(1, 10), Event{T: 2, Type: SampleTaken, Sample: map[string]float64{"x": 1}}, sampleAt(3, 30))
	for _, test := range []struct {
		probe string
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
	look := &Inspection{AgentsTotal: 3}
	for _, e := range []Event{
		{T: 1, Type: Logged, Log: &Log{Level: "info", Message: "rate 110 %", ByHand: true}},
		{T: 1.1, Type: Logged, Log: &Log{Level: "info", Message: "not by hand"}},
		{T: 1.2, Type: FaultInjected, Fault: &Fault{Fault: "garbage", ByHand: true}},
		{T: 1.2, Type: FaultInjected, Fault: &Fault{Fault: "garbage"}},
		{T: 1.3, Type: SampleTaken, Sample: map[string]float64{"agents": 3}, Inspection: look},
		{T: 1.4, Type: SampleTaken, Sample: map[string]float64{"agents": 4}},
	} {
		line.Add(e)
	}
	s := line.Snapshot()
	want := []Mark{
		{1, Logged, "rate 110 %", true, 1, nil},
		{1.2, FaultInjected, "garbage", true, 1, nil},
		{1.2, FaultInjected, "garbage", false, 1, nil}, // told apart from what a person did
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
	run := recorded(30).Events
	var timeline, once Timeline
	var collector Collector
	var keeper CourseKeeper
	for _, e := range append(slices.Clone(run), run[:100]...) {
		timeline.Add(e)
		collector.Add(e)
		keeper.Add(e)
	}
	var want Collector
	var course CourseKeeper
	for _, e := range run[:100] {
		once.Add(e)
		want.Add(e)
		course.Add(e)
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
	if !reflect.DeepEqual(keeper.Course(), course.Course()) {
		t.Errorf("the course is %+v", keeper.Course())
	}
}

func TestInspectionIsCut(t *testing.T) {
	whole := &Inspection{Types: make([]TypeState, 9), TypesTotal: 9, Waits: make([]WaitState, 7)}
	if got := whole.cut(9); got != whole {
		t.Error("what is short enough was cut")
	}
	if got := whole.cut(8); len(got.Types) != 8 || got.TypesTotal != 9 || len(got.Waits) != 7 || len(whole.Types) != 9 {
		t.Errorf("%d types of %d, %d waits", len(got.Types), got.TypesTotal, len(got.Waits))
	}
}

// Who looks back finds the look inside of that time: of an hour ago one of about
// then, with the worst of them all, and no more memory than of a few minutes.
func TestInspectionsOfThePast(t *testing.T) {
	var tl Timeline
	const looks, worst = 4 * 3600, 1234 // four a second for an hour
	for i := range looks {
		in := &Inspection{Agents: make([]AgentState, 200), Subscriptions: make([]SubscriptionState, 200)}
		for j := range in.Agents {
			in.Agents[j] = AgentState{ID: fmt.Sprint(i), Mailbox: 10, MailboxCapacity: 1000}
		}
		if i == worst {
			in.Subscriptions[0] = SubscriptionState{Subscriber: "slow", Queued: 990, Capacity: 1000}
		}
		tl.Add(Event{T: 10 + float64(i)/4, Type: SampleTaken, Sample: map[string]float64{"agents": 200}, Inspection: in})
	}
	s := tl.Snapshot()
	if n := len(s.Inspections); n > inspectionsSize || n < inspectionsSize/2 {
		t.Errorf("%d looks are kept", n)
	}
	if _, ok := s.InspectedAt(9.9); ok {
		t.Error("there is one of before the first")
	}
	const end = 10 + float64(looks-1)/4
	for _, at := range []float64{10, 11, 600, 1800, end - 60, end, end + 5} {
		in, ok := s.InspectedAt(at)
		if age := at - in.T; !ok || age < 0 || age > 5*looks/4/(inspectionsSize/4) {
			t.Errorf("at %v there is one of %v, %v", at, in.T, ok)
			continue
		}
		if want := fmt.Sprint(int((in.T - 10) * 4)); in.Agents[0].ID != want {
			t.Errorf("that of %v is look %s, want %s", in.T, in.Agents[0].ID, want)
		}
		if n := len(in.Agents); at < end && n != inspectedKept || at >= end && n != 200 {
			t.Errorf("that of %v has %d agents", in.T, n)
		}
	}
	if !slices.ContainsFunc(s.Inspections, func(in Inspected) bool { return in.Subscriptions[0].Subscriber == "slow" }) {
		t.Error("the worst moment is forgotten")
	}
}
