package check

import (
	"fmt"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A Tally counts checks by their results.
type Tally struct{ Passed, Warned, Failed, Undecided, Pending int }

// Count counts the checks of rows.
func Count(rows []Row) Tally {
	var t Tally
	for _, r := range rows {
		n := max(r.Exact, 1)
		switch r.Word {
		case "PASS", "EXCEED":
			t.Passed += n
		case theme.Undecided:
			t.Undecided++
		case "WARN", "INCONCLUSIVE":
			t.Warned++
		case "FAIL", "ERROR":
			t.Failed++
		case theme.Running, theme.Waiting:
			t.Pending += n
		}
	}
	return t
}

// Judged is the number of checks that have a result.
func (t Tally) Judged() int { return t.Passed + t.Warned + t.Failed + t.Undecided }

// Text formats a tally with a word for each number above 0.
func (t Tally) Text(th *theme.Theme) string {
	var parts []string
	for _, p := range []struct {
		n     int
		word  string
		style theme.Style
	}{{t.Failed, "FAIL", th.Fail}, {t.Undecided, theme.Undecided, th.Warn}, {t.Warned, "WARN", th.Warn}, {t.Passed, "PASS", th.Pass}, {t.Pending, "pending", th.Muted}} {
		if p.n > 0 {
			parts = append(parts, p.style.Render(fmt.Sprintf("%d %s", p.n, p.word)))
		}
	}
	return strings.Join(parts, " ")
}
