package format

import (
	"fmt"
	"strings"
	"unicode"
)

// md escapes a text for one line of Markdown, also in a cell of a table. Nothing in the
// result mentions a person or an issue, or is a link.
func md(s string) string {
	runes := []rune(xmlLine(s))
	var b strings.Builder
	start := true // only digits so far, which may begin a list
	for i, r := range runes {
		insideWord := i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1])
		switch {
		case r == '@' || r == '#' || r == '/' && i > 0 && runes[i-1] == '/' || r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"):
			fmt.Fprintf(&b, "%c<!-- -->", r) // breaks the mention or link
		case r == '_' && insideWord:
			b.WriteRune(r) // as in most names, where it has no meaning
		case strings.ContainsRune("\\`*_{}[]<>|~$&", r),
			i == 0 && strings.ContainsRune("-+=", r),
			start && i > 0 && (r == '.' || r == ')') && (i+1 == len(runes) || runes[i+1] == ' '):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
		start = start && unicode.IsDigit(r)
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mdCode escapes a text as code, which it cannot end, also in a table.
func mdCode(s string) string {
	var b strings.Builder
	for _, r := range xmlLine(s) {
		if r < unicode.MaxASCII && !isWord(r) && !strings.ContainsRune(" -=,.%", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return "<code>" + b.String() + "</code>"
}

var mdSigns = map[string]string{
	"pass": "✅", "exceed": "✅", "warn": "⚠️", "fail": "❌", "inconclusive": "❓", "error": "💥", "interrupted": "✋",
}

// mdVerdict adds a sign to a verdict that is easy to find.
func mdVerdict(v string) string { return join(" ", mdSigns[v], strings.ToUpper(md(v))) }
