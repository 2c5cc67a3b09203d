package fold

import (
	"context"

	"mabeam-top/internal/stress/stream"
)

// WithReport returns a source that sums up what the given source tells of steps: the events
// that finish a scenario have its result, and the event that finishes the run has the
// report. If the source ends without that event, WithReport adds it, and the report says
// why the run ended early.
func WithReport(source stream.Source) stream.Source { return withReport{source} }

type withReport struct{ stream.Source }

// Run implements stream.Source.
func (w withReport) Run(ctx context.Context, emit func(stream.Event)) error {
	var c Collector
	err := w.Source.Run(ctx, func(e stream.Event) {
		c.Add(e)
		emit(c.complete(e))
	})
	if c.finished == nil {
		emit(stream.Event{T: c.now, Type: stream.RunFinished, Report: new(c.Finish(err))})
	}
	return err
}

// Command implements stream.Steerable.
func (w withReport) Command(command stream.Command) error { return stream.Steer(w.Source, command) }

// complete returns the newest event with the result of what it finishes.
func (c *Collector) complete(e stream.Event) stream.Event {
	switch {
	case e.End == nil:
	case e.Type == stream.RunFinished:
		e.Report = c.finished
	case e.Type == stream.ScenarioFinished && len(c.done) > 0:
		e.ScenarioResult = new(c.done[len(c.done)-1])
	}
	e.End = nil
	return e
}
