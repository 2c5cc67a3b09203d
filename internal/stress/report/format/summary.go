package format

import (
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
)

// summary says in one line what failed, and what regressed.
func summary(r report.Report) string {
	text := checksSummary(r)
	if r.Regressed() {
		text += "; " + comparisonSummary(*r.Regression)
	}
	return text
}

// A tally counts the steps of a report by their verdicts and the rows with a check by
// their words.
type tally struct {
	steps, checks int
	verdicts      map[report.Verdict]int
	words         map[string]int
}

func tallyOf(r report.Report) tally {
	t := tally{verdicts: map[report.Verdict]int{}, words: map[string]int{}}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			t.steps++
			t.verdicts[step.Verdict]++
			if step.Verdict == report.Inconclusive {
				continue // its checks say nothing about the system
			}
			for _, row := range rowsOf(step) {
				if row.status != report.StatusInfo {
					t.checks++
					t.words[row.word()]++
				}
			}
		}
	}
	return t
}

func checksSummary(r report.Report) string {
	t := tallyOf(r)
	facts := slices.DeleteFunc([]string{
		share(t.verdicts[report.Interrupted], t.steps, "step", "was ", "interrupted"),
		share(t.verdicts[report.Broken], t.steps, "step", "", "could not be measured"),
		share(t.words[string(report.StatusFail)], t.checks, "check", "", "failed"),
		share(t.verdicts[report.Inconclusive], t.steps, "step", "is ", "inconclusive"),
		share(t.words[string(report.Inconclusive)], t.checks, "check", "is ", "inconclusive"),
		share(t.words[string(report.StatusWarn)], t.checks, "check", "is ", "close to failing"),
	}, func(fact string) bool { return fact == "" })
	switch {
	case len(facts) > 0:
		return strings.Join(facts, ", ")
	case len(r.Scenarios) == 0:
		return "no scenario ran"
	case t.steps == 0:
		return "no step ran"
	case t.checks == 0:
		return "no metric has a check"
	case t.checks == 1:
		return "the only check passed"
	}
	return fmt.Sprintf("all %d checks passed", t.checks)
}

// share says of how many things something is true: "2 of 8 checks failed". It is empty for
// none. A single thing needs a verb: "the only step is inconclusive".
func share(n, all int, noun, verb, predicate string) string {
	switch {
	case n == 0:
		return ""
	case all == 1:
		return fmt.Sprintf("the only %s %s%s", noun, verb, predicate)
	}
	return fmt.Sprintf("%d of %d %ss %s", n, all, noun, predicate)
}

// mostProblems is how many problems a report lists before its details.
const mostProblems = 10

// highlights lists the first problems and the recommendations of a run.
func highlights(r report.Report) []string {
	all := problems(r)
	first := all[:min(len(all), mostProblems)]
	if more := len(all) - len(first); more > 0 {
		first = append(slices.Clone(first), fmt.Sprintf("… and %d more below", more))
	}
	return slices.Concat(first, r.Recommendations)
}

// problems lists what is wrong, the worst first.
func problems(r report.Report) []string {
	var broken, failed, inconclusive, warned []string
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			where := s.Name + " › " + step.Name + ": "
			switch step.Verdict {
			case report.Broken, report.Interrupted:
				broken = append(broken, where+report.FirstLine(step.Reason()))
			case report.Inconclusive:
				inconclusive = append(inconclusive, where+step.Reason())
				continue
			}
			for _, row := range rowsOf(step) {
				switch row.word() { // in a failed step, an inconclusive row is no problem of its own
				case string(report.StatusFail):
					failed = append(failed, where+row.sentence())
				case string(report.StatusWarn):
					warned = append(warned, where+row.sentence())
				}
			}
		}
	}
	return slices.Concat(broken, failed, inconclusive, warned)
}

// titled is a title with the name behind it.
func titled(title, name string) string {
	if title == "" || title == name {
		return name
	}
	return title + " (" + name + ")"
}
