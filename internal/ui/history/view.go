package history

import (
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// Frame draws the screen.
func (s *Screen) Frame() screen.Frame {
	return screen.Frame{
		Top:    []string{s.host.Header(s.host.Theme.Muted.Render(s.summary()), "")},
		Body:   s.body(s.host.Width, s.host.BodyHeight()),
		Status: s.host.FilterLine(s.filter),
	}
}

// Line is the screen on a terminal of one line.
func (s *Screen) Line() string {
	if len(s.shown) == 0 {
		return "RUNS none"
	}
	p := s.selected()
	return "RUNS " + p.StartedAt.Local().Format("01-02 15:04") + " " + s.host.Theme.Verdict(strings.ToUpper(string(p.Verdict))) + " " + theme.Clean(p.Names)
}

func (s *Screen) body(width, height int) []string {
	t := s.host.Theme
	list := func(width, height int) []string {
		return widget.Panel{Title: t.Strong.Render("Past runs"), Notes: s.filter.Note(t), Rows: s.list(width-2, height-2), Focused: true}.Draw(t, width, height)
	}
	switch {
	case width < 60 || height < 14:
		return s.list(width, height)
	case width < 110:
		top := max(min(len(s.shown)+2, height*45/100), 6)
		return slices.Concat(list(width, top), s.trendPanel(width, height-top))
	}
	left := min(max(width*45/100, 58), 84)
	trend := s.trendPanel(width-left, max(height*45/100, 12))
	return widget.Beside(list(left, height), slices.Concat(trend, s.metricsPanel(width-left, height-len(trend))))
}

func (s *Screen) list(width, height int) []string {
	if height < 1 {
		return nil
	}
	if len(s.shown) == 0 {
		text := "no past run matches the filter"
		switch {
		case !s.loaded:
			text = "reading past runs"
		case len(s.all) == 0:
			text = "no past runs"
		}
		return []string{" " + s.host.Theme.Muted.Render(text)}
	}
	from, to := widget.Window(len(s.shown), height, s.cursor)
	var rows []string
	for i, index := range s.shown[from:to] {
		rows = append(rows, s.entry(s.all[index], from+i == s.cursor, width))
	}
	return rows
}

// entry is the row of a run.
func (s *Screen) entry(p session.Past, selected bool, width int) string {
	t := s.host.Theme
	marks, name := widget.Entry(t, theme.Clean(p.Names), selected, slices.Contains(s.marked, p.ID()))
	verdict := t.Verdict(strings.ToUpper(string(p.Verdict)))
	if p.Unfinished() {
		verdict = t.Muted.Render("UNFINISHED")
	}
	recording := "   "
	if p.Recording != "" {
		recording = t.Muted.Render("rec")
	}
	when := p.StartedAt.Local().Format("01-02 15:04")
	if p.StartedAt.Local().Year() != s.all[0].StartedAt.Local().Year() {
		when = p.StartedAt.Local().Format("2006-01-02 ")
	}
	right := t.PadLeft(t.Muted.Render(quantity.Clock(p.DurationSeconds)), 7) + " " + recording + " "
	if width < 46 {
		right = ""
	}
	return t.Justify(marks+t.Muted.Render(when)+"  "+t.Pad(verdict, 12)+" "+name+" ", right, width)
}
