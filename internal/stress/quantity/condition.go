package quantity

import "strings"

// Condition returns a condition such as "< 5" with the unit of its number: "< 5 ms". It
// returns one on a bool as "== yes" or "== no".
func Condition(condition, unit string) string {
	switch unit {
	case "ms", "s", "bytes", "MB":
		return condition + " " + unit
	case "1/s":
		return condition + "/s"
	case "bool":
		operator, limit, _ := strings.Cut(condition, " ")
		switch limit {
		case "1", "true":
			return operator + " yes"
		case "0", "false":
			return operator + " no"
		}
	}
	return condition
}
