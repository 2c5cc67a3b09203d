package stream

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"

	"mabeam-top/internal/stress/report"
)

// The sizes of what a Timeline remembers. A run that goes on for hours takes
// no more memory than one of a few minutes.
const (
	// historySize is how many samples are kept: at ten a second, those of the
	// latest two minutes at least, and of all time before a quarter to a half of
	// them, evenly.
	historySize = 2400
	// inspectionsSize is how many looks inside are kept: at four a second, those of
	// the latest minute at least, and of all time before as above. Of each that is
	// not the latest, inspectedKept agents and subscriptions stay.
	inspectionsSize = 480
	inspectedKept   = 20
	marksSize       = 512
	logSize         = 200
	// markGap is in seconds.
	markGap = 0.1
	// lastTime is in seconds: no run lasts thirty years, so that a later time
	// is a fault of the producer.
	lastTime = 1e9
)

// A Timeline folds the events of one run into what a screen needs to know. It
// is safe for concurrent use: the goroutine that reads the stream adds to it,
// and whoever draws takes snapshots.
type Timeline struct {
	mu sync.Mutex
	// now is changed in place: what leaves is a copy.
	now Snapshot
}

// A Sample is every probe that could be read at one time.
type Sample struct {
	// T is in seconds since the start of the run.
	T float64
	// Values are shared with the event they came with: nobody changes them.
	Values map[string]float64
}

// A Point is the value of one probe at one time.
type Point struct {
	// T is in seconds since the start of the run.
	T float64
	V float64
}

// Inspected is a look inside the system, and when it was taken.
type Inspected struct {
	// T is in seconds since the start of the run.
	T float64
	// Inspection is shared with the event it came with: nobody changes it.
	*Inspection
}

// A Mark is a moment worth pointing at in a chart.
type Mark struct {
	// T is in seconds since the start of the run.
	T float64
	// Type is StepStarted, RepetitionStarted, FaultInjected, or Logged of what
	// somebody did by hand.
	Type Type
	// Text is the name of the step or of the fault, the number of the
	// repetition, or what was done.
	Text string
	// ByHand says that a person asked for it.
	ByHand bool
	// Count is how often it happened at about that time: the same fault again
	// within markGap is counted here instead of marked anew.
	Count int
	// Hit are the first of those that the fault hit, each once; empty for the
	// process.
	Hit []string
}

// A LogLine is a message and when it came.
type LogLine struct {
	// T is in seconds since the start of the run.
	T float64
	Log
}

// A StepState is what is known of a step that has begun.
type StepState struct {
	// Scenario is the name of the scenario that the step belongs to.
	Scenario string
	Step     *Step
	// StartedAt and FinishedAt are in seconds since the start of the run;
	// FinishedAt is 0 while there is no Result.
	StartedAt, FinishedAt float64
	// Repetition is the latest that began; nil before the first.
	Repetition *Repetition
	// Result is nil while the step runs.
	Result *report.Step
}

// A Snapshot is what a Timeline knew at one moment. It never changes.
type Snapshot struct {
	// Events is how many events were folded: two snapshots of a timeline with
	// the same number are the same.
	Events uint64
	// T is the time of the latest event in seconds since the start of the run.
	T float64
	// Run and Scenario are the ones that began last; nil before the first.
	Run      *Run
	Scenario *Scenario
	// ScenarioNumber counts the scenarios that began.
	ScenarioNumber int
	// Steps are all that began, in that order.
	Steps []StepState
	// Group is the group of the step that began or repeated last.
	Group int
	// Samples is the history, oldest first: all of the latest minutes, and of the
	// time before what is left when each span of it keeps its worst.
	Samples []Sample
	// Inspections are the looks inside, oldest first, kept as Samples are.
	Inspections []Inspected
	// Marks and Log hold the latest; MarksDropped and LogDropped count the
	// older ones that were forgotten.
	Marks                    []Mark
	MarksDropped, LogDropped int
	Log                      []LogLine
	// ByHand counts what people did to the run.
	ByHand int
	// Faults counts the disturbances injected, by name.
	Faults map[string]int
	// Results are the scenarios that finished.
	Results []*report.Scenario
	// Report is nil until the run has finished.
	Report *report.Report
}

// Add folds one event. Values that are not finite are left out, and time never
// goes back, but with a run that begins anew.
func (t *Timeline) Add(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.now
	if e.Type == RunStarted && e.Run != nil && s.Run != nil {
		*s = Snapshot{Events: s.Events}
	}
	s.Events++
	if report.Finite(e.T) && e.T <= lastTime {
		s.T = max(s.T, e.T)
	}
	switch e.Type {
	case RunStarted:
		s.Run = e.Run
	case ScenarioStarted:
		s.Scenario = e.Scenario
		s.ScenarioNumber++
	case StepStarted:
		if e.Step == nil {
			return
		}
		s.Steps = append(s.Steps, StepState{Scenario: t.scenario(), Step: e.Step, StartedAt: s.T})
		s.Group = e.Step.Group
		t.mark(e.Type, e.Step.Name, false)
	case RepetitionStarted:
		t.repetition(e.Repetition)
	case SampleTaken:
		t.sample(e.Sample)
		if e.Inspection != nil {
			t.inspection(e.Inspection)
		}
	case FaultInjected:
		if e.Fault == nil {
			return
		}
		if s.Faults == nil {
			s.Faults = map[string]int{}
		}
		s.Faults[e.Fault.Fault]++
		if e.Fault.ByHand {
			s.ByHand++
		}
		t.fault(*e.Fault)
	case Logged:
		if e.Log == nil {
			return
		}
		if len(s.Log) == logSize {
			s.Log = slices.Delete(s.Log, 0, 1)
			s.LogDropped++
		}
		s.Log = append(s.Log, LogLine{T: s.T, Log: *e.Log})
		if e.Log.ByHand {
			s.ByHand++
			t.mark(e.Type, e.Log.Message, true)
		}
	case StepFinished:
		t.stepFinished(e.StepResult)
	case ScenarioFinished:
		if e.ScenarioResult != nil {
			s.Results = append(s.Results, e.ScenarioResult)
		}
	case RunFinished:
		s.Report = e.Report
	}
}

// Snapshot returns what is known now.
func (t *Timeline) Snapshot() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.now
	s.Steps = slices.Clone(s.Steps)
	s.Samples = slices.Clone(s.Samples)
	s.Inspections = slices.Clone(s.Inspections)
	s.Marks = slices.Clone(s.Marks)
	s.Log = slices.Clone(s.Log)
	s.Faults = maps.Clone(s.Faults)
	s.Results = slices.Clone(s.Results)
	return &s
}

func (t *Timeline) scenario() string {
	if t.now.Scenario == nil {
		return ""
	}
	return t.now.Scenario.Name
}

func (t *Timeline) repetition(r *Repetition) {
	if r == nil {
		return
	}
	t.update(r.Step, func(s *StepState) {
		s.Repetition = r
		t.now.Group = s.Step.Group
	})
	text := "warm-up"
	if r.Number > 0 {
		text = "repetition " + strconv.Itoa(r.Number)
	}
	t.mark(RepetitionStarted, text, false)
}

func (t *Timeline) stepFinished(r *report.Step) {
	if r == nil {
		return
	}
	t.update(r.Name, func(s *StepState) { s.Result, s.FinishedAt = r, t.now.T })
}

// update changes the latest step of that name which is not finished.
func (t *Timeline) update(name string, change func(*StepState)) {
	for i := len(t.now.Steps) - 1; i >= 0; i-- {
		if s := t.now.Steps[i]; s.Step.Name == name && s.Result == nil {
			change(&t.now.Steps[i])
			return
		}
	}
}

func (t *Timeline) sample(values map[string]float64) {
	if len(values) == 0 {
		return
	}
	for name, v := range values {
		if !report.Finite(v) {
			// Only a faulty producer sends one; a copy is paid for then alone.
			values = maps.Clone(values)
			delete(values, name)
			for name, v := range values {
				if !report.Finite(v) {
					delete(values, name)
				}
			}
			break
		}
	}
	if len(t.now.Samples) == historySize {
		const worst = "action_p99_ms"
		t.now.Samples = thin(t.now.Samples, func(s Sample) float64 { return s.T }, func(a, b Sample) bool { return a.Values[worst] > b.Values[worst] })
	}
	t.now.Samples = append(t.now.Samples, Sample{T: t.now.T, Values: values})
}

// fault marks a fault. The same one again within markGap is counted there.
func (t *Timeline) fault(f Fault) {
	s := &t.now
	if last := len(s.Marks) - 1; last >= 0 {
		if m := &s.Marks[last]; m.Type == FaultInjected && m.Text == f.Fault && m.ByHand == f.ByHand && s.T-m.T < markGap {
			m.Count++
			m.Hit = report.AddHit(slices.Clip(m.Hit), f.Target)
			return
		}
	}
	t.mark(FaultInjected, f.Fault, f.ByHand)
	s.Marks[len(s.Marks)-1].Hit = report.AddHit(nil, f.Target)
}

func (t *Timeline) mark(kind Type, text string, byHand bool) {
	s := &t.now
	if len(s.Marks) == marksSize {
		s.Marks = slices.Delete(s.Marks, 0, 1)
		s.MarksDropped++
	}
	s.Marks = append(s.Marks, Mark{T: s.T, Type: kind, Text: text, ByHand: byHand, Count: 1})
}

func (t *Timeline) inspection(in *Inspection) {
	s := &t.now
	if last := len(s.Inspections) - 1; last >= 0 {
		s.Inspections[last].Inspection = s.Inspections[last].cut(inspectedKept)
	}
	if len(s.Inspections) == inspectionsSize {
		s.Inspections = thin(s.Inspections, func(in Inspected) float64 { return in.T }, func(a, b Inspected) bool { return a.fullest() > b.fullest() })
	}
	s.Inspections = append(s.Inspections, Inspected{s.T, in})
}

// thin makes the older half of a history sparser, in place: its time is cut into
// equal spans, half as many as there are elements, and of each span only the worst
// stays, or the newer of equals. So however long a run, all of its past is there,
// and its worst moments. The first always stays, so that the history reaches back to
// the start, and so does the order.
func thin[T any](history []T, at func(T) float64, worse func(a, b T) bool) []T {
	half := len(history) / 2
	from := at(history[0])
	span := max((at(history[half])-from)/float64(half/2), 1e-9)
	kept := history[:1]
	newest := -1 // the span of the last that was kept; the first is in none
	for _, next := range history[1:half] {
		number := int((at(next) - from) / span)
		switch last := len(kept) - 1; {
		case number != newest:
			kept, newest = append(kept, next), number
		case !worse(kept[last], next):
			kept[last] = next
		}
	}
	kept = append(kept, history[half:]...)
	clear(history[len(kept):])
	return kept
}

// Active returns the steps that run now: more than one when they run in
// parallel. One that waits while the repetitions of others have their turn is
// not among them.
func (s *Snapshot) Active() []StepState {
	var out []StepState
	for _, step := range s.Steps {
		if step.Result == nil && step.Step.Group == s.Group {
			out = append(out, step)
		}
	}
	return out
}

// InspectedAt returns the look inside that was the latest at a time; false if none
// had been taken.
func (s *Snapshot) InspectedAt(t float64) (Inspected, bool) {
	i := sort.Search(len(s.Inspections), func(i int) bool { return s.Inspections[i].T > t })
	if i == 0 {
		return Inspected{}, false
	}
	return s.Inspections[i-1], true
}

// Latest returns the newest reading of a probe, and false if the newest sample
// has none.
func (s *Snapshot) Latest(probe string) (float64, bool) {
	if len(s.Samples) == 0 {
		return 0, false
	}
	v, ok := s.Samples[len(s.Samples)-1].Values[probe]
	return v, ok
}

// Since returns the samples taken at that time or later.
func (s *Snapshot) Since(from float64) []Sample {
	i, _ := slices.BinarySearchFunc(s.Samples, from, func(s Sample, from float64) int {
		if s.T < from {
			return -1
		}
		return 1
	})
	return s.Samples[i:]
}

// Points returns the readings of a probe at that time or later, oldest first.
func (s *Snapshot) Points(probe string, from float64) []Point {
	var out []Point
	for _, sample := range s.Since(from) {
		if v, ok := sample.Values[probe]; ok {
			out = append(out, Point{T: sample.T, V: v})
		}
	}
	return out
}
