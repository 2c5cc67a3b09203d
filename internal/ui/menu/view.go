package menu

import (
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// Frame draws the screen.
func (s *Screen) Frame() screen.Frame {
	if s.form != nil {
		return s.formFrame()
	}
	return screen.Frame{
		Top:    []string{s.host.Header(s.host.Theme.Muted.Render(s.summary()), "")},
		Body:   s.body(s.host.Width, s.host.BodyHeight()),
		Status: s.host.FilterLine(s.filter),
	}
}

// Line is the screen on a terminal of one line.
func (s *Screen) Line() string {
	switch names := s.chosen(); {
	case s.form != nil:
		return s.formLine()
	case len(names) > 0:
		return "MENU " + theme.Clean(strings.Join(names, " "))
	default:
		return "MENU no scenario matches"
	}
}

// body draws the list, and the selected scenario beside it where there is room.
func (s *Screen) body(width, height int) []string {
	if width < 80 || height < 12 {
		return s.list(width, height)
	}
	t := s.host.Theme
	left := min(max(width*45/100, 40), 76)
	list := widget.Panel{Title: t.Strong.Render("Scenarios"), Notes: s.filter.Note(t), Rows: s.list(left-2, height-2), Focused: true}.Draw(t, left, height)
	return widget.Beside(list, s.details(width-left, height))
}

// list draws the scenarios below their tags.
func (s *Screen) list(width, height int) []string {
	if height < 1 {
		return nil
	}
	t := s.host.Theme
	var rows []string
	at, tag := 0, ""
	for i, index := range s.shown {
		sc := s.catalogue.Scenarios[index]
		if sc.Tag() != tag {
			tag = sc.Tag()
			if len(rows) > 0 && height > 20 {
				rows = append(rows, "")
			}
			rows = append(rows, " "+t.Muted.Render(theme.Clean(tag)))
		}
		if i == s.cursor {
			at = len(rows)
		}
		rows = append(rows, s.entry(sc, i == s.cursor, width))
	}
	if len(rows) == 0 {
		text := "no scenario matches the filter"
		if len(s.catalogue.Scenarios) == 0 {
			text = "no scenarios"
		}
		return []string{" " + t.Muted.Render(text)}
	}
	from, to := widget.Window(len(rows), height, at)
	return rows[from:to]
}

// entry is the row of a scenario.
func (s *Screen) entry(sc session.Scenario, selected bool, width int) string {
	t := s.host.Theme
	marks, name := widget.Entry(t, theme.Clean(sc.Title), selected, s.marked[sc.Name])
	if len(s.catalogue.Changed[sc.Name]) > 0 {
		name += t.Warn.Render(" changed")
	}
	return t.Justify(marks+name+" ", s.lastRun(sc, width), width)
}

// lastRun is the right part of an entry: estimate, last verdict and its date, as
// far as there is room.
func (s *Screen) lastRun(sc session.Scenario, width int) string {
	t := s.host.Theme
	if width < 32 {
		return ""
	}
	const verdictWidth = 12
	text := t.Pad(lastVerdict(t, sc), verdictWidth)
	if width >= 44 {
		text = t.Muted.Render("~"+quantity.Clock(sc.Estimate.Seconds())) + "  " + text
	}
	layout := "01-02"
	switch {
	case width < 50:
		return text
	case width >= 62:
		layout = "01-02 15:04"
	}
	if sc.LastRun.IsZero() {
		return text + theme.Spaces(len(layout)+2)
	}
	return text + " " + t.Muted.Render(sc.LastRun.Local().Format(layout)) + " "
}

func lastVerdict(t *theme.Theme, sc session.Scenario) string {
	if sc.LastVerdict == "" {
		return t.Muted.Render("not run")
	}
	return t.Verdict(strings.ToUpper(string(sc.LastVerdict)))
}

// details describes the selected scenario.
func (s *Screen) details(width, height int) []string {
	t := s.host.Theme
	if len(s.shown) == 0 {
		return widget.Panel{}.Draw(t, width, height)
	}
	sc := s.selected()
	inner := width - 6
	rows := []string{""}
	add := func(lines ...string) {
		for _, line := range lines {
			rows = append(rows, "  "+line)
		}
	}
	add(theme.Wrap(theme.Clean(sc.Description), inner)...)
	rows = append(rows, "")
	last := lastVerdict(t, sc)
	if sc.LastVerdict != "" && !sc.LastRun.IsZero() {
		last += t.Muted.Render("  " + sc.LastRun.Local().Format("2006-01-02 15:04"))
	}
	for _, f := range [][2]string{
		{"name", theme.Clean(sc.Name)},
		{"tags", theme.Clean(strings.Join(sc.Tags, ", "))},
		{"takes about", quantity.Clock(sc.Estimate.Seconds())},
		{"last run", last},
	} {
		add(t.Muted.Render(t.Pad(f[0], 12)) + t.Truncate(f[1], inner-12))
	}
	for i, step := range sc.Steps {
		rows = append(rows, "")
		add(s.step(sc, i, step, inner)...)
	}
	if room := height - 2; len(rows) > room && room > 1 {
		rows = append(rows[:room-1], "  "+t.Muted.Render(fmt.Sprintf("%s %d more rows: e shows all parameters", t.Below, len(rows)-room+1)))
	}
	return widget.Panel{Title: t.Strong.Render(theme.Clean(sc.Title)), Rows: rows}.Draw(t, width, height)
}

// step describes a step: its parameters and its limits.
func (s *Screen) step(sc session.Scenario, i int, step session.Step, width int) []string {
	t := s.host.Theme
	title := t.Muted.Render(fmt.Sprintf("%d ", i+1)) + t.Strong.Render(theme.Clean(step.Name))
	notes := slices.Clone(step.Notes)
	if step.Measurement != step.Name {
		notes = slices.Insert(notes, 0, step.Measurement)
	}
	if len(notes) > 0 {
		title += t.Muted.Render("  " + theme.Clean(strings.Join(notes, ", ")))
	}
	rows := append([]string{title}, s.parameters(sc, step.Name, width)...)
	var exact []string
	for _, l := range step.Limits {
		if l.Source == report.KindCondition {
			exact = append(exact, theme.Clean(l.Metric))
			continue
		}
		rows = append(rows, "  "+t.Limit.Render(t.Pad(theme.Clean(string(l.Source)), 10))+theme.Clean(l.Metric)+" "+t.Muted.Render(theme.Clean(l.Op)+" "+quantity.Format(l.Value, l.Unit)))
	}
	if n := len(exact); n > 0 {
		rows = append(rows, "  "+t.Limit.Render(t.Pad(string(report.KindCondition), 10))+check.ExactText(n)+t.Muted.Render(": "+strings.Join(exact, ", ")))
	}
	return rows
}

// parameters lists those of a step, as many in a row as there is room for.
// Changed values stand out.
func (s *Screen) parameters(sc session.Scenario, step string, width int) []string {
	t := s.host.Theme
	var items []string
	for _, f := range sc.Fields {
		if f.Step != step {
			continue
		}
		value := theme.Clean(f.Value)
		if changed, ok := s.catalogue.Changed[sc.Name][f.Name]; ok {
			value = t.Warn.Render(theme.Clean(changed))
		}
		items = append(items, t.Muted.Render(theme.Clean(f.Param)+" ")+value)
	}
	rows := widget.Flow(items, "   ", width-2)
	for i := range rows {
		rows[i] = "  " + rows[i]
	}
	return rows
}
