package scenario

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// didYouMean returns the end of a message about an unknown name: the most similar known
// name, or all known names if none is similar.
func didYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "; there are none"
	}
	if best := Nearest(name, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; expected " + oneOf(known)
}

// Nearest returns the known name that is most similar to a misspelt one; "" if none is
// similar.
func Nearest(name string, known []string) string {
	best, least := "", len(name)/3+2
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + strings.Join(names, ", ")
}
