package live

import (
	"slices"

	"mabeam-top/internal/ui/widget"
)

// An area is where a panel is on the screen.
type area struct {
	panel panel
	widget.Area
}

// leastChart is the height of the lowest chart that is readable.
const leastChart = 9

// arrange returns the areas of the tab's panels. They fill the body. Panels that
// do not fit are missing, but never the chart in focus.
func (s *Screen) arrange(width, height int) []area {
	if s.expanded {
		return []area{{panel(s.chart[s.tab]), widget.Area{Width: width, Height: height}}}
	}
	charts, list := tabCharts[s.tab], tabList[s.tab]
	columns := min(columnsOf(width), max(len(charts), 1))
	switch s.tab {
	case overviewTab:
		return s.arrangeOverview(width, height, columns)
	case runtimeTab:
		rows := max(min(height/leastChart, len(charts)/columns), 1)
		return s.grid(nil, widget.Area{Width: width, Height: height}, columns, rows)
	}
	var out []area
	top := 0
	if len(charts) > 0 && height >= 3*leastChart {
		top = max(height/4, leastChart)
		out = s.grid(out, widget.Area{Width: width, Height: top}, columns, 1)
	}
	rest := widget.Area{Top: top, Width: width, Height: height - top}
	switch {
	case s.mainList() != detailPanel:
		return append(out, area{list, rest})
	case width < 110:
		return append(out, area{detailPanel, rest})
	default:
		left, right := rest, rest
		left.Width, right.Left = width/2, width/2
		right.Width = width - width/2
		return append(out, area{list, left}, area{detailPanel, right})
	}
}

// columnsOf is how many charts are readable side by side.
func columnsOf(width int) int {
	switch {
	case width >= 150:
		return 3
	case width >= 100:
		return 2
	default:
		return 1
	}
}

// arrangeOverview puts the lists below the charts. If there is one column of
// charts, the figures are above it.
func (s *Screen) arrangeOverview(width, height, columns int) []area {
	var out []area
	top := 0
	if columns == 1 {
		top = 3
		out = append(out, area{figuresPanel, widget.Area{Width: width, Height: top}})
	}
	rest := height - top
	bottom := 0
	switch {
	case rest >= 30:
		bottom = min(rest*3/10, 20)
	case rest >= leastChart+5:
		bottom = max(rest/3, 5)
	}
	most := (len(tabCharts[overviewTab]) + columns - 1) / columns
	rows := max(min((rest-bottom)/leastChart, most, 3), 1)
	out = s.grid(out, widget.Area{Top: top, Width: width, Height: rest - bottom}, columns, rows)
	if bottom == 0 {
		return out
	}
	lists := []panel{agentsPanel, verdictPanel, logPanel}[:columns]
	if columns == 1 {
		lists = []panel{verdictPanel}
	}
	for i, p := range lists {
		from, to := width*i/columns, width*(i+1)/columns
		out = append(out, area{p, widget.Area{Left: from, Top: height - bottom, Width: to - from, Height: bottom}})
	}
	return out
}

// grid adds the charts of the tab in rows and columns. If there are more charts,
// it adds the rows around the chart in focus.
func (s *Screen) grid(out []area, in widget.Area, columns, rows int) []area {
	charts := tabCharts[s.tab]
	row := max(slices.Index(charts, s.chart[s.tab]), 0) / columns
	first := max(row-rows+1, 0) * columns
	for i, number := range charts[first:min(first+columns*rows, len(charts))] {
		c, r := i%columns, i/columns
		left, right := in.Width*c/columns, in.Width*(c+1)/columns
		above, below := in.Height*r/rows, in.Height*(r+1)/rows
		out = append(out, area{panel(number), widget.Area{Left: left, Top: in.Top + above, Width: right - left, Height: below - above}})
	}
	return out
}
