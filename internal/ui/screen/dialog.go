package screen

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Dialog is a box over the screen that takes all keys until it is answered: a
// question, a choice, or a prompt.
type Dialog struct {
	title string
	// text is the question.
	text string
	// short is the question on a terminal of one line.
	short   string
	choices []Choice
	cursor  int
	// field is the text of a prompt; nil for other dialogs.
	field *widget.Field
	check Check
	// answered is called with the index of the choice and the text of the prompt.
	answered func(choice int, text string) tea.Cmd
	// OfRun closes the dialog when the run ends.
	OfRun bool
}

// A Choice is one line of a dialog.
type Choice struct{ Name, Note string }

// A Check returns what is wrong with the text of a prompt, or a note on what it
// does.
type Check func(text string) (note string, err error)

// Ask asks a question that is answered with yes or no.
func (h *Host) Ask(text, short string, yes func() tea.Cmd) *Dialog {
	h.Dialog = &Dialog{text: text, short: short, answered: func(int, string) tea.Cmd { return yes() }}
	return h.Dialog
}

// Choose offers choices, of which one is selected at first.
func (h *Host) Choose(title string, choices []Choice, selected int, chosen func(i int) tea.Cmd) *Dialog {
	h.Dialog = &Dialog{title: title, choices: choices, cursor: selected, answered: func(i int, _ string) tea.Cmd { return chosen(i) }}
	return h.Dialog
}

// Prompt asks for a text. It cannot be accepted while check returns an error.
func (h *Host) Prompt(title, text string, check Check, accepted func(text string) tea.Cmd) *Dialog {
	f := widget.NewField(text)
	h.Dialog = &Dialog{title: title, field: &f, check: check, answered: func(_ int, text string) tea.Cmd { return accepted(text) }}
	return h.Dialog
}

// EndOfRun closes a dialog that is about the run.
func (h *Host) EndOfRun() {
	if h.Dialog != nil && h.Dialog.OfRun {
		h.Dialog = nil
	}
}

var (
	accept = Bind("enter", "accept", "enter")
	choose = Bind("enter", "select", "enter")
	cancel = Bind("esc", "cancel", "esc")
	yes    = Bind("y", "yes", "y", "Y", "enter")
	no     = Bind("n", "no", "n", "N", "esc", "q")
)

// DialogActions are the keys of the dialog.
func (h *Host) DialogActions() []Action {
	d, leave := h.Dialog, func() { h.Dialog = nil }
	switch {
	case d.field != nil:
		return []Action{{accept, h.answer}, Act(cancel, leave)}
	case len(d.choices) > 0:
		move := func(by int) { d.cursor = min(max(d.cursor+by, 0), len(d.choices)-1) }
		return append(Scroll(max(h.BodyHeight()-6, 1), move), Action{choose, h.answer}, Act(cancel, leave))
	default:
		return []Action{{yes, h.answer}, Act(no, leave)}
	}
}

// Typing reports whether keys are text of the dialog.
func (d *Dialog) Typing() bool { return d.field != nil }

// Type handles a key as text.
func (d *Dialog) Type(msg tea.KeyMsg) { d.field.Press(msg) }

func (h *Host) answer() tea.Cmd {
	d := h.Dialog
	text := ""
	if d.field != nil {
		text = strings.TrimSpace(d.field.String())
		if _, err := d.check(text); err != nil {
			return nil
		}
	}
	h.Dialog = nil
	return d.answered(d.cursor, text)
}

// View draws the box for a screen of a size.
func (d *Dialog) View(t *theme.Theme, width, height int) []string {
	inner := min(width-6, 64)
	var rows []string
	for _, line := range theme.Wrap(theme.Clean(d.text), inner) {
		rows = append(rows, t.Strong.Render(line))
	}
	switch {
	case d.field != nil:
		rows = append(rows, d.prompt(t, inner)...)
	case len(d.choices) > 0:
		rows = append(rows, d.list(t, inner, height-7-len(rows))...)
	default:
		rows = append(rows, "", yes.Hint(t)+"   "+no.Hint(t))
	}
	wide := 0
	for i, row := range rows {
		rows[i] = "  " + row
		wide = max(wide, theme.Width(rows[i]))
	}
	title := ""
	if d.title != "" {
		title = t.Strong.Render(d.title)
		wide = max(wide, theme.Width(d.title)+4)
	}
	rows = slices.Concat([]string{""}, rows, []string{""})
	return widget.Panel{Title: title, Rows: rows, Focused: true}.Draw(t, min(wide+4, width), len(rows)+2)
}

// prompt is the field of a prompt with its check below. The check always takes
// three rows, so that the box keeps its height.
func (d *Dialog) prompt(t *theme.Theme, width int) []string {
	rows := []string{d.field.View(t, width), t.Faint.Render(strings.Repeat(t.Horizontal, width))}
	note, err := d.check(strings.TrimSpace(d.field.String()))
	style := t.Muted
	if err != nil {
		note, style = "! "+err.Error(), t.Fail
	}
	lines := theme.Wrap(theme.Clean(note), width)
	for i := range 3 {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		rows = append(rows, style.Render(line))
	}
	return append(rows, accept.Hint(t)+"   "+cancel.Hint(t))
}

// list is the choices, as far as there is room.
func (d *Dialog) list(t *theme.Theme, width, room int) []string {
	names := 0
	for _, c := range d.choices {
		names = max(names, theme.Width(c.Name))
	}
	names = min(names, width*2/3)
	from, to := widget.Window(len(d.choices), max(room, 1), d.cursor)
	var rows []string
	for i, c := range d.choices[from:to] {
		cursor, name := " ", t.Pad(theme.Clean(c.Name), names)
		if from+i == d.cursor {
			cursor, name = t.Cursor.Render(t.CursorMark), t.Cursor.Render(name)
		}
		rows = append(rows, t.Pad(cursor+" "+name+"  "+t.Muted.Render(theme.Clean(c.Note)), width))
	}
	return append(rows, "", choose.Hint(t)+"   "+cancel.Hint(t))
}

// Line is the dialog on a terminal of one line.
func (d *Dialog) Line(t *theme.Theme, width int) string {
	title := theme.Clean(d.title) + ": "
	switch {
	case d.field != nil:
		return title + d.field.View(t, max(width-theme.Width(title), 4))
	case len(d.choices) > 0:
		return title + t.CursorMark + " " + theme.Clean(d.choices[d.cursor].Name)
	default:
		return theme.Clean(d.short)
	}
}
