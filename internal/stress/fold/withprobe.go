package fold

import (
	"context"
	"maps"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// WithProbe returns a source with an additional probe in its samples and reports. The
// probe belongs to the viewer's process, not to the process that runs the load. read is
// called for every sample; false means that the probe cannot be read now. The summary of a
// step covers the time from its start to its end.
func WithProbe(source stream.Source, name probe.Name, read func(now time.Time) (value float64, ok bool)) stream.Source {
	return &withProbe{Source: source, name: name, read: read}
}

type withProbe struct {
	stream.Source
	name probe.Name
	read func(time.Time) (float64, bool)
}

// Run implements Source.
func (w *withProbe) Run(ctx context.Context, emit func(stream.Event)) error {
	running := map[string]*Summary{} // by step
	finished := map[stepKey]report.Probe{}
	scenario := ""
	return w.Source.Run(ctx, func(e stream.Event) {
		switch e.Type {
		case stream.ScenarioStarted:
			if e.Scenario != nil {
				scenario = e.Scenario.Name
			}
			clear(running)
		case stream.StepStarted:
			if e.Step != nil {
				running[e.Step.Name] = &Summary{}
			}
		case stream.SampleTaken:
			if value, ok := w.read(time.Now()); ok {
				sample := maps.Clone(e.Sample) // consumers share it
				if sample == nil {
					sample = probe.Sample{}
				}
				sample[w.name] = value
				e.Sample = sample
				for _, p := range running {
					p.Add(probe.Sample{w.name: value})
				}
			}
		case stream.StepFinished:
			if e.StepResult == nil {
				break
			}
			if p := running[e.StepResult.Name]; p != nil {
				if summary, ok := p.Probes()[w.name]; ok {
					finished[stepKey{scenario, e.StepResult.Name}] = summary
				}
				delete(running, e.StepResult.Name)
			}
			result := w.step(scenario, *e.StepResult, finished)
			e.StepResult = &result
		case stream.ScenarioFinished:
			if e.ScenarioResult != nil {
				result := w.scenario(*e.ScenarioResult, finished)
				e.ScenarioResult = &result
			}
		case stream.RunFinished:
			if e.Report != nil {
				result := *e.Report
				result.Scenarios = make([]report.Scenario, len(e.Report.Scenarios))
				for i, s := range e.Report.Scenarios {
					result.Scenarios[i] = w.scenario(s, finished)
				}
				e.Report = &result
			}
		}
		emit(e)
	})
}

// Command implements Steerable.
func (w *withProbe) Command(c stream.Command) error { return stream.Steer(w.Source, c) }

type stepKey struct{ scenario, step string }

func (w *withProbe) scenario(s report.Scenario, finished map[stepKey]report.Probe) report.Scenario {
	steps := make([]report.Step, len(s.Steps))
	for i, step := range s.Steps {
		steps[i] = w.step(s.Name, step, finished)
	}
	s.Steps = steps
	return s
}

func (w *withProbe) step(scenario string, s report.Step, finished map[stepKey]report.Probe) report.Step {
	summary, ok := finished[stepKey{scenario, s.Name}]
	if !ok {
		return s
	}
	probes := maps.Clone(s.Probes)
	if probes == nil {
		probes = map[probe.Name]report.Probe{}
	}
	probes[w.name] = summary
	s.Probes = probes
	return s
}
