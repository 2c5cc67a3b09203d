package stress

import (
	"context"
	"slices"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// A Comparison compares a run with the report of an earlier one.
type Comparison struct {
	// Name names the earlier report.
	Name   string
	Report report.Report
	Rule   verdict.Rule
}

// Check returns an error if a run of the plan cannot be compared with the earlier
// report, before anything has run.
func (c Comparison) Check(plan scenario.Plan) error {
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
	_, _, err := verdict.Compare(c.Report, planned, c.Name, c.Rule)
	return err
}

// WithComparison returns the source with a comparison in its report. If the report
// cannot be compared, its recommendations say why.
func WithComparison(source stream.Source, c Comparison) stream.Source {
	return comparedSource{source, c}
}

type comparedSource struct {
	source     stream.Source
	comparison Comparison
}

// Command implements stream.Steerable.
func (c comparedSource) Command(asked stream.Command) error { return stream.Steer(c.source, asked) }

// Run implements stream.Source.
func (c comparedSource) Run(ctx context.Context, emit func(stream.Event)) error {
	return c.source.Run(ctx, func(e stream.Event) {
		if e.Type == stream.RunFinished && e.Report != nil {
			compared, err := verdict.WithRegression(*e.Report, c.comparison.Report, c.comparison.Name, c.comparison.Rule)
			if err != nil {
				compared.Recommendations = append(slices.Clip(compared.Recommendations), err.Error())
			}
			e.Report = &compared
		}
		emit(e)
	})
}
