package fold

import (
	"context"
	"maps"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/stream"
)

// WithProbe returns a source with an additional probe in its samples and in the results of
// its steps; WithReport then has it in reports. The probe belongs to the viewer's process,
// not to the process that runs the load. read is called for every sample; false means that
// the probe cannot be read now. The summary of a step covers the time from its start to its
// end.
func WithProbe(source stream.Source, name probe.Name, read func(now time.Time) (value float64, ok bool)) stream.Source {
	return &withProbe{Source: source, name: name, read: read}
}

type withProbe struct {
	stream.Source
	name probe.Name
	read func(time.Time) (float64, bool)
}

// Run implements stream.Source.
func (w *withProbe) Run(ctx context.Context, emit func(stream.Event)) error {
	running := map[string]*Summary{} // by step
	return w.Source.Run(ctx, func(e stream.Event) {
		switch {
		case e.Type == stream.ScenarioStarted:
			clear(running)
		case e.Type == stream.StepStarted && e.Step != nil:
			running[e.Step.Name] = &Summary{}
		case e.Type == stream.SampleTaken:
			if value, ok := w.read(time.Now()); ok {
				e.Sample = with(e.Sample, w.name, value)
				for _, summary := range running {
					summary.Add(probe.Sample{w.name: value})
				}
			}
		case e.Type == stream.StepFinished && e.StepResult != nil && running[e.StepResult.Name] != nil:
			if summary, ok := running[e.StepResult.Name].Probes()[w.name]; ok {
				result := *e.StepResult
				result.Probes = with(result.Probes, w.name, summary)
				e.StepResult = &result
			}
			delete(running, e.StepResult.Name)
		}
		emit(e)
	})
}

// with returns a copy of a table with one more entry; consumers share the table.
func with[M ~map[probe.Name]V, V any](table M, name probe.Name, value V) M {
	all := make(M, len(table)+1)
	maps.Copy(all, table)
	all[name] = value
	return all
}

// Command implements stream.Steerable.
func (w *withProbe) Command(c stream.Command) error { return stream.Steer(w.Source, c) }
