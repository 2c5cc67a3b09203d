// Package enum names the values of enumerations, for their String methods.
package enum

import "strconv"

// Name returns the name of a value, which is its index in names, or the number itself if
// the value has no name.
func Name[T ~int](names []string, value T) string {
	if value < 0 || int(value) >= len(names) {
		return strconv.Itoa(int(value))
	}
	return names[value]
}
