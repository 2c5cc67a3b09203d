package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
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
	Steps        []Step
	// Fields are what can be changed for a run, in the order of the form.
	Fields   []Field
	Estimate time.Duration
	// LastVerdict is empty if it never ran.
	LastVerdict report.Verdict
	LastRun     time.Time
}

// A Step is one step of a scenario.
type Step struct {
	Name, Measurement string
	// Notes say in a few words each what is special about it, such as how often
	// it is repeated.
	Notes []string
	// Limits are what it is held against.
	Limits []stream.Limit
}

// A Field is a parameter, or another thing of a scenario, that can be changed
// for a run.
type Field struct {
	// Name is what Settings call it: STEP.PARAM or, for what all of the
	// scenario has, the name alone.
	Name string
	// Step is the step's name; empty for what all of the scenario has.
	Step string
	// Param is the parameter's own name.
	Param string
	// Value is what the scenario says, in the notation of scenario files.
	Value   string
	Choices []string
	// Doc says in one sentence what it means.
	Doc string
}

// menu is the screen that scenarios are chosen on.
type menu struct {
	all []Scenario
	// shown are the entries that match the filter: indices of all.
	shown  []int
	cursor int
	marked map[string]bool
	filter widget.Filter
	// settings are what was changed in forms, by the scenarios' names.
	settings map[string]Settings
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
	m.applyFilter()
	return m
}

// under is the entry under the cursor; there must be one.
func (m menu) under() Scenario { return m.all[m.shown[m.cursor]] }

// has says whether there is an entry of that name.
func (m menu) has(name string) bool {
	_, ok := m.find(name)
	return ok
}

// fieldsOf returns what can be changed of a scenario; nothing if there is none
// of that name.
func (m menu) fieldsOf(name string) []Field {
	s, _ := m.find(name)
	return s.Fields
}

// find returns the entry of that name.
func (m menu) find(name string) (Scenario, bool) {
	i := slices.IndexFunc(m.all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return m.all[i], true
}

func (s Scenario) tag() string {
	if len(s.Tags) == 0 {
		return "other"
	}
	return s.Tags[0]
}

// words are what a filter looks through.
func (s Scenario) words() []string {
	return slices.Concat([]string{s.Name, s.Title}, s.Tags, s.Measurements)
}

// applyFilter shows what matches the filter. The cursor stays on its entry, if
// that is still there.
func (m *menu) applyFilter() {
	name := ""
	if len(m.shown) > 0 {
		name = m.under().Name
	}
	m.shown, m.cursor = nil, 0
	for i, s := range m.all {
		if m.filter.Matches(s.words()...) {
			if s.Name == name {
				m.cursor = len(m.shown)
			}
			m.shown = append(m.shown, i)
		}
	}
}

func (m *menu) clearFilter() {
	m.filter = widget.Filter{}
	m.applyFilter()
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
	m.filter.Text.Press(msg)
	m.applyFilter()
}

// order is what enter would start.
func (m menu) order() Order {
	o := Order{Scenarios: m.chosen(), Settings: map[string]Settings{}}
	for _, name := range o.Scenarios {
		if s := m.settings[name]; len(s) > 0 {
			o.Settings[name] = s
		}
	}
	return o
}

// set keeps what was changed in the form of a scenario.
func (m *menu) set(name string, s Settings) {
	m.settings = maps.Clone(m.settings)
	if m.settings == nil {
		m.settings = map[string]Settings{}
	}
	m.settings[name] = s
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
	if !m.filter.Empty() {
		text = fmt.Sprintf("%d of %d scenarios", len(m.shown), len(m.all))
	}
	if n > 0 {
		text += fmt.Sprintf("   %d marked, about %s", n, report.Clock(total.Seconds()))
	}
	return text
}

// view draws the list, and beside it, where there is room, what is under the
// cursor.
func (m menu) view(s *theme.Theme, width, height int) []string {
	if width < 80 || height < 12 {
		return m.list(s, width, height)
	}
	left := min(max(width*45/100, 40), 76)
	list := widget.Panel{Title: s.Strong.Render("Scenarios"), Notes: m.filter.Note(s), Rows: m.list(s, left-2, height-2), Focused: true}.Draw(s, left, height)
	return widget.Beside(list, m.details(s, width-left, height))
}

// list draws the entries under their tags, with the cursor always in sight.
func (m menu) list(s *theme.Theme, width, height int) []string {
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
			rows = append(rows, " "+s.Muted.Render(theme.Clean(tag)))
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
		return []string{" " + s.Muted.Render(text)}
	}
	// The heading above the cursor stays in sight if there is room.
	top := min(max(at-height/2, 0), max(len(rows)-height, 0))
	return rows[top:min(top+height, len(rows))]
}

func (m menu) entry(s *theme.Theme, entry Scenario, under bool, width int) string {
	cursor, name := " ", theme.Clean(entry.Title)
	if under {
		cursor, name = s.Cursor.Render(s.CursorMark), s.Cursor.Render(name)
	}
	mark := " "
	if m.marked[entry.Name] {
		mark = s.Accent.Render(s.Marked)
	}
	if len(m.settings[entry.Name]) > 0 {
		name += s.Warn.Render(" changed")
	}
	verdict := s.Muted.Render("not run")
	if entry.LastVerdict != "" {
		verdict = s.Verdict(strings.ToUpper(string(entry.LastVerdict)))
	}
	const verdictWidth = 12
	right := s.Pad(verdict, verdictWidth)
	if width >= 44 {
		right = s.Muted.Render("~"+report.Clock(entry.Estimate.Seconds())) + "  " + right
	}
	last := func(layout string) string {
		if entry.LastRun.IsZero() {
			return theme.Spaces(len(layout) + 1)
		}
		return s.Muted.Render(entry.LastRun.Local().Format(layout)) + " "
	}
	switch {
	case width >= 62:
		right += " " + last("01-02 15:04")
	case width >= 50:
		right += " " + last("01-02")
	}
	if width < 32 {
		right = ""
	}
	return s.Justify(" "+cursor+" "+mark+" "+name+" ", right, width)
}

// details tell of the entry under the cursor what it asks, does, can be changed
// and is held against.
func (m menu) details(s *theme.Theme, width, height int) []string {
	if len(m.shown) == 0 {
		return widget.Panel{}.Draw(s, width, height)
	}
	entry := m.under()
	inner := width - 6
	var rows []string
	add := func(lines ...string) {
		for _, line := range lines {
			rows = append(rows, "  "+line)
		}
	}
	field := func(name, value string) {
		add(s.Muted.Render(s.Pad(name, 12)) + s.Truncate(value, inner-12))
	}
	rows = append(rows, "")
	add(theme.Wrap(theme.Clean(entry.Description), inner)...)
	rows = append(rows, "")
	field("name", theme.Clean(entry.Name))
	field("tags", theme.Clean(strings.Join(entry.Tags, ", ")))
	field("takes about", report.Clock(entry.Estimate.Seconds()))
	last := s.Muted.Render("never ran")
	if entry.LastVerdict != "" {
		last = s.Verdict(strings.ToUpper(string(entry.LastVerdict)))
		if !entry.LastRun.IsZero() {
			last += s.Muted.Render("  " + entry.LastRun.Local().Format("2006-01-02 15:04"))
		}
	}
	field("last run", last)
	for i, step := range entry.Steps {
		title := s.Muted.Render(fmt.Sprintf("%d ", i+1)) + s.Strong.Render(theme.Clean(step.Name))
		notes := slices.Clone(step.Notes)
		if step.Measurement != step.Name {
			notes = slices.Insert(notes, 0, step.Measurement)
		}
		if len(notes) > 0 {
			title += s.Muted.Render("  " + theme.Clean(strings.Join(notes, ", ")))
		}
		rows = append(rows, "")
		add(title)
		add(m.parameters(s, entry, step.Name, inner)...)
		var exact []string
		for _, l := range step.Limits {
			if l.Source == stream.SourceMust {
				exact = append(exact, theme.Clean(l.Metric))
				continue
			}
			add("  " + s.Limit.Render(s.Pad(theme.Clean(l.Source), 10)) + theme.Clean(l.Metric) + " " + s.Muted.Render(theme.Clean(l.Op)+" "+report.Quantity(l.Value, l.Unit)))
		}
		if n := len(exact); n > 0 {
			add("  " + s.Limit.Render(s.Pad(stream.SourceMust, 10)) + exactText(n) + s.Muted.Render(": "+strings.Join(exact, ", ")))
		}
	}
	if room := height - 2; len(rows) > room && room > 1 {
		rows = append(rows[:room-1], "  "+s.Muted.Render(fmt.Sprintf("%s %d more rows: e shows all parameters", s.Below, len(rows)-room+1)))
	}
	return widget.Panel{Title: s.Strong.Render(theme.Clean(entry.Title)), Rows: rows}.Draw(s, width, height)
}

// parameters tell those of a step, as many in a row as there is room for. What
// was changed stands out.
func (m menu) parameters(s *theme.Theme, entry Scenario, step string, width int) []string {
	var rows []string
	row := ""
	for _, f := range entry.Fields {
		if f.Step != step {
			continue
		}
		value := theme.Clean(f.Value)
		item := s.Muted.Render(theme.Clean(f.Param)+" ") + value
		if changed, ok := m.settings[entry.Name][f.Name]; ok {
			item = s.Muted.Render(theme.Clean(f.Param)+" ") + s.Warn.Render(theme.Clean(changed))
		}
		if row != "" && ansi.StringWidth(row)+3+ansi.StringWidth(item) > width-2 {
			rows = append(rows, "  "+row)
			row = ""
		}
		if row != "" {
			row += "   "
		}
		row += item
	}
	if row != "" {
		rows = append(rows, "  "+row)
	}
	return rows
}

func (m *model) menuActions() []action {
	out := scrolls(func() int { return max(m.bodyHeight()-4, 1) }, func(by int) { m.menu.move(by) })
	if len(m.menu.chosen()) > 0 {
		out = append(out, action{keyStart, func() tea.Cmd { return m.begin(m.menu.order()) }})
	}
	if len(m.menu.shown) > 0 {
		out = append(out, act(keyMark, func() { m.menu.mark() }))
		if len(m.menu.under().Fields) > 0 {
			out = append(out, act(keyEdit, m.openForm))
		}
	}
	if m.cfg.Store != nil {
		out = append(out, action{keyPast, func() tea.Cmd {
			if len(m.menu.shown) > 0 {
				m.runs.seek = m.menu.under().Name
			}
			return m.openRuns()
		}})
	}
	out = append(out, act(keyFilter, func() { m.menu.filter.Typing = true }))
	switch {
	case !m.menu.filter.Empty():
		out = append(out, act(keyClear, func() { m.menu.clearFilter() }))
	case len(m.menu.marked) > 0:
		out = append(out, act(keyUnmark, func() { m.menu.marked = map[string]bool{} }))
	}
	return out
}

func (m *model) filterActions() []action {
	return []action{
		act(keyAccept, func() { m.menu.filter.Typing = false }),
		act(keyClear, func() {
			m.menu.filter.Typing = false
			m.menu.clearFilter()
		}),
	}
}
