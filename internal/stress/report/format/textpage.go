package format

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// A style is the color of a text, as parameters of an ANSI escape sequence.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
)

// styles are those of verdicts and statuses; others are red.
var styles = map[string]style{"pass": green, "exceed": green, "warn": yellow, "inconclusive": yellow, "info": dim}

func styleOf(word string) style {
	if s, ok := styles[word]; ok {
		return s
	}
	return red
}

// A span is a piece of a line in one style.
type span struct {
	style style
	text  string
}

// A page collects lines that are at most as wide as the page.
type page struct {
	out     strings.Builder
	width   int
	color   bool
	ascii   bool
	measure *runewidth.Condition
}

func newPage(o Options) *page {
	p := &page{width: o.Width, color: o.Color, ascii: o.ASCII}
	if p.width <= 0 {
		p.width = 80
	}
	// The library's own condition depends on the locale; a report must not.
	p.measure = &runewidth.Condition{StrictEmojiNeutral: true}
	return p
}

var asciiFor = strings.NewReplacer("…", "...", "›", ">", "±", "+-", "×", "x", "µ", "u", "–", "-", "—", "-", "−", "-", "≤", "<=", "≥", ">=")

// clean makes a text safe to print, and ASCII if the page is.
func (p *page) clean(s string) string {
	if p.ascii {
		s = asciiFor.Replace(s)
	}
	s = report.Clean(s)
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

// cut shortens a text to a width.
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

// cutMiddle shortens a name in its middle: names differ at their beginning and their end.
func (p *page) cutMiddle(name string, width int) string {
	if width < 8 || p.columns(name) <= width {
		return name
	}
	tail := []rune(name)
	for p.columns(string(tail)) > width/2-1 {
		tail = tail[1:]
	}
	return p.cut(name, width-p.columns(string(tail))) + string(tail)
}

// pad fills a text with spaces up to a width, on its left if right is set.
func (p *page) pad(s string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-p.columns(s)))
	if right {
		return fill + s
	}
	return s + fill
}

func (p *page) blank() { p.out.WriteByte('\n') }

// line writes spans as one line, which it cuts to the width of the page and strips of
// trailing spaces.
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

// bullet writes a text as an item of a list.
func (p *page) bullet(s style, text string) { p.wrap(s, "  - ", text) }

const labelWidth = 13

// field writes a text behind a label.
func (p *page) field(label, text string) {
	p.wrap(plain, "  "+p.pad(label, labelWidth, false), text)
}

// wrap writes a text in as many lines as it needs, the first behind the prefix and the
// others indented as far.
func (p *page) wrap(s style, prefix, text string) {
	p.hang(span{dim, prefix}, s, text)
}

// hang is wrap with a prefix of any style. It breaks a word only if it is longer than a
// line.
func (p *page) hang(prefix span, s style, text string) {
	prefix.text = p.clean(prefix.text)
	room := p.width - p.columns(prefix.text)
	if room < 8 { // too narrow to indent
		if strings.TrimSpace(prefix.text) != "" {
			p.line(prefix)
		}
		prefix.text, room = "", p.width
	}
	for _, line := range p.lines(text, room) {
		p.line(prefix, span{s, line})
		prefix = span{plain, strings.Repeat(" ", p.columns(prefix.text))}
	}
}

// lines breaks a text into lines of at most room columns.
func (p *page) lines(text string, room int) []string {
	var lines []string
	current := ""
	for _, word := range p.words(text) {
		if current != "" && p.columns(current)+1+p.columns(word) <= room {
			current += " " + word
			continue
		}
		if current != "" {
			lines = append(lines, current)
		}
		for p.columns(word) > room {
			head := p.measure.Truncate(word, room, "")
			if head == "" { // a wide character in a single column
				break
			}
			lines, word = append(lines, head), word[len(head):]
		}
		current = word
	}
	return append(lines, current)
}

// words splits a text at spaces, except between a number and its unit.
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

// heading writes a name on the left and a verdict on the right.
func (p *page) heading(s style, name string, verdict report.Verdict, score, seconds float64) {
	word := p.pad(strings.ToUpper(string(verdict)), 4, false)
	tail := "  score " + quantity.Number(score) + "  " + p.clean(quantity.Format(seconds, "s"))
	room := p.width - p.columns(word) - len(tail) - 2
	if room < 16 { // the verdict matters more than the duration
		tail = ""
		room = max(1, p.width-p.columns(word)-2)
	}
	name = p.cut(p.clean(name), room)
	p.line(span{s, p.pad(name, room, false)}, span{plain, "  "}, span{styleOf(string(verdict)), word}, span{dim, tail})
}

// command writes a command line that can be pasted into a shell. It breaks lines between
// arguments.
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
		current = join(" ", current, a)
	}
	p.out.WriteString(strings.TrimRight(prefix+current, " ") + "\n")
}
