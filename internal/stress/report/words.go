package report

import (
	"fmt"
	"strings"
	"unicode"
)

// Clean makes a text from outside safe to print in one line: nothing in it may
// move the cursor, break the line or turn the direction of writing.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// Clock writes seconds as minutes and seconds, from an hour on with hours.
func Clock(seconds float64) string {
	s := int64(max(seconds, 0))
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
