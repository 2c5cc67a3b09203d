package ui

import (
	"slices"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"

	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/widget"
)

// draw makes the frame that View returns.
func (m *model) draw() {
	h := m.host
	switch {
	case h.Width < 1 || h.Height < 1:
		m.frame = ""
	case h.Size() == screen.Line:
		m.frame = widget.Frame(h.Theme, []string{m.line()}, h.Width, h.Height)
	default:
		m.frame = widget.Frame(h.Theme, m.rows(), h.Width, h.Height)
	}
}

// rows are the rows of the frame: header, body, status and footer.
func (m *model) rows() []string {
	h, f := m.host, m.current.Frame()
	height := max(h.Height-len(f.Top)-2, 0)
	body := f.Body[:min(len(f.Body), height)]
	body = append(body, make([]string, height-len(body))...)
	switch {
	case h.Dialog != nil:
		body = widget.Overlay(h.Theme, body, h.Dialog.View(h.Theme, h.Width, height), h.Width)
	case m.help:
		body = m.helpPage(height)
	}
	status := f.Status
	if h.Notice.Text != "" {
		status = " " + h.NoticeText()
	}
	return slices.Concat(f.Top, body, []string{status, m.footer()})
}

// footer shows the keys that work now, as far as there is room.
func (m *model) footer() string {
	t := m.host.Theme
	f := help.New()
	f.ShortSeparator, f.Ellipsis, f.Styles = "  ", t.Ellipsis, t.HelpStyles()
	f.Width = m.host.Width - 1
	keys := screen.Hints(m.actions())
	if m.current == m.live {
		// The live screen has more keys than a small terminal shows. The key that
		// shows all of them comes first.
		if i := slices.IndexFunc(keys, func(k key.Binding) bool { return k.Help() == helpKey.Binding.Help() }); i > 0 {
			keys = slices.Insert(slices.Delete(keys, i, i+1), 0, helpKey.Binding)
		}
	}
	return " " + f.ShortHelpView(keys)
}

// line is the frame of a terminal of one line.
func (m *model) line() string {
	h := m.host
	switch {
	case h.Dialog != nil:
		return h.Dialog.Line(h.Theme, h.Width)
	case m.current == m.report:
		return screen.WholeWords(h.Width, m.report.Line(), m.live.Checks())
	default:
		return m.current.Line()
	}
}
