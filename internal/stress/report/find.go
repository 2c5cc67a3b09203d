package report

import "strings"

// Find returns the metric that a threshold's name means: NAME, or for
// NAME.STAT the metric NAME with that statistic of its distribution. A metric
// whose own name has a dot comes before a statistic.
func Find(metrics map[string]Metric, name string) (m Metric, stat string, ok bool) {
	if m, ok := metrics[name]; ok {
		return m, "", true
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return Metric{}, "", false
	}
	m, ok = metrics[name[:dot]]
	return m, name[dot+1:], ok
}

// InUnit writes a threshold's condition with the unit that its number is in,
// such as "< 5 ms", and that on a bool as "== yes".
func InUnit(condition, unit string) string {
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
