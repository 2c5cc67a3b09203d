package ui

import (
	"slices"

	"mabeam-top/internal/ui/widget"
)

// An area is where a panel is on the live screen.
type area struct {
	panel panel
	widget.Area
}

// leastChart is the least height of a chart's panel that is good to read.
const leastChart = 9

// arrange returns where the panels of a tab are in a body of that size, which
// they fill from left to right and from top to bottom. What there is no room
// for is not among them. chart is the one that must be in sight.
func (l *live) arrange(width, height int) []area {
	if l.expanded {
		return []area{{panel(l.chart[l.tab]), widget.Area{Width: width, Height: height}}}
	}
	charts, list := tabCharts[l.tab], tabList[l.tab]
	columns := min(columnsOf(width), max(len(charts), 1))
	switch l.tab {
	case overviewTab:
		return l.arrangeOverview(width, height, columns)
	case runtimeTab:
		rows := max(min(height/leastChart, len(charts)/columns), 1)
		return l.grid(nil, 0, width, height, columns, rows)
	}
	var out []area
	top := 0
	if len(charts) > 0 && height >= 3*leastChart {
		top = max(height/4, leastChart)
		out = l.grid(out, 0, width, top, columns, 1)
	}
	switch {
	case l.wholeList() != detailPanel:
		return append(out, area{list, widget.Area{Top: top, Width: width, Height: height - top}})
	case width < 110:
		return append(out, area{detailPanel, widget.Area{Top: top, Width: width, Height: height - top}})
	default:
		left := width / 2
		return append(out, area{list, widget.Area{Top: top, Width: left, Height: height - top}}, area{detailPanel, widget.Area{Left: left, Top: top, Width: width - left, Height: height - top}})
	}
}

// columnsOf is how many charts are good to read beside each other.
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

// arrangeOverview puts the figures on top where there is but one column of
// charts, and the lists below the charts.
func (l *live) arrangeOverview(width, height, columns int) []area {
	var out []area
	top := 0
	if columns == 1 {
		top = 3
		out = append(out, area{figuresPanel, widget.Area{Top: 0, Width: width, Height: top}})
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
	out = l.grid(out, top, width, rest-bottom, columns, rows)
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

// grid adds the charts of the tab in rows and columns. If there are more charts
// than that, the rows around the one that must be in sight are shown.
func (l *live) grid(out []area, top, width, height, columns, rows int) []area {
	charts := tabCharts[l.tab]
	row := max(slices.Index(charts, l.chart[l.tab]), 0) / columns
	first := max(row-rows+1, 0) * columns
	for i, number := range charts[first:min(first+columns*rows, len(charts))] {
		c, r := i%columns, i/columns
		left, right := width*c/columns, width*(c+1)/columns
		above, below := height*r/rows, height*(r+1)/rows
		out = append(out, area{panel(number), widget.Area{Left: left, Top: top + above, Width: right - left, Height: below - above}})
	}
	return out
}
