package theme

import "strings"

// NeedsASCII reports whether the terminal of an environment cannot show braille
// or borders, because its locale is not UTF-8 or it is a console without those
// characters. An environment without a locale counts as UTF-8: containers have
// none, and people watch them from terminals that have.
func NeedsASCII(getenv func(string) string) bool {
	switch getenv("TERM") {
	case "linux", "dumb", "vt100", "vt220":
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
		}
	}
	return false
}
