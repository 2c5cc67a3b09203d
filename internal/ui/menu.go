package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
)

// A Scenario is one entry of the menu.
type Scenario struct {
	// Name is what the Runner knows it by.
	Name        string
	Title       string
	Description string
	// Tags group the menu: an entry stands under its first one.
	Tags         []string
	Measurements []string
	// Steps say in one line each what the scenario does.
	Steps    []string
	Estimate time.Duration
	// LastVerdict is empty if it never ran.
	LastVerdict report.Verdict
	LastRun     time.Time
}

// menu is the screen that scenarios are chosen on.
type menu struct {
	all []Scenario
	// shown are the entries that match the filter: indices of all.
	shown  []int
	cursor int
	marked map[string]bool
	filter string
	// typing says that keys go to the filter.
	typing bool
}

func newMenu(all []Scenario) menu {
	// Entries of one tag stand together, the tags in the order of their first.
	first := map[string]int{}
	for i, s := range all {
		if _, ok := first[s.tag()]; !ok {
			first[s.tag()] = i
		}
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Scenario) int { return first[a.tag()] - first[b.tag()] })
	m := menu{all: all, marked: map[string]bool{}}
	m.setFilter("")
	return m
}

func (s Scenario) tag() string {
	if len(s.Tags) == 0 {
		return "other"
	}
	return s.Tags[0]
}

// matches says whether every word of a filter is somewhere in the entry.
func (s Scenario) matches(filter string) bool {
	text := strings.ToLower(strings.Join(slices.Concat([]string{s.Name, s.Title}, s.Tags, s.Measurements), " "))
	for _, word := range strings.Fields(strings.ToLower(filter)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (m *menu) setFilter(filter string) {
	name := ""
	if len(m.shown) > 0 {
		name = m.all[m.shown[m.cursor]].Name
	}
	m.filter, m.shown, m.cursor = filter, nil, 0
	for i, s := range m.all {
		if s.matches(filter) {
			if s.Name == name {
				m.cursor = len(m.shown)
			}
			m.shown = append(m.shown, i)
		}
	}
}

func (m *menu) move(by int) {
	m.cursor = min(max(m.cursor+by, 0), max(len(m.shown)-1, 0))
}

// mark marks the entry under the cursor, or takes its mark away, and goes to
// the next.
func (m *menu) mark() {
	if len(m.shown) == 0 {
		return
	}
	marked := map[string]bool{}
	for name := range m.marked {
		marked[name] = true
	}
	name := m.all[m.shown[m.cursor]].Name
	if marked[name] {
		delete(marked, name)
	} else {
		marked[name] = true
	}
	m.marked = marked
	m.move(1)
}

// chosen returns the names to start: those marked, in the menu's order, or
// else the one under the cursor. Where a filter leaves nothing to see, there is
// nothing to start.
func (m menu) chosen() []string {
	if len(m.shown) == 0 {
		return nil
	}
	var out []string
	for _, s := range m.all {
		if m.marked[s.Name] {
			out = append(out, s.Name)
		}
	}
	if len(out) == 0 {
		out = []string{m.all[m.shown[m.cursor]].Name}
	}
	return out
}

// setVerdicts notes how the scenarios of a report went.
func (m *menu) setVerdicts(r *report.Report) {
	m.all = slices.Clone(m.all)
	for _, result := range r.Scenarios {
		for i := range m.all {
			if m.all[i].Name == result.Name {
				m.all[i].LastVerdict, m.all[i].LastRun = result.Verdict, result.StartedAt
			}
		}
	}
}

// typeKey takes a key into the filter.
func (m *menu) typeKey(msg tea.KeyMsg) {
	switch msg.Type {
	case tea.KeyBackspace:
		if r := []rune(m.filter); len(r) > 0 {
			m.setFilter(string(r[:len(r)-1]))
		}
	case tea.KeyRunes, tea.KeySpace:
		m.setFilter(m.filter + clean(string(msg.Runes)))
	}
}

// summary says what enter would start.
func (m menu) summary() string {
	n, total := 0, time.Duration(0)
	for _, s := range m.all {
		if m.marked[s.Name] {
			n++
			total += s.Estimate
		}
	}
	text := fmt.Sprintf("%d scenarios", len(m.all))
	if m.filter != "" {
		text = fmt.Sprintf("%d of %d scenarios", len(m.shown), len(m.all))
	}
	if n > 0 {
		text += fmt.Sprintf("   %d marked, about %s", n, report.Clock(total.Seconds()))
	}
	return text
}

// view draws the list, and beside it, where there is room, what is under the
// cursor.
func (m menu) view(s *styles, width, height int) []string {
	if width < 80 || height < 12 {
		return m.list(s, width, height)
	}
	left := min(max(width*45/100, 40), 76)
	notes := ""
	if m.typing || m.filter != "" {
		cursor := ""
		if m.typing {
			cursor = "_"
		}
		notes = s.accent.on("/" + clean(m.filter) + cursor)
	}
	list := s.panel(s.strong.on("Scenarios"), notes, m.list(s, left-2, height-2), left, height, true)
	return beside(list, m.details(s, width-left, height))
}

// list draws the entries under their tags, with the cursor always in sight.
func (m menu) list(s *styles, width, height int) []string {
	if height < 1 {
		return nil
	}
	var rows []string
	at := 0
	tag := ""
	for i, index := range m.shown {
		entry := m.all[index]
		if entry.tag() != tag {
			tag = entry.tag()
			if len(rows) > 0 && height > 20 {
				rows = append(rows, "")
			}
			rows = append(rows, " "+s.muted.on(clean(tag)))
		}
		if i == m.cursor {
			at = len(rows)
		}
		rows = append(rows, m.entry(s, entry, i == m.cursor, width))
	}
	if len(rows) == 0 {
		text := "no scenario matches the filter"
		if len(m.all) == 0 {
			text = "there are no scenarios"
		}
		return []string{" " + s.muted.on(text)}
	}
	// The heading above the cursor stays in sight if there is room.
	top := min(max(at-height/2, 0), max(len(rows)-height, 0))
	return rows[top:min(top+height, len(rows))]
}

func (m menu) entry(s *styles, entry Scenario, under bool, width int) string {
	cursor, name := " ", clean(entry.Title)
	if under {
		cursor, name = s.cursor.on(s.cursorMark), s.cursor.on(name)
	}
	mark := " "
	if m.marked[entry.Name] {
		mark = s.accent.on(s.marked)
	}
	verdict := s.muted.on("not run")
	if entry.LastVerdict != "" {
		verdict = s.word(strings.ToUpper(string(entry.LastVerdict)))
	}
	right := s.muted.on("~"+report.Clock(entry.Estimate.Seconds())) + "  " + s.pad(verdict, 12)
	switch {
	case width < 32:
		right = ""
	case width < 44:
		right = s.pad(verdict, 12)
	}
	return s.ends(" "+cursor+" "+mark+" "+name+" ", right, width)
}

func (m menu) details(s *styles, width, height int) []string {
	if len(m.shown) == 0 {
		return s.panel("", "", nil, width, height, false)
	}
	entry := m.all[m.shown[m.cursor]]
	inner := width - 6
	var rows []string
	add := func(lines ...string) {
		for _, line := range lines {
			rows = append(rows, "  "+line)
		}
	}
	field := func(name, value string) {
		add(s.muted.on(s.pad(name, 12)) + s.cut(value, inner-12))
	}
	rows = append(rows, "")
	add(s.wrap(clean(entry.Description), inner)...)
	rows = append(rows, "")
	field("name", clean(entry.Name))
	field("tags", clean(strings.Join(entry.Tags, ", ")))
	field("takes about", report.Clock(entry.Estimate.Seconds()))
	last := s.muted.on("never ran")
	if entry.LastVerdict != "" {
		last = s.word(strings.ToUpper(string(entry.LastVerdict)))
		if !entry.LastRun.IsZero() {
			last += s.muted.on("  " + entry.LastRun.Format("2006-01-02 15:04"))
		}
	}
	field("last run", last)
	if len(entry.Measurements) > 0 {
		field("measures", clean(strings.Join(entry.Measurements, ", ")))
	}
	if len(entry.Steps) > 0 {
		rows = append(rows, "", "  "+s.strong.on("Steps"))
		for i, step := range entry.Steps {
			for j, line := range s.wrap(clean(step), inner-4) {
				number := "    "
				if j == 0 {
					number = s.muted.on(fmt.Sprintf("%2d", i+1)) + "  "
				}
				add(number + line)
			}
		}
	}
	return s.panel(s.strong.on(clean(entry.Title)), "", rows, width, height, false)
}

// wrap breaks a text into lines of a width.
func (s *styles) wrap(text string, width int) []string {
	if text == "" || width < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(text, width, ""), "\n")
}
