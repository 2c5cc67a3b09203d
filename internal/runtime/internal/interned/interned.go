// Package interned compares strings that are usually the same string in memory.
package interned

import "unsafe"

// Equal reports whether two strings are equal. It is faster than == if they usually are the same
// string in memory, because it then needs no call. Callers nearly always name an event type or an
// action by the same string.
func Equal(x, y string) bool {
	return len(x) == len(y) && (unsafe.StringData(x) == unsafe.StringData(y) || x == y)
}
