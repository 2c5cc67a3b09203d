package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"mabeam-top/internal/stress/quantity"
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

// Limit returns the number of the threshold's condition, and false if it has
// none.
func (t Threshold) Limit() (float64, bool) {
	_, text, _ := strings.Cut(t.Condition, " ")
	limit, err := strconv.ParseFloat(text, 64)
	return limit, err == nil
}

// OverOrUnder says how far the value is from the limit, such as "68 % over";
// nothing where no share tells that.
func (t Threshold) Difference() string {
	limit, ok := t.Limit()
	if !ok || limit == 0 || t.Actual == nil {
		return ""
	}
	share := (*t.Actual - limit) / math.Abs(limit)
	switch {
	case math.IsInf(share, 0):
		return ""
	case share > 0:
		return quantity.Percent(share) + " over"
	case share < 0:
		return quantity.Percent(share) + " under"
	}
	return "at the limit"
}

var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// ShellWord quotes an argument where a shell would take it apart.
func ShellWord(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
