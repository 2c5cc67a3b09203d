package format

import (
	"regexp"
	"strings"

	"mabeam-top/internal/stress/report"
)

var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// ShellWord quotes an argument for a POSIX shell if it needs quotes.
func ShellWord(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellLine is a command line that can be pasted into a shell.
func shellLine(arguments []string) string {
	words := make([]string, len(arguments))
	for i, a := range arguments {
		words[i] = ShellWord(report.Clean(a))
	}
	return strings.Join(words, " ")
}
