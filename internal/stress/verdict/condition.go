package verdict

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"mabeam-top/internal/stress/report"
)

// A Condition compares a number with a limit.
type Condition struct {
	// Op is one of < <= > >= == !=.
	Op    string  `json:"op"`
	Limit float64 `json:"limit"`
}

// ConditionPattern is the regular expression of a condition: an operator and a
// decimal number or percentage. It has no units: a metric has one unit, and the
// limit is in that unit.
const ConditionPattern = `^\s*(<=|<|>=|>|==|!=)\s*(?:(true|false)|([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(%))?)\s*$`

var conditionForm = regexp.MustCompile(ConditionPattern)

// ParseCondition parses a condition such as "< 5", ">= 95000", "<= 20%" (0.2)
// or "== true" (1, as a bool metric counts).
func ParseCondition(text string) (Condition, error) {
	parts := conditionForm.FindStringSubmatch(text)
	if parts == nil {
		return Condition{}, fmt.Errorf(`expected a condition such as "< 5", ">= 95000" or "<= 20%%" (an operator < <= > >= == != and a number without a unit), not %q`, text)
	}
	operator, boolean, number, exponent, percent := parts[1], parts[2], parts[3], parts[4], parts[5]
	switch {
	case boolean == "true":
		return Condition{Op: operator, Limit: 1}, nil
	case boolean == "false":
		return Condition{Op: operator, Limit: 0}, nil
	case percent != "":
		// Unlike a division by 100, an exponent rounds only once: 7% becomes the
		// number nearest to 0.07.
		exponent = "e-2"
	}
	limit, err := strconv.ParseFloat(number+exponent, 64)
	if err != nil {
		return Condition{}, fmt.Errorf("the limit of the condition %q is too large", text)
	}
	return Condition{Op: operator, Limit: limit}, nil
}

// String returns the condition in the form that ParseCondition parses.
func (c Condition) String() string {
	return c.Op + " " + strconv.FormatFloat(c.Limit, 'f', -1, 64)
}

// text returns the condition as it is written for a metric with that unit.
func (c Condition) text(unit string) string {
	if unit == "bool" && (c.Limit == 0 || c.Limit == 1) {
		return fmt.Sprintf("%s %t", c.Op, c.Limit == 1)
	}
	return c.String()
}

// Holds reports whether the condition holds for a value.
func (c Condition) Holds(v float64) bool { return report.Holds(v, c.Op, c.Limit) }

// splits reports whether the condition holds for one bound of the interval and
// not for the other.
func (c Condition) splits(i report.Interval) bool {
	return c.Holds(i.Low) != c.Holds(i.High)
}

// Possible reports whether the condition can hold for any value between least
// and most, either of which may be infinite.
func (c Condition) Possible(least, most float64) bool {
	switch c.Op {
	case "<":
		return least < c.Limit
	case "<=":
		return least <= c.Limit
	case ">":
		return most > c.Limit
	case ">=":
		return most >= c.Limit
	case "==":
		return least <= c.Limit && c.Limit <= most
	case "!=":
		return least != most || least != c.Limit
	}
	return false
}

// badness returns how far a value lies on the wrong side of the limit. A larger
// result is worse.
func (c Condition) badness(v float64) float64 {
	switch c.Op {
	case "<", "<=":
		return v - c.Limit
	case ">", ">=":
		return c.Limit - v
	case "!=":
		return -math.Abs(v - c.Limit)
	}
	return math.Abs(v - c.Limit)
}
