package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A CheckKind is what kind of limit a metric is compared with.
type CheckKind string

// The kinds of checks, the strictest first.
const (
	KindCondition CheckKind = "must"      // what is true of every correct system
	KindFloor     CheckKind = "floor"     // a share of reference work in the same run
	KindBaseline  CheckKind = "baseline"  // a row of the baseline table
	KindThreshold CheckKind = "threshold" // a condition of the scenario
)

// A Check is one comparison of a metric with a limit, and its result.
type Check struct {
	Kind CheckKind
	// Limit is for example "== 0", ">= 12.3k/s" or, for a baseline, "15k/s".
	Limit string
	// Basis says what a floor is a share of, such as "5 % of hand_over".
	Basis string
	// Difference is the distance between the value and the limit, such as "31 % worse".
	Difference string
	Status     Status
}

// Text returns the check as part of a sentence, such as "must be 0" or "baseline 15k/s".
func (c Check) Text() string {
	switch {
	case c.Kind == KindCondition:
		return "must be " + strings.TrimPrefix(c.Limit, "== ")
	case c.Basis != "":
		return fmt.Sprintf("%s %s (%s)", c.Kind, c.Limit, c.Basis)
	}
	return string(c.Kind) + " " + c.Limit
}

// Checks returns all checks of the metric, the worst result first. Equal results are in
// the order of the kinds.
func (m Metric) Checks() []Check {
	var all []Check
	v, ok := Number(m.Value)
	if m.Condition != "" {
		all = append(all, Check{Kind: KindCondition, Limit: quantity.Condition(m.Condition, m.Unit), Status: passIf(m.Meets(m.Condition))})
	}
	if m.Floor != nil {
		all = append(all, m.floorCheck(v, ok))
	}
	if m.Baseline != nil {
		all = append(all, Check{
			Kind: KindBaseline, Limit: quantity.Format(*m.Baseline, m.Unit),
			Difference: difference(m.Deviation), Status: m.baselineStatus(v, ok),
		})
	}
	if len(all) == 1 {
		all[0].Status = m.Status // nothing else decided it
	}
	slices.SortStableFunc(all, func(a, b Check) int { return cmp.Compare(a.rank(), b.rank()) })
	return all
}

// rank orders checks by their status, the worst first.
func (c Check) rank() int {
	switch c.Status {
	case StatusFail:
		return 0
	case StatusWarn:
		return 1
	}
	return 2
}

// MainCheck returns the check to show if there is room for one: the worst, or, of a
// metric that passed, its baseline. It returns false for a metric without checks.
func (m Metric) MainCheck() (Check, bool) {
	all := m.Checks()
	if len(all) == 0 {
		return Check{}, false
	}
	if i := slices.IndexFunc(all, func(c Check) bool { return c.Kind == KindBaseline }); i >= 0 && all[0].rank() == 2 {
		return all[i], true
	}
	return all[0], true
}

func passIf(ok bool) Status {
	if ok {
		return StatusPass
	}
	return StatusFail
}

// floorCheck compares the value with the floor.
func (m Metric) floorCheck(v float64, ok bool) Check {
	operator, met := ">=", v >= m.Floor.Value
	if m.Better == Lower {
		operator, met = "<=", v <= m.Floor.Value
	}
	c := Check{Kind: KindFloor, Limit: operator + " " + quantity.Format(m.Floor.Value, m.Unit), Basis: m.Floor.basis(), Status: passIf(ok && met)}
	if share := (v - m.Floor.Value) / m.Floor.Value; ok && Finite(share) {
		if m.Better == Lower {
			share = -share
		}
		c.Difference = difference(&share)
	}
	return c
}

// basis says what the floor is a share of.
func (f Floor) basis() string {
	if f.Share >= 2 {
		return quantity.Number(f.Share) + " × " + f.Reference
	}
	return quantity.Percent(f.Share) + " of " + f.Reference
}

// baselineStatus is the status by the baseline alone.
func (m Metric) baselineStatus(v float64, ok bool) Status {
	if !ok {
		return StatusFail
	}
	tolerance := 0.0
	if m.Tolerance != nil {
		tolerance = *m.Tolerance
	}
	deviation := v - *m.Baseline // from a baseline of 0, only its sign matters
	if m.Better == Lower {
		deviation = -deviation
	}
	if deviation != 0 {
		deviation = math.Copysign(math.Inf(1), deviation)
	}
	if m.Deviation != nil {
		deviation = *m.Deviation
	}
	return StatusOf(deviation, tolerance)
}

// difference returns a deviation in words, where more is better.
func difference(deviation *float64) string {
	switch {
	case deviation == nil:
		return ""
	case *deviation > 0:
		return quantity.Percent(*deviation) + " better"
	case *deviation < 0:
		return quantity.Percent(*deviation) + " worse"
	}
	return "equal"
}
