package stress

import (
	"errors"
	"fmt"
	"slices"

	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// CheckTable tells which rows of the baseline table hold nothing, because no
// measurement reports their metric, or no such reference work or parameter exists. A
// row that is dead would be passed by everything.
func CheckBaselines(cat Catalogue, table verdict.Baselines) error {
	var faults []error
	for _, row := range table.Table() {
		where := row.Component + "." + row.Metric
		measured := slices.DeleteFunc(slices.Clone(cat), func(m *Measurement) bool {
			_, err := m.ThresholdMetric(row.Metric)
			return m.FloorsOf() != row.Component || err != nil
		})
		if len(measured) == 0 {
			faults = append(faults, fmt.Errorf("baselines: %s: no measurement reports it", where))
			continue
		}
		for _, work := range row.Works {
			if !slices.ContainsFunc(reference.Works(), func(d reference.Description) bool { return string(d.Work) == work }) {
				faults = append(faults, fmt.Errorf("baselines: %s: there is no reference work %s", where, work))
			}
		}
		for _, name := range row.Params {
			if !slices.ContainsFunc(measured, func(m *Measurement) bool {
				return slices.ContainsFunc(m.Params, func(p scenario.Param) bool { return p.Name == name })
			}) {
				faults = append(faults, fmt.Errorf("baselines: %s: its measurement has no parameter %s", where, name))
			}
		}
	}
	return errors.Join(faults...)
}
