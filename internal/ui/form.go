package ui

import (
	"fmt"
	"maps"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// form is the screen on which the parameters of a scenario are changed for the
// runs to come.
type form struct {
	scenario Scenario
	fields   []widget.Field
	cursor   int
	// faults are what is wrong, by the names of the fields; what is about
	// several of them has the name "".
	faults map[string]error
}

// openForm goes to the form of the scenario under the cursor.
func (m *model) openForm() {
	entry := m.menu.under()
	f := form{scenario: entry, fields: make([]widget.Field, len(entry.Fields))}
	for i, p := range entry.Fields {
		value := p.Value
		if changed, ok := m.menu.settings[entry.Name][p.Name]; ok {
			value = changed
		}
		f.fields[i] = widget.NewField(value)
	}
	m.form, m.screen = f, formScreen
	m.checkForm()
}

// settings are what differs from the scenario.
func (f form) settings() Settings {
	s := Settings{}
	for i, p := range f.scenario.Fields {
		if text := strings.TrimSpace(f.fields[i].String()); text != p.Value {
			s[p.Name] = text
		}
	}
	return s
}

// checkForm holds what is written against the rules of the parameters.
func (m *model) checkForm() {
	m.form.faults = m.cfg.Runner.Check(m.form.scenario.Name, m.form.settings())
}

func (m *model) typeInForm(msg tea.KeyMsg) {
	// The fields are shared with copies of the form.
	fields := append([]widget.Field(nil), m.form.fields...)
	fields[m.form.cursor].Press(msg)
	m.form.fields = fields
	m.checkForm()
}

func (f *form) move(by int) {
	f.cursor = min(max(f.cursor+by, 0), len(f.fields)-1)
}

func (m *model) formActions() []action {
	save := func() {
		if len(m.form.faults) == 0 {
			m.menu.set(m.form.scenario.Name, m.form.settings())
		}
	}
	out := []action{
		act(keyFieldUp, func() { m.form.move(-1) }),
		act(keyFieldDown, func() { m.form.move(1) }),
		act(keyPageUp, func() { m.form.move(-m.bodyHeight() / 2) }),
		act(keyPageDown, func() { m.form.move(m.bodyHeight() / 2) }),
	}
	if len(m.form.faults) == 0 {
		out = append(out, action{keyStart, func() tea.Cmd {
			save()
			o := Order{Scenarios: []string{m.form.scenario.Name}, Settings: maps.Clone(m.menu.settings)}
			return m.begin(o)
		}})
	} else {
		out = append(out, act(keyNextFault, m.goToFault))
	}
	out = append(out, act(keyReset, func() {
		fields := append([]widget.Field(nil), m.form.fields...)
		fields[m.form.cursor] = widget.NewField(m.form.scenario.Fields[m.form.cursor].Value)
		m.form.fields = fields
		m.checkForm()
	}))
	leave := keyKeep
	if len(m.form.faults) > 0 {
		leave = keyDiscard
	}
	return append(out, act(leave, func() {
		save()
		m.screen = menuScreen
	}))
}

// goToFault goes to the next field with a fault.
func (m *model) goToFault() {
	f := &m.form
	for i := range f.fields {
		at := (f.cursor + 1 + i) % len(f.fields)
		if f.faults[f.scenario.Fields[at].Name] != nil {
			f.cursor = at
			return
		}
	}
}

// summary says how much is changed, and whether it can be run.
func (f form) summary() string {
	text := fmt.Sprintf("%d changed", len(f.settings()))
	switch n := len(f.faults); {
	case n == 1:
		text += ", 1 cannot be used"
	case n > 1:
		text += fmt.Sprintf(", %d cannot be used", n)
	}
	return text
}

// view draws the form.
func (f form) view(s *theme.Theme, width, height int) []string {
	if width < 80 || height < 12 {
		return f.list(s, width, height)
	}
	return widget.Panel{Title: s.Strong.Render("Parameters"), Rows: f.list(s, width-2, height-2), Focused: true}.Draw(s, width, height)
}

// list draws the fields under their steps, with the cursor always in sight.
func (f form) list(s *theme.Theme, width, height int) []string {
	names := 0
	for _, p := range f.scenario.Fields {
		names = max(names, ansi.StringWidth(theme.Clean(p.Param)))
	}
	names = min(names, 24)
	const most = 34 // of a value, where there is room for what it means beside it
	values := max(min(most, width-names-6), 8)
	if width < 90 {
		values = max(width-names-6, 8)
	}
	var rows []string
	at, last := 0, 0
	step := "\x00"
	for i, p := range f.scenario.Fields {
		if p.Step != step {
			step = p.Step
			if len(rows) > 0 && height > 20 {
				rows = append(rows, "")
			}
			title := theme.Clean(step)
			if step == "" {
				title = "the whole scenario"
			}
			rows = append(rows, " "+s.Strong.Render(title))
		}
		if i == f.cursor {
			at = len(rows)
		}
		rows = append(rows, f.row(s, i, names, values, width)...)
		if i == f.cursor {
			last = len(rows)
		}
	}
	if err := f.faults[""]; err != nil {
		rows = append(rows, "", " "+s.Fail.Render("! "+theme.Clean(err.Error())))
	}
	top := min(max(at-height/2, 0, last-height), max(len(rows)-height, 0))
	return rows[top:min(top+height, len(rows))]
}

// row draws one field, with what it means beside it; what is wrong with it stands
// there instead, or below it where there is no room.
func (f form) row(s *theme.Theme, number, names, values, width int) []string {
	p := f.scenario.Fields[number]
	under := number == f.cursor
	cursor, name := " ", s.Muted.Render(s.Pad(theme.Clean(p.Param), names))
	if under {
		cursor, name = s.Cursor.Render(s.CursorMark), s.Cursor.Render(s.Pad(theme.Clean(p.Param), names))
	}
	text := strings.TrimSpace(f.fields[number].String())
	value := s.Pad(theme.Clean(text), values)
	err := f.faults[p.Name]
	switch {
	case under:
		value = f.fields[number].View(s, values)
	case err != nil:
		value = s.Fail.Render(value)
	case text != p.Value:
		value = s.Warn.Render(value)
	}
	row := " " + cursor + " " + name + " " + value
	doc := theme.Clean(p.Doc)
	if text != p.Value {
		doc = "was " + theme.Clean(p.Value)
	}
	room := width - ansi.StringWidth(row) - 3
	if err == nil {
		if room >= 30 {
			row += "  " + s.Muted.Render(s.Truncate(doc, room))
		}
		return []string{row}
	}
	said := "! " + theme.Clean(err.Error())
	if ansi.StringWidth(said) <= room {
		return []string{row + "  " + s.Fail.Render(said)}
	}
	rows := []string{row}
	for _, line := range theme.Wrap(said, width-5-names) {
		rows = append(rows, theme.Spaces(4+names)+s.Fail.Render(line))
	}
	return rows
}

// doc says what the field under the cursor means.
func (f form) doc() string {
	p := f.scenario.Fields[f.cursor]
	text := theme.Clean(p.Doc)
	if len(p.Choices) > 0 {
		text += " One of " + theme.Clean(strings.Join(p.Choices, ", ")) + "."
	}
	return text
}
