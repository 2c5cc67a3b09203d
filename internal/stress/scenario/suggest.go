package scenario

import (
	"fmt"
	"strings"
)

// didYouMean returns the end of a message about an unknown name: the known
// name that is most like it, or if none is, all of them.
func didYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "; it has none"
	}
	if best := Nearest(name, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; expected " + oneOf(known)
}

// Nearest returns the known name that a misspelt one most likely means; "" if
// none is much like it.
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

// editDistance counts the bytes to insert, delete or change to make a into b;
// it is at least limit where their lengths alone differ by that much.
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
