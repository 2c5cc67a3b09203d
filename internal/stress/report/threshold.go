package report

import (
	"math"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A Threshold is a condition of the scenario on a metric.
type Threshold struct {
	// Metric is the name of a metric, or NAME.STAT for a statistic of its distribution.
	Metric    string `json:"metric"`
	Condition string `json:"condition"`
	// Actual is the value that was checked; that of the worst window if the condition
	// must be true in every window. It is nil if nothing was measured, which fails.
	Actual         *float64 `json:"actual"`
	OK             bool     `json:"ok"`
	WindowSeconds  *float64 `json:"window_seconds,omitempty"`
	WorstAtSeconds *float64 `json:"worst_at_seconds,omitempty"`
}

// Limit returns the number of the condition, and false if it has none.
func (t Threshold) Limit() (float64, bool) {
	_, text, _ := strings.Cut(t.Condition, " ")
	limit, err := strconv.ParseFloat(text, 64)
	return limit, err == nil
}

// Difference returns the distance between the value and the limit, such as "68 % over";
// empty if it is no percentage.
func (t Threshold) Difference() string {
	limit, ok := t.Limit()
	if !ok || limit == 0 || t.Actual == nil {
		return ""
	}
	share := (*t.Actual - limit) / math.Abs(limit)
	switch {
	case math.IsInf(share, 0):
		return ""
	case share > 0:
		return quantity.Percent(share) + " over"
	case share < 0:
		return quantity.Percent(share) + " under"
	}
	return "at the limit"
}

// Meets reports whether the metric's value meets a condition such as "== 0" or
// "== true". A metric without a number does not.
func (m Metric) Meets(condition string) bool {
	v, ok := Number(m.Value)
	return ok && meets(v, condition)
}

// Number returns a metric's value as a number, where true is 1 and false 0. It returns
// false for other values.
func Number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, Finite(v)
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// meets returns false for a condition that it cannot read.
func meets(v float64, condition string) bool {
	operator, text, _ := strings.Cut(condition, " ")
	limit, err := strconv.ParseFloat(text, 64)
	switch text {
	case "true":
		limit, err = 1, nil
	case "false":
		limit, err = 0, nil
	}
	return err == nil && Holds(v, operator, limit)
}

// Holds reports whether a condition such as "< 5" is true of a value. It is not for NaN,
// nor for an unknown operator.
func Holds(v float64, operator string, limit float64) bool {
	if math.IsNaN(v) {
		return false
	}
	switch operator {
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "==":
		return v == limit
	case "!=":
		return v != limit
	}
	return false
}
