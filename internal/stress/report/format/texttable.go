package format

import (
	"strings"

	"mabeam-top/internal/stress/report"
)

// columns are the widths of a table; 0 leaves a column out.
type columns struct {
	status, name, value, limit, difference, spread int
}

// titles are the headings of the columns.
var titles = row{name: "METRIC", value: "VALUE", check: report.Check{Limit: "LIMIT", Difference: "DIFFERENCE"}, spread: "SPREAD"}

const statusTitle = "STATUS"

// columnsOf fits the tables of a whole report to the page, so that all align. If they are
// too wide, it drops the spread first, then shortens names, then drops the limit and the
// difference.
func columnsOf(r report.Report, p *page) columns {
	c := columns{status: len(statusTitle), name: len(titles.name), value: len(titles.value), limit: len(titles.check.Limit), difference: len(titles.check.Difference)}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for _, row := range collapse(rowsOf(step)) {
				c.widen(row, p)
			}
		}
	}
	c.name = min(c.name, 48)
	c.fit(p.width)
	return c
}

// widen makes room for a row.
func (c *columns) widen(r row, p *page) {
	width := func(s string) int { return p.columns(p.clean(s)) }
	c.status = max(c.status, len(r.word()))
	if r.value == "" {
		return // its name takes the whole line
	}
	c.name = max(c.name, width(r.name))
	c.value = max(c.value, min(14, width(r.value))) // a long text need not align
	c.limit = max(c.limit, width(r.check.Limit))
	c.difference = max(c.difference, width(r.check.Difference))
	if r.spread != "" {
		c.spread = max(c.spread, len(titles.spread), width(r.spread))
	}
}

// fit makes a row at most as wide as the page, as far as possible.
func (c *columns) fit(width int) {
	shortenName := func(least int) {
		if over := c.total() - width; over > 0 {
			c.name = max(least, c.name-over)
		}
	}
	drop := func(column *int) {
		if c.total() > width {
			*column = 0
		}
	}
	shortenName(30)
	drop(&c.spread)
	shortenName(16)
	drop(&c.limit)
	drop(&c.difference)
	shortenName(4)
}

// total is the width of a row, with the indent and the gaps.
func (c columns) total() int {
	total := 2 + c.status + 1 + c.name + 2 + c.value
	for _, width := range []int{c.limit, c.difference, c.spread} {
		if width > 0 {
			total += 2 + width
		}
	}
	return total
}

// table writes the rows of a step.
func (p *page) table(rows []row, c columns) {
	p.row(c, dim, dim, titles, statusTitle)
	indent := strings.Repeat(" ", 2+c.status+1+2)
	written := map[string]bool{} // a metric and its thresholds have the same distribution
	for _, r := range rows {
		first, rest, word := rowStyle(r)
		if r.value == "" {
			p.line(span{plain, "  "}, span{first, p.pad(word, c.status, false)}, span{rest, " " + r.name})
			continue
		}
		p.row(c, first, rest, r, word)
		texts := []string{r.remark(), r.moreChecks(c.limit == 0)}
		if !written[r.distribution] {
			written[r.distribution] = true
			texts = append(texts, r.distribution)
		}
		for _, text := range texts {
			if text != "" {
				p.wrap(dim, indent, text)
			}
		}
	}
}

// rowStyle returns the styles of a row's first and other columns, and its word.
func rowStyle(r row) (first, rest style, word string) {
	if r.informs() {
		return dim, dim, r.word()
	}
	return styleOf(r.word()), plain, strings.ToUpper(r.word())
}

// moreChecks says of a row that failed or warned what its columns do not say of its
// checks. Narrow means that the table has no column for the limit.
func (r row) moreChecks(narrow bool) string {
	if r.word() != string(report.StatusFail) && r.word() != string(report.StatusWarn) {
		return ""
	}
	check, others := "", ""
	if narrow || r.check.Basis != "" {
		check = r.check.Text()
	}
	if r.others != "" {
		others = "other checks: " + r.others
	}
	return join("; ", check, others)
}

// row writes a line of a table.
func (p *page) row(c columns, first, rest style, r row, word string) {
	cell := func(text string, width int, right bool) string {
		return p.pad(p.cut(p.clean(text), width), width, right)
	}
	text := " " + cell(p.cutMiddle(p.clean(r.name), c.name), c.name, false) + "  "
	if value := p.clean(r.value); r.check.Limit == "" && r.spread == "" && p.columns(value) > c.value {
		text += value // a long text without a check may take the other columns
	} else {
		text += cell(r.value, c.value, true)
		for _, more := range []struct {
			text  string
			width int
		}{{r.check.Limit, c.limit}, {r.check.Difference, c.difference}, {r.spread, c.spread}} {
			if more.width > 0 {
				text += "  " + cell(more.text, more.width, true)
			}
		}
	}
	p.line(span{plain, "  "}, span{first, cell(word, c.status, false)}, span{rest, text})
}
