package verdict

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
)

const (
	// DefaultThreshold is the share by which medians must differ.
	DefaultThreshold = 0.10
	// DefaultAlpha is the significance level: a p-value below it is significant.
	DefaultAlpha = 0.05
)

var (
	// ErrDifferentParameters means that two reports did not measure the same.
	ErrDifferentParameters = errors.New("different parameters")
	// ErrNothingInCommon means that no step is in both reports.
	ErrNothingInCommon = errors.New("no step in common")
)

// A Rule defines what counts as a regression. The zero value is the default.
type Rule struct {
	// Threshold is the share of the old median by which the new median must differ; 0
	// means DefaultThreshold.
	Threshold float64
	// Alpha is the significance level of the U test; 0 means DefaultAlpha.
	Alpha float64
	// Force compares steps with different parameters too.
	Force bool
}

// Compare compares each metric of a report with the same metric of an earlier one, in
// the order of the new report. The name is what the earlier report is called.
//
// Two steps are the same if their names and the names of their scenarios are equal. If
// the parameters of a step differ, the error wraps ErrDifferentParameters, unless the
// rule forces the comparison; if the reports have no step in common, it wraps
// ErrNothingInCommon. The warnings list other differences between the two runs, which
// may explain the changes.
func Compare(before, now report.Report, name string, rule Rule) (result report.Regression, warnings []string, err error) {
	rule.Threshold = cmp.Or(rule.Threshold, DefaultThreshold)
	rule.Alpha = cmp.Or(rule.Alpha, DefaultAlpha)
	result = report.Regression{Baseline: name, Threshold: rule.Threshold, Alpha: rule.Alpha}
	warnings, err = checkComparable(before, now)
	if errors.Is(err, ErrDifferentParameters) && rule.Force {
		warnings = append(warnings, strings.Split(err.Error(), "\n")...)
	} else if err != nil {
		return report.Regression{}, warnings, err
	}
	for _, p := range pairsOf(before, now) {
		result.Metrics = append(result.Metrics, p.compare(rule)...)
	}
	for _, m := range result.Metrics {
		if m.Verdict != report.Regressed {
			continue
		}
		result.Detected = true
		if m.DeltaPercent != nil {
			result.Percentage = max(result.Percentage, math.Abs(*m.DeltaPercent))
		}
	}
	return result, warnings, nil
}

// checkComparable returns how two runs differ besides their results, and an error if they
// cannot be compared. The second report needs only scenarios, steps and parameters, so
// that a comparison can be refused before the run.
func checkComparable(before, now report.Report) (warnings []string, err error) {
	warnings = differences(before, now)
	common := false
	var errs []error
	for _, p := range pairsOf(before, now) {
		if p.before == nil || p.now == nil {
			continue
		}
		common = true
		if what := differentParams(*p.before, *p.now); what != "" {
			errs = append(errs, fmt.Errorf("%s › %s: %w: %s", p.scenario, p.step, ErrDifferentParameters, what))
		}
	}
	if !common {
		return warnings, ErrNothingInCommon
	}
	return warnings, errors.Join(errs...)
}

// WithRegression compares a report with an earlier one, as Compare does, and returns it
// with the result: its regression, an explanation in each step that regressed, and the
// warnings as recommendations of the run. It does not change the reports given.
func WithRegression(now, before report.Report, name string, rule Rule) (report.Report, error) {
	regression, warnings, err := Compare(before, now, name, rule)
	if err != nil {
		return now, fmt.Errorf("compare with %s: %w", name, err)
	}
	now.Regression = &regression
	now.Recommendations = slices.Clone(now.Recommendations)
	for _, w := range warnings {
		now.Recommendations = append(now.Recommendations, "compared with "+name+": "+w)
	}
	now.Scenarios = slices.Clone(now.Scenarios)
	for i := range now.Scenarios {
		now.Scenarios[i].Steps = slices.Clone(now.Scenarios[i].Steps)
	}
	for _, p := range pairsOf(before, now) {
		if p.now != nil && p.before != nil {
			p.now.Recommendations = append(slices.Clone(p.now.Recommendations), p.explain(regression, before.Host.CPUs, now.Host.CPUs)...)
		}
	}
	return now, nil
}

// A pair is the same step in two reports. One of them may lack it.
type pair struct {
	scenario, step string
	before, now    *report.Step
}

// pairsOf pairs the steps of two reports: first those of the new one, in its order,
// then those that only the old one has.
func pairsOf(before, now report.Report) []pair {
	type key struct{ scenario, step string }
	var order []key
	pairs := map[key]*pair{}
	add := func(r report.Report, set func(*pair, *report.Step)) {
		for i := range r.Scenarios {
			s := &r.Scenarios[i]
			for j := range s.Steps {
				k := key{s.Name, s.Steps[j].Name}
				if pairs[k] == nil {
					pairs[k] = &pair{scenario: k.scenario, step: k.step}
					order = append(order, k)
				}
				set(pairs[k], &s.Steps[j])
			}
		}
	}
	add(now, func(p *pair, s *report.Step) { p.now = s })
	add(before, func(p *pair, s *report.Step) { p.before = s })
	all := make([]pair, len(order))
	for i, k := range order {
		all[i] = *pairs[k]
	}
	return all
}
