package ui

import (
	"slices"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// helpPage lists every key that works on the screen, and explains its marks.
func (m *model) helpPage(height int) []string {
	const gap = 3
	t, keys := m.host.Theme, m.helpKeys()
	var legend [][2]string
	if m.current == m.live {
		legend = chartLegend(t)
	}
	inner := m.host.Width - 4
	rows := max(max(height-2, 1)-len(legend)-2, 1)
	// As few columns as the height allows, because wide ones have room for longer
	// texts.
	columns := min((len(keys)+rows-1)/rows, max(inner/24, 1))
	columns = max(columns, min(inner/60, 2))
	rows = max((len(keys)+columns-1)/columns, 1)
	width := (inner+gap)/columns - gap
	out := []string{""}
	for r := range rows {
		line := "  "
		for i := r; i < len(keys); i += rows {
			if i >= rows {
				line += theme.Spaces(gap)
			}
			line += t.Pad(helpCell(t, keys[i], width), width)
		}
		out = append(out, line)
	}
	if len(legend) > 0 {
		out = append(out, "")
	}
	for _, sign := range legend {
		out = append(out, "  "+t.Pad(sign[0], helpKeyWidth)+t.Muted.Render(sign[1]))
	}
	return widget.Panel{Title: t.Strong.Render("Help"), Rows: out, Focused: true}.Draw(t, m.host.Width, height)
}

const helpKeyWidth = 10

func helpCell(t *theme.Theme, k screen.Key, width int) string {
	text := k.Long()
	if theme.Width(text) > width-helpKeyWidth {
		text = k.Short()
	}
	return t.Accent.Render(t.Pad(k.Name(), helpKeyWidth)) + t.Muted.Render(text)
}

// helpKeys are the keys without dialog and help. If two actions have the same key,
// the first one works.
func (m *model) helpKeys() []screen.Key {
	m.help = false
	defer func() { m.help = true }()
	var keys []screen.Key
	for _, a := range m.actions() {
		if name := a.Key.Name(); name != "" && !slices.ContainsFunc(keys, func(k screen.Key) bool { return k.Name() == name }) {
			keys = append(keys, a.Key)
		}
	}
	return keys
}

// chartLegend explains what is drawn in charts besides their lines.
func chartLegend(t *theme.Theme) [][2]string {
	dash := string(t.LimitDash)
	mark := func(kind chart.MarkKind) string {
		r, style := kind.Glyph(t)
		return style.Render(string(r))
	}
	return [][2]string{
		{t.Limit.Render(dash + dash + dash), "Threshold or baseline, with its name"},
		{mark(chart.FaultMark), "Injected fault"},
		{mark(chart.ManualMark), "Manual action: fault, rate change or pause"},
		{mark(chart.Bookmark), "Moment marked with m"},
		{t.Faint.Render(string(t.TimeDash)), "Start of a step or a repetition"},
		{t.Muted.Render(string(t.TopTick)), "Garbage collection"},
	}
}
