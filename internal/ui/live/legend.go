package live

import (
	"cmp"
	"strings"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A legendItem names a line, with its value at the right end of the chart.
type legendItem struct {
	mark               string
	name, short, value string
}

func (s *Screen) legendItem(line line, mark, unit string, t float64) legendItem {
	item := legendItem{mark: mark, name: line.name, short: cmp.Or(line.short, line.name)}
	if v, ok := s.valueAt(line.probe, t); ok {
		item.value = theme.Number(v, unit)
		if line.counter {
			item.value = theme.Number(v, theme.Count)
		}
	}
	return item
}

// legendText writes a legend: all of it, or shorter, or fewer items.
func legendText(t *theme.Theme, items []legendItem, width int) string {
	for n := len(items); n > 0; n-- {
		for _, how := range []struct {
			gap           string
			noUnit, short bool
		}{{"  ", false, false}, {"  ", true, false}, {"  ", true, true}, {" ", true, true}} {
			parts := make([]string, n)
			for i, item := range items[:n] {
				name, value := item.name, item.value
				if how.noUnit {
					value = strings.TrimSuffix(value, "/s")
				}
				if how.short {
					name = item.short
				}
				parts[i] = strings.TrimSpace(item.mark + " " + t.Muted.Render(name) + " " + t.Strong.Render(value))
			}
			if text := strings.Join(parts, how.gap); theme.Width(text) <= width {
				return text
			}
		}
	}
	return ""
}

// statistics is a table of the values of each line of a chart in the time shown.
func (s *Screen) statistics(c chartPanel, at chart.Span, width int) []string {
	t := s.host.Theme
	const nameWidth, columnWidth = 14, 11
	now := "now"
	if !s.following() {
		now = "at " + theme.ClockTenths(at.To)
	}
	columns := []widget.Column{{Width: 1}, {Width: nameWidth, Gap: 1}}
	for _, title := range []string{now, "min", "mean", "max", "max at"} {
		columns = append(columns, widget.Column{Title: title, Width: columnWidth, Gap: 2, Right: true})
	}
	layout := widget.Table{Columns: columns, Indent: 1}.Fit(width)
	period := s.zoom.Text(s.shown.T)
	rows := []string{widget.Heading(t, t.Strong.Render(strings.ToUpper(period[:1])+period[1:]), "", width), layout.Heading(t)}
	for _, section := range c.sections {
		for i, line := range section.lines {
			points := s.points(line, at)
			points = points[:min(len(points), countUntil(points, at.To))]
			if len(points) == 0 {
				continue
			}
			_, mark := lineStyle(t, line, i)
			low, high, sum := points[0], points[0], 0.0
			for _, p := range points {
				if p.V < low.V {
					low = p
				}
				if p.V > high.V {
					high = p
				}
				sum += p.V / float64(len(points))
			}
			cells := []string{mark, t.Muted.Render(line.name)}
			for _, v := range []float64{points[len(points)-1].V, low.V, sum, high.V} {
				cells = append(cells, theme.Number(v, section.unit))
			}
			cells = append(cells, t.Muted.Render(theme.ClockTenths(high.T)))
			rows = append(rows, layout.Row(t, widget.Row{Cells: cells})...)
		}
	}
	return rows
}
