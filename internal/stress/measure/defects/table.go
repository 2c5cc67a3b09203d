package main

import (
	"fmt"
	"io"
	"strings"
)

// shownFailures limits the failed checks of a row.
const shownFailures = 6

// A table writes a row for each result as soon as it is known.
type table struct {
	out              io.Writer
	call             call
	rows, caught     int
	smoke, smokeSeen int // defects tried with the tag smoke, and detected by it
}

func newTable(out io.Writer, c call) *table {
	t := &table{out: out, call: c}
	if c.markdown {
		t.printf("| defect | | caught by | repetitions | `--tag smoke` |\n")
		t.printf("| --- | --- | --- | --- | --- |\n")
	}
	return t
}

// printf writes a part of the table. Errors do not matter.
func (t *table) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }

// add writes a row. It reports whether the result is the expected one.
func (t *table) add(r result, smoke *result) (ok bool) {
	ok = r.ok(t.call.tag != "")
	if r.defect.name != healthy {
		t.rows++
		if r.outcome == caught || r.outcome == elsewhere {
			t.caught++
		}
		if smoke != nil {
			t.smoke++
			if smoke.outcome == caught || smoke.outcome == elsewhere {
				t.smokeSeen++
			}
		}
	}
	if smoke != nil {
		ok = smoke.ok(true) && ok
	}
	if t.call.markdown {
		t.writeMarkdown(r, smoke)
	} else {
		t.write(r)
		if smoke != nil {
			t.write(*smoke)
		}
	}
	return ok
}

// write writes a row of text.
func (t *table) write(r result) {
	t.printf("%-34s %-16s verdict %-12s exit %d  %5.1f s\n", r.defect.name, r.outcome, r.verdict, r.exit, r.took.Seconds())
	for i, f := range r.failures {
		if i == shownFailures {
			t.printf("    and %d more\n", len(r.failures)-i)
			break
		}
		mark := ' '
		if r.matched != nil && i == 0 {
			mark = '*'
		}
		t.printf("  %c %s: %s\n", mark, f.check, f.detail)
	}
	if r.matched == nil && r.outcome != sound {
		for i, c := range r.defect.expected {
			value := "no report"
			if i < len(r.reported) {
				value = r.reported[i]
			}
			t.printf("  ? %s: expected to fail; %s\n", c, value)
		}
	}
	if r.err != nil {
		t.printf("    %v\n", r.err)
	}
}

// writeMarkdown writes a row of the Markdown table.
func (t *table) writeMarkdown(r result, smoke *result) {
	by, repetitions := string(r.outcome), ""
	if len(r.failures) > 0 {
		first := r.failures[0]
		by = fmt.Sprintf("`%s` of %s", first.metric, place(first.check))
		repetitions = fmt.Sprint(first.repetitions)
	}
	if r.outcome == missed && r.defect.uncaught != "" {
		by = "nothing: " + r.defect.uncaught
	}
	seen := ""
	if smoke != nil {
		seen = string(smoke.outcome)
		if len(smoke.failures) > 0 {
			seen = fmt.Sprintf("`%s` of %s", smoke.failures[0].metric, smoke.failures[0].step)
		}
	}
	cells := []string{"`" + r.defect.name + "`", r.defect.sentence, by, repetitions, seen}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
	}
	t.printf("| %s |\n", strings.Join(cells, " | "))
}

// place returns the scenario of a check, with the step if it has another name.
func place(c check) string {
	if c.scenario == c.step {
		return c.scenario
	}
	return c.scenario + ", step " + c.step
}

// end writes the totals.
func (t *table) end() {
	if t.rows == 0 {
		return
	}
	text := fmt.Sprintf("%d of %d defects caught", t.caught, t.rows)
	if t.smoke > 0 {
		text += fmt.Sprintf(", %d of %d by the tag smoke", t.smokeSeen, t.smoke)
	}
	if t.call.markdown {
		text = "\n" + text + "."
	}
	t.printf("%s\n", text)
}
