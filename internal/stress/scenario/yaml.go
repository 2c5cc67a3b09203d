package scenario

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// flow returns the result of encode as YAML on one line.
func flow(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case notation:
		return string(v)
	case string:
		return quote(v, ",")
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		s := formatNumber(v)
		if !strings.Contains(s, ".") {
			s += ".0" // otherwise it would be read as an integer
		}
		return s
	case []any:
		return "[" + joined(v, flow) + "]"
	case []field:
		return "{" + joined(v, func(f field) string { return quote(f.key, ",") + ": " + flow(f.value) }) + "}"
	case map[string]any:
		return "{" + joined(slices.Sorted(maps.Keys(v)), func(key string) string {
			return quote(key, ",") + ": " + flow(v[key])
		}) + "}"
	}
	panic(fmt.Sprintf("scenario: a parameter has the type %T, which a file cannot express", v))
}

func joined[T any](list []T, show func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = show(v)
	}
	return strings.Join(parts, ", ")
}

var (
	// plainForm matches texts that certainly need no quotes; YAML allows more.
	plainForm = regexp.MustCompile(`^[A-Za-z_]([A-Za-z0-9_.,/()' -]*[A-Za-z0-9_.()])?$`)
	// reservedForm matches words that some readers of YAML do not read as texts.
	reservedForm = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n|inf|nan)$`)
)

// quote returns a text as YAML on one line, in quotes if it needs them or contains one of
// the special characters.
func quote(s, special string) string {
	if plainForm.MatchString(s) && !reservedForm.MatchString(s) && !strings.ContainsAny(s, special) {
		return s
	}
	// Go's escapes are a subset of YAML's.
	return strconv.Quote(s)
}

// paragraph returns a text as a YAML block of lines if possible.
func paragraph(s string) string {
	lines := strings.Split(s, "\n")
	if len(lines) == 1 {
		return quote(s, "")
	}
	for _, line := range lines {
		unprintable := strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) })
		if unprintable || strings.HasSuffix(line, " ") {
			return quote(s, "")
		}
	}
	var w strings.Builder
	w.WriteString("|-")
	for _, line := range lines {
		w.WriteByte('\n')
		if line != "" {
			w.WriteString("  " + line)
		}
	}
	return w.String()
}
