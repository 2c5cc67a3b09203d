package stress

import (
	"context"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// An Earlier is the report that a run is compared with.
type Comparison struct {
	// Name is what the comparison calls it.
	Name   string
	Report report.Report
	Rule   verdict.Rule
}

// Check tells whether a run of the plan could be compared with the earlier
// report, before anything has run.
func (e Comparison) Check(plan scenario.Plan) error {
	var planned report.Report
	for _, s := range plan.Scenarios {
		part := report.Scenario{Name: s.Name}
		for _, step := range s.Steps() {
			part.Steps = append(part.Steps, report.Step{
				Name: step.Name, Measurement: step.Measurement.Name,
				Params: scenario.Encode(step.Params, step.Measurement.Params),
			})
		}
		planned.Scenarios = append(planned.Scenarios, part)
	}
	_, _, err := verdict.Compare(e.Report, planned, e.Name, e.Rule)
	return err
}

// Compared returns the source with its report compared with the earlier one. A
// report that cannot be compared says why in its recommendations.
func WithComparison(source stream.Source, with Comparison) stream.Source {
	return comparedSource{source, with}
}

type comparedSource struct {
	source stream.Source
	with   Comparison
}

// Command implements stream.Steerable.
func (c comparedSource) Command(asked stream.Command) error { return stream.Steer(c.source, asked) }

// Run implements stream.Source.
func (c comparedSource) Run(ctx context.Context, emit func(stream.Event)) error {
	return c.source.Run(ctx, func(e stream.Event) {
		if e.Type == stream.RunFinished && e.Report != nil {
			held, err := verdict.HoldReport(*e.Report, c.with.Report, c.with.Name, c.with.Rule)
			if err != nil {
				held.Recommendations = append(held.Recommendations[:len(held.Recommendations):len(held.Recommendations)], err.Error())
			}
			e.Report = &held
		}
		emit(e)
	})
}
