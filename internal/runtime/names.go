package mabeam

import "strconv"

// nameOf is how a value is told whose names are a list; one that has none is told as a
// number.
func nameOf(names []string, value int) string {
	if value < 0 || value >= len(names) {
		return strconv.Itoa(value)
	}
	return names[value]
}
