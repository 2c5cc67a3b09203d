package theme

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
)

// FirstLine returns the first line of an error's message. Panics carry a stack
// that does not belong on a screen.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Clean removes control characters and line breaks, so that text from a file or
// another process prints safely in one line.
func Clean(s string) string { return report.Clean(ansi.Strip(s)) }

// ASCII replaces the characters that a terminal without UTF-8 cannot show.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x80:
			return r
		case r == '↑':
			return '^'
		case r == '↓':
			return 'v'
		case r == 'µ':
			return 'u'
		case r == '–' || r == '−':
			return '-'
		case r == '×':
			return 'x'
		case r == '≥':
			return '>'
		case r == '≤':
			return '<'
		default:
			return '?'
		}
	}, s)
}

// Truncate shortens text to width columns and marks the cut with an ellipsis.
func (t *Theme) Truncate(text string, width int) string {
	switch {
	case width <= 0:
		return ""
	case Width(text) <= width:
		return text
	}
	return ansi.Truncate(text, width, t.Ellipsis)
}

// Pad truncates or fills text to exactly width columns.
func (t *Theme) Pad(text string, width int) string {
	text = t.Truncate(text, width)
	return text + Spaces(width-Width(text))
}

// PadLeft is Pad with the text aligned to the right.
func (t *Theme) PadLeft(text string, width int) string {
	text = t.Truncate(text, width)
	return Spaces(width-Width(text)) + text
}

// Justify puts left and right at the two ends of a row. If they do not both fit,
// it truncates left.
func (t *Theme) Justify(left, right string, width int) string {
	right = t.Truncate(right, width)
	return t.Pad(left, width-Width(right)) + right
}

// Spaces returns n spaces, none if n is negative.
func Spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// Wrap breaks text into lines of at most width columns.
func Wrap(text string, width int) []string {
	if text == "" || width < 1 {
		return nil
	}
	// A break after a hyphen would split flags such as --cpuprofile.
	const hyphen, whole = "-", "\u2011"
	return strings.Split(strings.ReplaceAll(ansi.Wrap(strings.ReplaceAll(text, hyphen, whole), width, ""), whole, hyphen), "\n")
}

// Bulleted wraps text to width columns behind a bullet.
func Bulleted(bullet, text string, width int) []string {
	lead := ansi.StringWidth(bullet) + 1
	var rows []string
	for i, line := range Wrap(text, max(width-lead, 10)) {
		if i > 0 {
			bullet = Spaces(lead - 1)
		}
		rows = append(rows, bullet+" "+line)
	}
	return rows
}

// Width returns the columns that s takes, as ansi.StringWidth does. A frame
// measures thousands of strings, nearly all made of plain characters, borders,
// braille and colours. Width counts those itself, at a fraction of the cost.
func Width(s string) int {
	width := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c >= 0x20 && c < 0x7f:
			i++
			width++
		case c == 0x1b && i+1 < len(s) && s[i+1] == '[':
			end := i + 2
			for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == ';') {
				end++
			}
			if end == len(s) || s[end] != 'm' {
				return ansi.StringWidth(s)
			}
			i = end + 1
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if !oneColumn(r) {
				return ansi.StringWidth(s)
			}
			i += size
			width++
		}
	}
	return width
}

// oneColumn reports whether r is a border, block, simple shape or braille
// pattern. Each of them takes one column and combines with no other character.
func oneColumn(r rune) bool { return r >= 0x2500 && r <= 0x25cf || r >= 0x2800 && r <= 0x28ff }
