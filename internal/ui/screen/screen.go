// Package screen is what all screens of the UI share: the terminal they draw on,
// their keys and dialogs, and commands that run outside of Update.
package screen

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Size is how much a terminal has room for.
type Size int

// The sizes of terminals.
const (
	Line    Size = iota // one line
	Figures             // numbers only
	Full                // charts
)

// A Host is the terminal that a screen is shown on, with what is drawn over or
// below the screen. It belongs to the goroutine of Update.
type Host struct {
	Theme         *theme.Theme
	Width, Height int
	// Notice is shown until the next key.
	Notice Notice
	// Dialog takes all keys until it is answered; nil for none.
	Dialog *Dialog
}

// A Notice is a message in the status line.
type Notice struct {
	Text string
	// Failed is true if something could not be done.
	Failed bool
}

// A Frame is what a screen shows. The rows of Top and Status are as wide as the
// terminal, or shorter.
type Frame struct {
	Top, Body []string
	Status    string
}

// NoText is embedded by screens without text fields.
type NoText struct{}

// Typing reports whether letters are text.
func (NoText) Typing() bool { return false }

// Type ignores a key.
func (NoText) Type(tea.KeyMsg) {}

// Size returns the size of the terminal.
func (h *Host) Size() Size {
	switch {
	case h.Width < 40 || h.Height < 10:
		return Line
	case h.Width < 80 || h.Height < 24:
		return Figures
	default:
		return Full
	}
}

// BodyHeight is the height between header and status line.
func (h *Host) BodyHeight() int { return max(h.Height-3, 0) }

// program is the name of the program.
const program = "mabeam-top"

// Title begins a header.
func (h *Host) Title(text string) string { return " " + h.Theme.Accent.Render(program) + "  " + text }

// Header is a row with texts at its ends.
func (h *Host) Header(left, right string) string {
	return h.Theme.Justify(h.Title(left), right, h.Width)
}

// Notify shows a message.
func (h *Host) Notify(format string, args ...any) {
	h.Notice = Notice{Text: fmt.Sprintf(format, args...)}
}

// Fail shows an error.
func (h *Host) Fail(err error) { h.Notice = Notice{theme.FirstLine(err), true} }

// NoticeText is the notice as the status line shows it.
func (h *Host) NoticeText() string {
	text := theme.Clean(h.Notice.Text)
	if h.Notice.Failed {
		return h.Theme.Fail.Render("! " + text)
	}
	return h.Theme.Accent.Render(text)
}

// FilterLine is the status line of a list that has no frame to show its filter
// in.
func (h *Host) FilterLine(f widget.Filter) string {
	switch {
	case h.Size() != Figures:
		return ""
	case f.Typing:
		return " " + h.Theme.Accent.Render("/") + f.Text.View(h.Theme, max(h.Width-3, 1))
	}
	return " " + f.Note(h.Theme)
}

// MoreRows is the status line of a page with rows below the screen.
func (h *Host) MoreRows(below int) string {
	if below <= 0 {
		return ""
	}
	return " " + h.Theme.Muted.Render(fmt.Sprintf("%s %d more rows", h.Theme.Below, below))
}

// A Result is the second half of a command: Update calls it with what the command
// has found.
type Result func() tea.Cmd

// Work returns a command that does something slow, such as reading files, outside
// of Update.
func Work(do func() Result) tea.Cmd { return func() tea.Msg { return do() } }

// Notified returns a result that shows a message.
func (h *Host) Notified(format string, args ...any) Result {
	return func() tea.Cmd {
		h.Notify(format, args...)
		return nil
	}
}

// Failed returns a result that shows an error.
func (h *Host) Failed(err error) Result {
	return func() tea.Cmd {
		h.Fail(err)
		return nil
	}
}

// WholeWords joins the texts that fit a width. A truncated number would look like
// another one.
func WholeWords(width int, texts ...string) string {
	line := ""
	for _, text := range texts {
		longer := strings.TrimLeft(line+" "+text, " ")
		if line != "" && theme.Width(longer) > width {
			break
		}
		line = longer
	}
	return line
}
