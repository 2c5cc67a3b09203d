package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
)

// The units of the probes; the same names as in a report.
const (
	perSecond = "1/s"
	millis    = "ms"
	bytesUnit = "bytes"
	count     = "count"
)

// axisLabel is a value in as few characters as the scale of a chart has.
func axisLabel(v float64, unit string) string {
	if unit == count || unit == perSecond {
		return strings.TrimSuffix(report.Quantity(v, perSecond), "/s")
	}
	return report.Quantity(v, unit)
}

// signed writes a share with its sign: +64 %, -12 %.
func signed(share float64) string {
	if share < 0 {
		return "-" + report.Percent(share)
	}
	return "+" + report.Percent(share)
}

// clean makes a text from outside safe to print in one line.
func clean(s string) string { return report.Clean(ansi.Strip(s)) }

// toASCII replaces what a terminal without UTF-8 could not show.
func toASCII(s string) string {
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

// cut shortens a text to a width.
func (s styles) cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(text, width, s.ellipsis)
}

// pad cuts or fills a text to exactly a width.
func (s styles) pad(text string, width int) string {
	text = s.cut(text, width)
	return text + spaces(width-ansi.StringWidth(text))
}

// padLeft is pad with the text at the right.
func (s styles) padLeft(text string, width int) string {
	text = s.cut(text, width)
	return spaces(width-ansi.StringWidth(text)) + text
}

// ends puts one text at the left and one at the right of a row; the left one
// gives way.
func (s styles) ends(left, right string, width int) string {
	right = s.cut(right, width)
	return s.pad(left, width-ansi.StringWidth(right)) + right
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }
