package stress

import (
	"errors"
	"fmt"
	"slices"

	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// CheckBaselines returns an error for each row of the baseline table that applies to
// nothing, because no measurement reports its metric, or its reference work or parameter
// does not exist. Nothing could fail such a row.
func CheckBaselines(cat Catalogue, table verdict.Baselines) error {
	var errs []error
	for _, row := range table.Table() {
		where := row.Component + "." + row.Metric
		measured := slices.DeleteFunc(slices.Clone(cat), func(m *Measurement) bool {
			_, err := m.ThresholdMetric(row.Metric)
			return m.FloorsOf() != row.Component || err != nil
		})
		if len(measured) == 0 {
			errs = append(errs, fmt.Errorf("baselines: %s: no measurement reports this metric", where))
			continue
		}
		for _, name := range row.Workloads {
			if !slices.ContainsFunc(reference.Workloads(), func(d reference.Description) bool { return string(d.Workload) == name }) {
				errs = append(errs, fmt.Errorf("baselines: %s: there is no reference workload %s", where, name))
			}
		}
		for _, name := range row.Params {
			if !slices.ContainsFunc(measured, func(m *Measurement) bool {
				return slices.ContainsFunc(m.Params, func(p scenario.Param) bool { return p.Name == name })
			}) {
				errs = append(errs, fmt.Errorf("baselines: %s: the measurement has no parameter %s", where, name))
			}
		}
	}
	return errors.Join(errs...)
}
