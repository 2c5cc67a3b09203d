package verdict

import (
	"fmt"
	"regexp"
	"strconv"

	"mabeam-top/internal/stress/report"
)

// ConditionPattern is the regular expression of a condition: an operator and a
// decimal number, which may be a percentage. Names of units are not part of
// it: a metric has one unit, and the limit is in it.
const ConditionPattern = `^\s*(<=|<|>=|>|==|!=)\s*(?:(true|false)|([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(%))?)\s*$`

var conditionForm = regexp.MustCompile(ConditionPattern)

// ParseCondition reads a condition such as "< 5", ">= 95000", "<= 20%" (0.2)
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
		// Shifting the decimal point in the text, unlike a division by 100,
		// never rounds twice: 7% is the number nearest to 0.07.
		exponent = "e-2"
	}
	limit, err := strconv.ParseFloat(number+exponent, 64)
	if err != nil {
		return Condition{}, fmt.Errorf("the limit of the condition %q is too large a number", text)
	}
	return Condition{Op: operator, Limit: limit}, nil
}

// String returns the condition as ParseCondition reads it.
func (c Condition) String() string {
	return c.Op + " " + strconv.FormatFloat(c.Limit, 'f', -1, 64)
}

// text is String in the notation of a metric of that unit.
func (c Condition) text(unit string) string {
	if unit == "bool" && (c.Limit == 0 || c.Limit == 1) {
		return fmt.Sprintf("%s %t", c.Op, c.Limit == 1)
	}
	return c.String()
}

// between says whether the condition is true of a part of the interval only.
func (c Condition) between(i report.Interval) bool {
	return c.Holds(i.Low) != c.Holds(i.High)
}
