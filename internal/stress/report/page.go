package report

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"mabeam-top/internal/stress/quantity"

	"github.com/mattn/go-runewidth"
)

// A style is what a span of text looks like in colour; without colour all
// look the same, so none may carry a meaning of its own.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
)

func verdictStyle(v Verdict) style {
	switch v {
	case Pass:
		return green
	case Warn, Inconclusive:
		return yellow
	}
	return red
}

func statusStyle(s Status) style {
	switch s {
	case StatusFail:
		return red
	case StatusWarn:
		return yellow
	case StatusPass, StatusExceed:
		return green
	}
	return dim
}

// A span is a piece of a line in one style.
type span struct {
	style style
	text  string
}

// A page lays text out in lines of at most its width.
type page struct {
	out     strings.Builder
	width   int
	color   bool
	ascii   bool
	measure *runewidth.Condition
}

func newPage(o TextOptions) *page {
	p := &page{width: o.Width, color: o.Color, ascii: o.ASCII}
	if p.width <= 0 {
		p.width = 80
	}
	// A condition of our own: the library's would look at the locale, and the
	// same report would be laid out differently on another machine.
	p.measure = &runewidth.Condition{StrictEmojiNeutral: true}
	return p
}

var asciiFor = strings.NewReplacer("…", "...", "›", ">", "±", "+-", "×", "x", "µ", "u", "–", "-", "—", "-", "−", "-", "≤", "<=", "≥", ">=")

// clean makes text from elsewhere fit to be printed: nothing in it may move
// the cursor, break the line or turn the direction of writing.
func (p *page) clean(s string) string {
	if p.ascii {
		s = asciiFor.Replace(s)
	}
	s = Clean(s)
	if !p.ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, s)
}

func (p *page) columns(s string) int { return p.measure.StringWidth(s) }

func (p *page) cut(s string, width int) string {
	if p.columns(s) <= width {
		return s
	}
	tail := p.clean("…")
	if width <= p.columns(tail) {
		tail = ""
	}
	return p.measure.Truncate(s, width, tail)
}

// pad fills s with blanks to the width, on the left if right is set.
func (p *page) pad(s string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-p.columns(s)))
	if right {
		return fill + s
	}
	return s + fill
}

func (p *page) blank() { p.out.WriteByte('\n') }

// line writes spans as one line, cut to the width and without blanks at its
// end, which would only make lines wrap and differences noisy.
func (p *page) line(spans ...span) {
	left := p.width
	for i := range spans {
		spans[i].text = p.cut(p.clean(spans[i].text), left)
		left -= p.columns(spans[i].text)
	}
	for i := len(spans) - 1; i >= 0; i-- {
		if spans[i].text = strings.TrimRight(spans[i].text, " "); spans[i].text != "" {
			break
		}
	}
	for _, s := range spans {
		if p.color && s.style != plain && strings.TrimSpace(s.text) != "" {
			s.text = "\x1b[" + string(s.style) + "m" + s.text + "\x1b[0m"
		}
		p.out.WriteString(s.text)
	}
	p.out.WriteByte('\n')
}

// wrap writes text in as many lines as it takes, the first behind the prefix
// and the others as far indented. It breaks at blanks, and a word only if it
// is longer than a line.
func (p *page) wrap(s style, prefix, text string) {
	p.hang(span{dim, prefix}, s, text)
}

// hang is wrap with a prefix of any style.
func (p *page) hang(prefix span, s style, text string) {
	prefix.text = p.clean(prefix.text)
	room := p.width - p.columns(prefix.text)
	if room < 8 { // too narrow to indent
		if strings.TrimSpace(prefix.text) != "" {
			p.line(prefix)
		}
		prefix.text, room = "", p.width
	}
	var current string
	flush := func() {
		p.line(prefix, span{s, current})
		prefix = span{plain, strings.Repeat(" ", p.columns(prefix.text))}
		current = ""
	}
	for _, word := range p.words(text) {
		if current != "" {
			if p.columns(current)+1+p.columns(word) <= room {
				current += " " + word
				continue
			}
			flush()
		}
		for p.columns(word) > room {
			head := p.measure.Truncate(word, room, "")
			if head == "" { // a wide character in a single column
				break
			}
			current = head
			flush()
			word = word[len(head):]
		}
		current = word
	}
	flush()
}

// words splits text at blanks, but leaves a value and its unit together.
func (p *page) words(text string) []string {
	var words []string
	for _, word := range strings.Fields(p.clean(text)) {
		if n := len(words); n > 0 && numberEnd.MatchString(words[n-1]) && units[strings.TrimRight(word, ",;:)")] {
			words[n-1] += " " + word
			continue
		}
		words = append(words, word)
	}
	return words
}

var (
	numberEnd = regexp.MustCompile(`[0-9]$`)
	units     = map[string]bool{"ns": true, "µs": true, "us": true, "ms": true, "s": true, "min": true, "h": true, "%": true, "B": true, "kB": true, "MB": true, "GB": true, "TB": true}
)

const labelWidth = 13

// field writes a labelled text under a step or at the end.
func (p *page) field(label, text string) {
	p.wrap(plain, "  "+p.pad(label, labelWidth, false), text)
}

// heading writes a name on the left and the verdict on the right.
func (p *page) heading(s style, name string, verdict Verdict, score, seconds float64) {
	word := p.pad(strings.ToUpper(string(verdict)), 4, false)
	tail := "  score " + quantity.Number(score) + "  " + p.clean(quantity.Format(seconds, "s"))
	room := p.width - p.columns(word) - len(tail) - 2
	if room < 16 { // the verdict matters more than how long it took
		tail = ""
		room = max(1, p.width-p.columns(word)-2)
	}
	name = p.cut(p.clean(name), room)
	p.line(span{s, p.pad(name, room, false)}, span{plain, "  "}, span{verdictStyle(verdict), word}, span{dim, tail})
}

// columns are the widths of a step's table; 0 leaves a column out.
type columns struct {
	status, name, value, against, difference, spread int
}

// columnsFor fits the tables of a whole report to the width, so that all of
// them align: what is narrow enough keeps its width, then the spread goes,
// then names are cut, then the limit goes and the difference from it.
func columnsFor(r Report, p *page) columns {
	c := columns{status: len("STATUS"), name: len("METRIC"), value: len("VALUE"), against: len("AGAINST"), difference: len("DIFFERENCE")}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for _, check := range collapse(checksOf(step)) {
				c.status = max(c.status, len(check.word()))
				if check.value == "" {
					continue // it stands alone
				}
				c.name = max(c.name, p.columns(p.clean(check.name)))
				// A long text is cut; it has no place to align with.
				c.value = max(c.value, min(14, p.columns(p.clean(check.value))))
				c.against = max(c.against, p.columns(p.clean(check.against)))
				c.difference = max(c.difference, p.columns(p.clean(check.difference)))
				if check.spread != "" {
					c.spread = max(c.spread, len("SPREAD"), p.columns(p.clean(check.spread)))
				}
			}
		}
	}
	c.name = min(c.name, 48)
	shrink := func(column *int, least int) {
		if over := c.total() - p.width; over > 0 {
			*column = max(least, *column-over)
		}
	}
	shrink(&c.name, 30)
	if c.total() > p.width {
		c.spread = 0
	}
	shrink(&c.name, 16)
	if c.total() > p.width {
		c.against = 0
	}
	if c.total() > p.width {
		c.difference = 0
	}
	shrink(&c.name, 4)
	return c
}

// total is the width of a row, with the indent and the gaps.
func (c columns) total() int {
	total := 2 + c.status + 1 + c.name + 2 + c.value
	for _, width := range []int{c.against, c.difference, c.spread} {
		if width > 0 {
			total += 2 + width
		}
	}
	return total
}

// table writes a step's checks, those without a judgement last and dimmed.
func (p *page) table(checks []check, c columns) {
	p.row(c, dim, dim, check{name: "METRIC", value: "VALUE", against: "AGAINST", difference: "DIFFERENCE", spread: "SPREAD"}, "STATUS")
	told := map[string]bool{} // a metric and its thresholds have one distribution
	for _, check := range checks {
		word, look, rest := strings.ToUpper(check.word()), statusStyle(check.status), plain
		switch {
		case check.undecided:
			look = yellow
		case check.status == StatusInfo:
			word, rest = "info", dim
		}
		if check.value == "" {
			p.line(span{plain, "  "}, span{look, p.pad(word, c.status, false)}, span{rest, " " + check.name})
			continue
		}
		p.row(c, look, rest, check, word)
		indent := strings.Repeat(" ", 2+c.status+1)
		for _, text := range []string{check.note, check.reason(c.against == 0)} {
			if text != "" {
				p.wrap(dim, indent+"  ", text)
			}
		}
		if check.detail != "" && !told[check.detail] {
			told[check.detail] = true
			p.wrap(dim, indent+"  ", check.detail)
		}
	}
}

// reason says of a check that did badly what it is held against, as far as its row
// does not. Narrow says that the row has no column for that.
func (c check) reason(narrow bool) string {
	if c.word() != string(StatusFail) && c.word() != string(StatusWarn) {
		return ""
	}
	var parts []string
	if narrow || c.basis != "" {
		parts = append(parts, c.standard())
	}
	if c.others != "" {
		parts = append(parts, "also held against "+c.others)
	}
	return strings.Join(parts, "; ")
}

func (p *page) row(c columns, first, rest style, check check, word string) {
	cell := func(text string, width int, right bool) string {
		return p.pad(p.cut(p.clean(text), width), width, right)
	}
	// A long name is cut in its middle: what tells names apart stands at
	// either end.
	name := p.clean(check.name)
	if c.name >= 8 && p.columns(name) > c.name {
		tail := name
		for p.columns(tail) > c.name/2-1 {
			_, size := utf8.DecodeRuneInString(tail)
			tail = tail[size:]
		}
		name = p.cut(name, c.name-p.columns(tail)) + tail
	}
	if check.against == "" && check.spread == "" && p.columns(p.clean(check.value)) > c.value {
		// A long text that stands alone may take the columns to its right.
		p.line(span{plain, "  "}, span{first, cell(word, c.status, false)}, span{rest, " " + p.pad(name, c.name, false) + "  " + p.clean(check.value)})
		return
	}
	text := " " + cell(name, c.name, false) + "  " + cell(check.value, c.value, true)
	if c.against > 0 {
		text += "  " + cell(check.against, c.against, true)
	}
	if c.difference > 0 {
		text += "  " + cell(check.difference, c.difference, true)
	}
	if c.spread > 0 {
		text += "  " + cell(check.spread, c.spread, true)
	}
	p.line(span{plain, "  "}, span{first, cell(word, c.status, false)}, span{rest, text})
}

// command writes a command line that can be copied to a shell. It breaks
// between arguments, where the shell reads on.
func (p *page) command(label string, arguments []string) {
	prefix := "  " + p.pad(label, labelWidth, false)
	current := ""
	for _, a := range arguments {
		a = ShellWord(p.clean(a))
		if current != "" && p.columns(prefix)+p.columns(current)+1+p.columns(a)+2 > p.width {
			p.out.WriteString(prefix + current + " \\\n")
			prefix, current = strings.Repeat(" ", p.columns(prefix)+2), a
			continue
		}
		if current != "" {
			current += " "
		}
		current += a
	}
	p.out.WriteString(strings.TrimRight(prefix+current, " ") + "\n")
}
