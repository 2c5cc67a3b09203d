package ui

import (
	"math"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// The units of the probes; the same names as in a report.
const (
	perSecond = "1/s"
	millis    = "ms"
	bytesUnit = "bytes"
	count     = "count"
	ratio     = "ratio"
	// These are of probes alone.
	percent        = "percent"
	bytesPerSecond = "bytes/s"
)

// reading is a value with always as many digits, so that a text with figures
// that change does not move.
func reading(v float64, unit string) string {
	switch unit {
	case percent:
		return strconv.FormatFloat(v, 'f', 0, 64) + " %"
	case ratio:
		return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
	case bytesPerSecond:
		return steady(quantity.Format(v, bytesUnit)) + "/s"
	case count:
		return quantity.Format(v, unit)
	default:
		return steady(quantity.Format(v, unit))
	}
}

// steady fills up the digits of a quantity to three: 20k/s becomes 20.0k/s. A
// number without a prefix that is whole stays so.
func steady(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 1 {
		return text
	}
	number, rest := text[:end], text[end:]
	digits := len(strings.TrimLeft(strings.ReplaceAll(number, ".", ""), "0"))
	if digits == 0 || digits >= 3 || rest == "/s" || rest == " B" {
		return text
	}
	if !strings.Contains(number, ".") {
		number += "."
	}
	return number + strings.Repeat("0", 3-digits) + rest
}

// signed writes a share with its sign: +64 %, -12 %.
func signed(share float64) string {
	if share < 0 {
		return "-" + quantity.Percent(share)
	}
	return "+" + quantity.Percent(share)
}

// roughly writes the size of a share where more than a decimal of a percentage
// says nothing.
func roughly(share float64) string {
	if math.Abs(share) < 0.0005 {
		return "0 %"
	}
	return quantity.Percent(share)
}

// moved writes by how much something has changed: +64 %, -12 %, 0 %.
func moved(share float64) string {
	text := roughly(share)
	switch {
	case text == "0 %":
		return text
	case share < 0:
		return "-" + text
	}
	return "+" + text
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
	switch {
	case width <= 0:
		return ""
	case textWidth(text) <= width:
		return text
	}
	return ansi.Truncate(text, width, s.ellipsis)
}

// pad cuts or fills a text to exactly a width.
func (s styles) pad(text string, width int) string {
	text = s.cut(text, width)
	return text + spaces(width-textWidth(text))
}

// padLeft is pad with the text at the right.
func (s styles) padLeft(text string, width int) string {
	text = s.cut(text, width)
	return spaces(width-textWidth(text)) + text
}

// ends puts one text at the left and one at the right of a row; the left one
// gives way.
func (s styles) ends(left, right string, width int) string {
	right = s.cut(right, width)
	return s.pad(left, width-textWidth(right)) + right
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }
