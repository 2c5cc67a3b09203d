package live

import (
	"slices"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// value is a figure at the right end of the charts.
func (s *Screen) value(f session.Figure) string {
	v, ok := s.valueAt(f.Probe, s.span().To)
	if !ok {
		return "n/a"
	}
	return theme.Number(v, f.Unit)
}

// drawFigures draws figures in columns, with sparklines where there is room:
// exactly rows rows, each exactly width columns wide.
func (s *Screen) drawFigures(list []session.Figure, columns, width, rows int) []string {
	const nameWidth, valueWidth = 11, 9
	t, at := s.host.Theme, s.span()
	each := width / columns
	out := slices.Repeat([]string{theme.Spaces(width)}, max(rows, 0))
	for i := range out {
		row := ""
		for _, f := range list[min(i*columns, len(list)):min((i+1)*columns, len(list))] {
			text := " " + t.Muted.Render(t.Pad(f.Name, nameWidth)) + t.Strong.Render(t.PadLeft(s.value(f), valueWidth))
			if room := each - nameWidth - valueWidth - 4; room >= 6 {
				points := s.points(line{probe: f.Probe, counter: f.Counter}, at)
				text += "  " + t.Spark.Render(chart.Sparkline(t, points, at, room))
			}
			row += t.Pad(text, each)
		}
		out[i] = t.Pad(row, width)
	}
	return out
}

// drawSmall draws figures alone, for terminals without room for charts.
func (s *Screen) drawSmall(width, height int) []string {
	list := session.Figures
	if s.tab == runtimeTab {
		list = session.RuntimeFigures
	}
	columns := max(width/30, 1)
	rows := min((len(list)+columns-1)/columns, height)
	out := s.drawFigures(list, columns, width, rows)
	if len(out) < height && s.tab == overviewTab {
		t := s.host.Theme
		out = append(out, t.Pad(" "+t.Muted.Render("verdicts   ")+check.Count(s.verdicts.all).Text(t), width))
	}
	return out
}
