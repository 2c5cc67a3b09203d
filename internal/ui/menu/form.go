package menu

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A form edits the values of a scenario for the next runs.
type form struct {
	scenario session.Scenario
	fields   []widget.Field
	cursor   int
	// errors are by the names of the fields. An error about several fields has the
	// name "".
	errors map[string]error
}

// openForm opens the form of the selected scenario.
func (s *Screen) openForm() {
	sc := s.selected()
	s.form = &form{scenario: sc, fields: make([]widget.Field, len(sc.Fields))}
	for i, f := range sc.Fields {
		value := f.Value
		if changed, ok := s.catalogue.Changed[sc.Name][f.Name]; ok {
			value = changed
		}
		s.form.fields[i] = widget.NewField(value)
	}
	s.checkForm()
}

// checkForm checks the values that were typed.
func (s *Screen) checkForm() {
	s.form.errors = s.links.Check(s.form.scenario.Name, s.form.settings())
}

// settings returns the values that differ from the scenario.
func (f *form) settings() session.Settings {
	s := session.Settings{}
	for i, field := range f.scenario.Fields {
		if text := f.text(i); text != field.Value {
			s[field.Name] = text
		}
	}
	return s
}

func (f *form) text(i int) string { return strings.TrimSpace(f.fields[i].String()) }

func (f *form) move(by int) { f.cursor = min(max(f.cursor+by, 0), len(f.fields)-1) }

var (
	previousField = screen.Bind("↑", "previous", "up", "shift+tab")
	nextField     = screen.Bind("↓", "next", "down", "tab")
	resetKey      = screen.Bind("ctrl+r", "reset", "ctrl+r")
	saveKey       = screen.Bind("esc", "save and back", "esc")
	discardKey    = screen.Bind("esc", "discard and back", "esc")
	nextError     = screen.Bind("enter", "next error", "enter")
)

func (s *Screen) formActions() []screen.Action {
	f, page := s.form, s.host.BodyHeight()/2
	out := []screen.Action{
		screen.Act(previousField, func() { f.move(-1) }),
		screen.Act(nextField, func() { f.move(1) }),
		screen.Act(screen.PageUp, func() { f.move(-page) }),
		screen.Act(screen.PageDown, func() { f.move(page) }),
	}
	reset := screen.Act(resetKey, func() {
		f.fields[f.cursor] = widget.NewField(f.scenario.Fields[f.cursor].Value)
		s.checkForm()
	})
	if len(f.errors) > 0 {
		return append(out, screen.Act(nextError, f.nextError), reset, screen.Act(discardKey, func() { s.form = nil }))
	}
	start := func() tea.Cmd {
		s.saveForm()
		return s.links.Start(s.catalogue.Order(f.scenario.Name))
	}
	return append(out, screen.Action{Key: screen.Start, Do: start}, reset, screen.Act(saveKey, s.saveForm))
}

// saveForm keeps the values for the next runs, and closes the form.
func (s *Screen) saveForm() {
	s.catalogue.Changed[s.form.scenario.Name] = s.form.settings()
	s.form = nil
}

// nextError moves to the next field with an error.
func (f *form) nextError() {
	for i := range f.fields {
		at := (f.cursor + 1 + i) % len(f.fields)
		if f.errors[f.scenario.Fields[at].Name] != nil {
			f.cursor = at
			return
		}
	}
}

// summary counts the changed and the invalid values.
func (f *form) summary() string {
	text := fmt.Sprintf("%d changed", len(f.settings()))
	if n := len(f.errors); n > 0 {
		text += fmt.Sprintf(", %d invalid", n)
	}
	return text
}

// doc explains the selected field.
func (f *form) doc() string {
	field := f.scenario.Fields[f.cursor]
	text := theme.Clean(field.Doc)
	if len(field.Choices) > 0 {
		text += " One of " + theme.Clean(strings.Join(field.Choices, ", ")) + "."
	}
	return text
}

func (s *Screen) formFrame() screen.Frame {
	h, f := s.host, s.form
	left := h.Theme.Strong.Render(theme.Clean(f.scenario.Title)) + h.Theme.Muted.Render("  parameters")
	return screen.Frame{
		Top:    []string{h.Header(left, h.Theme.Muted.Render(f.summary())+" ")},
		Body:   f.view(h.Theme, h.Width, h.BodyHeight()),
		Status: " " + h.Theme.Muted.Render(f.doc()),
	}
}

func (s *Screen) formLine() string {
	f := s.form
	param := f.scenario.Fields[f.cursor].Param
	return theme.Clean(param) + ": " + f.fields[f.cursor].View(s.host.Theme, max(s.host.Width-len(param)-2, 4))
}

func (f *form) view(t *theme.Theme, width, height int) []string {
	if width < 80 || height < 12 {
		return f.list(t, width, height)
	}
	return widget.Panel{Title: t.Strong.Render("Parameters"), Rows: f.list(t, width-2, height-2), Focused: true}.Draw(t, width, height)
}

// list draws the fields below their steps.
func (f *form) list(t *theme.Theme, width, height int) []string {
	names := 0
	for _, field := range f.scenario.Fields {
		names = max(names, theme.Width(theme.Clean(field.Param)))
	}
	names = min(names, 24)
	values := max(width-names-6, 8)
	if width >= 90 {
		values = min(values, 34) // leaves room for the explanation
	}
	var rows []string
	at, last := 0, 0
	step := "\x00"
	for i, field := range f.scenario.Fields {
		if field.Step != step {
			step = field.Step
			if len(rows) > 0 && height > 20 {
				rows = append(rows, "")
			}
			title := theme.Clean(step)
			if step == "" {
				title = "whole scenario"
			}
			rows = append(rows, " "+t.Strong.Render(title))
		}
		if i == f.cursor {
			at = len(rows)
		}
		rows = append(rows, f.row(t, i, names, values, width)...)
		if i == f.cursor {
			last = len(rows)
		}
	}
	if err := f.errors[""]; err != nil {
		rows = append(rows, "", " "+t.Fail.Render("! "+theme.Clean(err.Error())))
	}
	top := min(max(at-height/2, 0, last-height), max(len(rows)-height, 0))
	return rows[top:min(top+height, len(rows))]
}

// row draws a field with its explanation. An error replaces the explanation, or
// is below the field where there is no room.
func (f *form) row(t *theme.Theme, i, names, values, width int) []string {
	field, text := f.scenario.Fields[i], f.text(i)
	cursor, name := " ", t.Muted.Render(t.Pad(theme.Clean(field.Param), names))
	if i == f.cursor {
		cursor, name = t.Cursor.Render(t.CursorMark), t.Cursor.Render(t.Pad(theme.Clean(field.Param), names))
	}
	err := f.errors[field.Name]
	value := t.Pad(theme.Clean(text), values)
	switch {
	case i == f.cursor:
		value = f.fields[i].View(t, values)
	case err != nil:
		value = t.Fail.Render(value)
	case text != field.Value:
		value = t.Warn.Render(value)
	}
	row := " " + cursor + " " + name + " " + value
	room := width - theme.Width(row) - 3
	if err != nil {
		return f.withError(t, row, "! "+theme.Clean(err.Error()), room, width, names)
	}
	doc := theme.Clean(field.Doc)
	if text != field.Value {
		doc = "was " + theme.Clean(field.Value)
	}
	if room >= 30 {
		row += "  " + t.Muted.Render(t.Truncate(doc, room))
	}
	return []string{row}
}

func (f *form) withError(t *theme.Theme, row, text string, room, width, names int) []string {
	if theme.Width(text) <= room {
		return []string{row + "  " + t.Fail.Render(text)}
	}
	rows := []string{row}
	for _, line := range theme.Wrap(text, width-5-names) {
		rows = append(rows, theme.Spaces(4+names)+t.Fail.Render(line))
	}
	return rows
}
