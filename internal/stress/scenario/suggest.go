package scenario

import (
	"fmt"
	"strings"
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
		if d := editDistance(name, candidate, least); d < least {
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

// editDistance returns how many bytes have to be inserted, deleted or changed to turn a into
// b, or at least limit if their lengths differ by that much.
func editDistance(a, b string, limit int) int {
	if d := max(len(a)-len(b), len(b)-len(a)); d >= limit {
		return d
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
