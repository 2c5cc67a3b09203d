package report

import (
	"strings"
	"unicode"
)

// Clean makes a text from a run, such as an error message, safe to print in one line: it
// cannot move the cursor, break the line or change the writing direction.
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

// FirstLine returns a message without what follows its first line, such as a stack trace.
func FirstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}
