package eventbus

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadPattern means that a pattern or event type is empty or too long.
var ErrBadPattern = errors.New("bad pattern")

// maxPatternLength is the maximum length of a pattern or event type in bytes.
const maxPatternLength = 256

// CheckPattern returns an ErrBadPattern if a pattern or event type is empty or too long.
func CheckPattern(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("%w: empty", ErrBadPattern)
	case len(pattern) > maxPatternLength:
		return fmt.Errorf("%w: %d bytes, more than %d", ErrBadPattern, len(pattern), maxPatternLength)
	}
	return nil
}

// Matches reports whether an event type matches a pattern.
//
// A star matches any sequence of characters, even an empty one. A dot directly before a star is a word
// border: ".*" matches the end of the type, or a character that is neither a letter nor a digit and
// everything after it. So "demo.*" matches "demo", "demo.x" and "demo_x", but not "demolition".
func Matches(pattern, eventType string) bool {
	// The match is greedy with one level of backtracking: if the rest after the last star does not
	// match, that star takes one more character. That suffices, because extending an earlier star
	// could only leave less for the later ones.
	var p, t int
	lastStar, retry := -1, 0
	for {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			lastStar, retry = p, t
			p++
			continue
		case p+1 < len(pattern) && pattern[p] == '.' && pattern[p+1] == '*' && atBorder(eventType, t):
			lastStar, retry = p+1, t
			p += 2
			continue
		case p < len(pattern) && t < len(eventType) && pattern[p] == eventType[t] && !isBorder(pattern, p):
			p++
			t++
			continue
		case p == len(pattern) && t == len(eventType):
			return true
		}
		if lastStar < 0 || retry >= len(eventType) {
			return false
		}
		retry++
		p, t = lastStar+1, retry
	}
}

// isBorder reports whether a word border starts at p of the pattern.
func isBorder(pattern string, p int) bool {
	return strings.HasPrefix(pattern[p:], ".*")
}

// atBorder reports whether a word ends before t of the event type.
func atBorder(eventType string, t int) bool {
	if t == len(eventType) {
		return true
	}
	c := eventType[t]
	word := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
	return !word
}
