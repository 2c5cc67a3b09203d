package fold

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

const (
	// defaultSamples is how many samples a Timeline keeps by default: at ten per
	// second, those of the latest two minutes at least.
	defaultSamples = 2400
	// keptInspections is how many inspections are kept: at four per second, those
	// of the latest minute at least. All but the latest are cut to inspectedRows
	// agents and subscriptions.
	keptInspections = 480
	inspectedRows   = 20
	keptMarks       = 2000
	keptLogLines    = 200
	// faultGap is in seconds: the same fault again within it is counted, not
	// marked anew.
	faultGap = 0.1
)

// A Timeline folds the events of one run into its history, for screens and for
// reports that draw it. Its memory is bounded, however long the run. It is safe for
// concurrent use: the goroutine that reads the stream adds to it, and whoever
// draws takes snapshots. The zero value is ready.
type Timeline struct {
	// Samples is how many samples are kept, at least 4; 0 means 2,400. It must not
	// change after the first event.
	Samples int

	mu sync.Mutex
	// now is modified in place; Snapshot returns copies.
	now Snapshot
}

// An Inspected is an inspection of the system and when it was made.
type Inspected struct {
	// T is in seconds since the start of the run.
	T float64
	// Inspection is shared with its event and must not be modified.
	*stream.Inspection
}

// A Mark is a moment to mark in a chart.
type Mark struct {
	// T is in seconds since the start of the run.
	T float64
	// Type is StepStarted, RepetitionStarted, FaultInjected, or Logged for a
	// manual action.
	Type stream.Type
	// Step is the name of the step; empty if Type is Logged.
	Step string
	// Text is the name of the step or of the fault, the number of the repetition,
	// or the manual action.
	Text string
	// ByHand reports whether a person asked for it.
	ByHand bool
	// Count is how often it happened at about that time: the same fault again
	// within 0.1 s is counted here.
	Count int
	// Hit are the first targets of the fault, without repetition; empty for the process.
	Targets []string
}

// A LogLine is a message and when it was logged.
type LogLine struct {
	// T is in seconds since the start of the run.
	T float64
	stream.Log
}

// A StepState is the state of a step that has started.
type StepState struct {
	// Scenario is the name of the scenario that the step belongs to.
	Scenario string
	Step     *stream.Step
	// StartedAt and FinishedAt are in seconds since the start of the run;
	// FinishedAt is 0 while there is no Result.
	StartedAt, FinishedAt float64
	// Repetition is the latest that started; nil before the first.
	Repetition *stream.Repetition
	// Repetitions are all that started.
	Repetitions []report.TimelineRepetition
	// Result is nil until the step finishes.
	Result *report.Step
}

// A Snapshot is the state of a Timeline at one moment. It is immutable.
type Snapshot struct {
	// Events is the number of events. Two snapshots of a timeline with the same number
	// are equal.
	Events uint64
	// T is the time of the latest event in seconds since the start of the run.
	T float64
	// Run and Scenario are the latest that started; nil before the first.
	Run      *stream.Run
	Scenario *stream.Scenario
	// ScenarioNumber is the number of scenarios that started.
	ScenarioNumber int
	// Steps are all steps that started, in order.
	Steps []StepState
	// Group is the group that runs.
	Group int
	// History holds the samples.
	History
	// Inspections are the inspections of the system, oldest first. They are thinned like
	// the History.
	Inspections []Inspected
	// Marks and Log hold the latest marks and log lines. MarksDropped and LogDropped count
	// the older ones that were dropped, and FaultsDropped the faults among the dropped
	// marks.
	Marks                                   []Mark
	Log                                     []LogLine
	MarksDropped, FaultsDropped, LogDropped int
	// ByHand counts manual actions.
	ByHand int
	// Faults counts injected faults by name.
	Faults map[string]int
	// Results are the finished scenarios.
	Results []*report.Scenario
	// Report is nil until the run finishes.
	Report *report.Report
}

// Add adds the next event. Values that are not finite are ignored. Time does not go back,
// except when the run starts again.
func (t *Timeline) Add(e stream.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.now
	if e.Type == stream.RunStarted && e.Run != nil && s.Run != nil {
		*s = Snapshot{Events: s.Events}
	}
	s.Events++
	s.T = e.Advance(s.T)
	switch e.Type {
	case stream.RunStarted:
		s.Run = e.Run
	case stream.ScenarioStarted:
		s.Scenario = e.Scenario
		s.ScenarioNumber++
	case stream.StepStarted:
		if e.Step == nil {
			return
		}
		s.Steps = append(s.Steps, StepState{Scenario: t.scenario(), Step: e.Step, StartedAt: s.T})
		s.Group = e.Step.Group
		t.mark(Mark{Type: e.Type, Step: e.Step.Name, Text: e.Step.Name})
	case stream.RepetitionStarted:
		t.repetition(e.Repetition)
	case stream.SampleTaken:
		s.add(s.T, e.Sample, cmp.Or(t.Samples, defaultSamples))
		if e.Inspection != nil {
			t.inspection(e.Inspection)
		}
	case stream.FaultInjected:
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
	case stream.Logged:
		if e.Log == nil {
			return
		}
		if len(s.Log) == keptLogLines {
			s.Log = slices.Delete(s.Log, 0, 1)
			s.LogDropped++
		}
		s.Log = append(s.Log, LogLine{T: s.T, Log: *e.Log})
		if e.Log.ByHand {
			s.ByHand++
			t.mark(Mark{Type: e.Type, Text: e.Log.Message, ByHand: true})
		}
	case stream.StepFinished:
		t.stepFinished(e.StepResult)
	case stream.ScenarioFinished:
		if e.ScenarioResult != nil {
			s.Results = append(s.Results, e.ScenarioResult)
		}
	case stream.RunFinished:
		s.Report = e.Report
	}
}

// Snapshot returns the current state.
func (t *Timeline) Snapshot() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.now
	s.Steps = slices.Clone(s.Steps)
	s.History = s.snapshot()
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

func (t *Timeline) repetition(r *stream.Repetition) {
	if r == nil {
		return
	}
	t.update(r.Step, func(s *StepState) {
		s.Repetition = r
		s.Repetitions = append(s.Repetitions, report.TimelineRepetition{Number: r.Number, At: t.now.T})
		t.now.Group = s.Step.Group
	})
	text := "warm-up"
	if r.Number > 0 {
		text = "repetition " + strconv.Itoa(r.Number)
	}
	t.mark(Mark{Type: stream.RepetitionStarted, Step: r.Step, Text: text})
}

func (t *Timeline) stepFinished(r *report.Step) {
	if r == nil {
		return
	}
	t.update(r.Name, func(s *StepState) { s.Result, s.FinishedAt = r, t.now.T })
}

// update modifies the latest open step of that name.
func (t *Timeline) update(name string, change func(*StepState)) {
	for i := len(t.now.Steps) - 1; i >= 0; i-- {
		if s := t.now.Steps[i]; s.Step.Name == name && s.Result == nil {
			change(&t.now.Steps[i])
			return
		}
	}
}

// fault marks a fault. The same fault within faultGap is added to its mark, unless its
// step has started another repetition since.
func (t *Timeline) fault(f stream.Fault) {
	s := &t.now
	for i := len(s.Marks) - 1; i >= 0 && s.T-s.Marks[i].T < faultGap; i-- {
		m := &s.Marks[i]
		if m.Type != stream.FaultInjected && m.Step == f.Step {
			break
		}
		if m.Type == stream.FaultInjected && m.Step == f.Step && m.Text == f.Fault && m.ByHand == f.ByHand {
			m.Count++
			m.Targets = report.AddTarget(slices.Clip(m.Targets), f.Target)
			return
		}
	}
	t.mark(Mark{Type: stream.FaultInjected, Step: f.Step, Text: f.Fault, ByHand: f.ByHand, Targets: report.AddTarget(nil, f.Target)})
}

// mark adds a mark at the current time, and drops the oldest if there are too many.
func (t *Timeline) mark(m Mark) {
	s := &t.now
	if len(s.Marks) == keptMarks {
		if s.Marks[0].Type == stream.FaultInjected {
			s.FaultsDropped++
		}
		s.Marks = slices.Delete(s.Marks, 0, 1)
		s.MarksDropped++
	}
	m.T, m.Count = s.T, 1
	s.Marks = append(s.Marks, m)
}

func (t *Timeline) inspection(in *stream.Inspection) {
	s := &t.now
	if last := len(s.Inspections) - 1; last >= 0 {
		s.Inspections[last].Inspection = firstRows(s.Inspections[last].Inspection, inspectedRows)
	}
	if len(s.Inspections) == keptInspections {
		old := s.Inspections
		s.Inspections = nil
		for _, i := range stream.Thin(len(old),
			func(i int) float64 { return old[i].T },
			func(i, j int) bool { return fullest(old[i].Inspection) > fullest(old[j].Inspection) }) {
			s.Inspections = append(s.Inspections, old[i])
		}
	}
	s.Inspections = append(s.Inspections, Inspected{s.T, in})
}

// firstRows returns the inspection with at most n agents, subscriptions, types and
// waits, which are sorted by importance. It returns the inspection itself if it has
// no more.
func firstRows(in *stream.Inspection, n int) *stream.Inspection {
	if max(len(in.Agents), len(in.Subscriptions), len(in.Types), len(in.Waits)) <= n {
		return in
	}
	kept := *in
	// Clones, because otherwise the rest of each array would stay in memory.
	kept.Agents = slices.Clone(in.Agents[:min(len(in.Agents), n)])
	kept.Subscriptions = slices.Clone(in.Subscriptions[:min(len(in.Subscriptions), n)])
	kept.Types = slices.Clone(in.Types[:min(len(in.Types), n)])
	kept.Waits = slices.Clone(in.Waits[:min(len(in.Waits), n)])
	return &kept
}

// fullest is how full the fullest mailbox or queue is, from 0 to 1.
func fullest(in *stream.Inspection) float64 {
	most := 0.0
	for _, a := range in.Agents {
		most = max(most, float64(a.Mailbox)/float64(max(a.MailboxCapacity, 1)))
	}
	for _, s := range in.Subscriptions {
		most = max(most, float64(s.Queued)/float64(max(s.Capacity, 1)))
	}
	return most
}

// Active returns the steps that run now; several if they run in parallel. Steps that wait
// while another group runs are not active.
func (s *Snapshot) Active() []StepState {
	var out []StepState
	for _, step := range s.Steps {
		if step.Result == nil && step.Step.Group == s.Group {
			out = append(out, step)
		}
	}
	return out
}

// InspectedAt returns the latest inspection at a time, and false if there was none.
func (s *Snapshot) InspectedAt(t float64) (Inspected, bool) {
	i := sort.Search(len(s.Inspections), func(i int) bool { return s.Inspections[i].T > t })
	if i == 0 {
		return Inspected{}, false
	}
	return s.Inspections[i-1], true
}
