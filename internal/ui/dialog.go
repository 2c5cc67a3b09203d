package ui

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A dialog is a box over the screen that takes all keys until it is answered:
// a question, a choice, or a text to be written.
type dialog struct {
	title string
	// text is what is asked, or what to know before one answers.
	text string
	// short is what a terminal of one line shows of it.
	short string
	// ofRun says that the question is no more once the run has ended.
	ofRun bool
	// choices are what can be chosen; none in a question or a prompt.
	choices []choice
	cursor  int
	// field is the text of a prompt; nil in all else.
	field *widget.Field
	// check tells what is wrong with a prompt's text, or what it would do.
	check func(text string) (note string, err error)
	// answered is called with the number of the choice or the text.
	answered func(number int, text string) tea.Cmd
}

// A choice is one line of a dialog.
type choice struct {
	name, note string
}

// ask is a dialog that is answered with yes or no.
func ask(text, short string, yes func() tea.Cmd) *dialog {
	return &dialog{text: text, short: short, answered: func(int, string) tea.Cmd { return yes() }}
}

// choose is a dialog in which one of several things is chosen.
func choose(title string, choices []choice, chosen func(number int) tea.Cmd) *dialog {
	return &dialog{title: title, choices: choices, answered: func(number int, _ string) tea.Cmd { return chosen(number) }}
}

// prompt is a dialog in which a text is written. While check has an error, it
// cannot be answered.
func prompt(title, text string, check func(string) (string, error), written func(text string) tea.Cmd) *dialog {
	f := widget.NewField(text)
	return &dialog{title: title, field: &f, check: check, answered: func(_ int, text string) tea.Cmd { return written(text) }}
}

// answer closes the dialog and does what it was about.
func (m *model) answer() tea.Cmd {
	d := m.dialog
	text := ""
	if d.field != nil {
		text = strings.TrimSpace(d.field.String())
		if _, err := d.check(text); err != nil {
			return nil
		}
	}
	m.dialog = nil
	return d.answered(d.cursor, text)
}

// dialogActions are the keys of the dialog.
func (m *model) dialogActions() []action {
	leave := func() { m.dialog = nil }
	switch {
	case m.dialog.field != nil:
		return []action{{keyWritten, m.answer}, act(keyCancel, leave)}
	case len(m.dialog.choices) > 0:
		return append(scrolls(func() int { return max(m.bodyHeight()-6, 1) }, m.moveChoice),
			action{keyChoose, m.answer}, act(keyCancel, leave))
	default:
		return []action{{keyYes, m.answer}, act(keyNo, leave)}
	}
}

func (m *model) moveChoice(by int) {
	d := *m.dialog
	d.cursor = min(max(d.cursor+by, 0), len(d.choices)-1)
	m.dialog = &d
}

// typeInDialog takes a key into a prompt.
func (m *model) typeInDialog(msg tea.KeyMsg) {
	d := *m.dialog
	f := *d.field
	f.Press(msg)
	d.field = &f
	m.dialog = &d
}

// view draws the box, for a screen of that size.
func (d *dialog) view(s *theme.Theme, width, height int) []string {
	inner := min(width-6, 64)
	var rows []string
	add := func(row string) { rows = append(rows, "  "+row) }
	for _, line := range theme.Wrap(theme.Clean(d.text), inner) {
		add(s.Strong.Render(line))
	}
	switch {
	case d.field != nil:
		add(d.field.View(s, inner))
		add(s.Faint.Render(strings.Repeat(s.Horizontal, inner)))
		note, err := d.check(strings.TrimSpace(d.field.String()))
		said := theme.Wrap(theme.Clean(note), inner)
		if err != nil {
			said = theme.Wrap("! "+theme.Clean(err.Error()), inner)
		}
		for i := range 3 { // as many rows whatever it says, so that the box stands still
			line := ""
			if i < len(said) {
				line = said[i]
			}
			if err != nil {
				line = s.Fail.Render(line)
			} else {
				line = s.Muted.Render(line)
			}
			add(line)
		}
		add(keyHint(s, keyWritten) + "   " + keyHint(s, keyCancel))
	case len(d.choices) > 0:
		names := 0
		for _, c := range d.choices {
			names = max(names, ansi.StringWidth(c.name))
		}
		names = min(names, inner*2/3)
		room := max(min(len(d.choices), height-7-len(rows)), 1)
		top := min(max(d.cursor-room/2, 0), len(d.choices)-room)
		for i, c := range d.choices[top : top+room] {
			cursor, name := " ", s.Pad(theme.Clean(c.name), names)
			if top+i == d.cursor {
				cursor, name = s.Cursor.Render(s.CursorMark), s.Cursor.Render(name)
			}
			add(s.Pad(cursor+" "+name+"  "+s.Muted.Render(theme.Clean(c.note)), inner))
		}
		add("")
		add(keyHint(s, keyChoose) + "   " + keyHint(s, keyCancel))
	default:
		add("")
		add(keyHint(s, keyYes) + "   " + keyHint(s, keyNo))
	}
	wide := 0
	for _, row := range rows {
		wide = max(wide, ansi.StringWidth(row))
	}
	rows = slices.Concat([]string{""}, rows, []string{""})
	title := ""
	if d.title != "" {
		title = s.Strong.Render(d.title)
		wide = max(wide, ansi.StringWidth(d.title)+4)
	}
	return widget.Panel{Title: title, Rows: rows, Focused: true}.Draw(s, min(wide+4, width), len(rows)+2)
}

// line is what a terminal of one line shows of the dialog.
func (d *dialog) line(s *theme.Theme, width int) string {
	switch {
	case d.field != nil:
		title := theme.Clean(d.title) + ": "
		return title + d.field.View(s, max(width-ansi.StringWidth(title), 4))
	case len(d.choices) > 0:
		return theme.Clean(d.title) + ": " + s.CursorMark + " " + theme.Clean(d.choices[d.cursor].name)
	default:
		return theme.Clean(d.short)
	}
}
