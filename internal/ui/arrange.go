package ui

import (
	"slices"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// An area is a part of the live screen's body: where a panel is.
type area struct {
	panel                  panel
	left, top, width, rows int
}

func (a area) contains(col, row int) bool {
	return col >= a.left && col < a.left+a.width && row >= a.top && row < a.top+a.rows
}

// leastChart is the least height of a chart's panel that is good to read.
const leastChart = 9

// arrange returns where the panels of a tab are in a body of that size, which
// they fill from left to right and from top to bottom. What there is no room
// for is not among them. chart is the one that must be in sight.
func (l *live) arrange(width, height int) []area {
	if l.expanded {
		return []area{{panel(l.chart[l.tab]), 0, 0, width, height}}
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
		return append(out, area{list, 0, top, width, height - top})
	case width < 110:
		return append(out, area{detailPanel, 0, top, width, height - top})
	default:
		left := width / 2
		return append(out, area{list, 0, top, left, height - top}, area{detailPanel, left, top, width - left, height - top})
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
		out = append(out, area{figuresPanel, 0, 0, width, top})
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
		out = append(out, area{p, from, height - bottom, to - from, bottom})
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
		out = append(out, area{panel(number), left, top + above, right - left, below - above})
	}
	return out
}

// compose draws areas beside and below each other: exactly height rows, each
// exactly width wide.
func compose(s *theme.Theme, areas []area, width, height int, draw func(area) []string) []string {
	type block struct {
		area
		drawn []string
	}
	blocks := make([]block, len(areas))
	for i, a := range areas {
		blocks[i] = block{a, draw(a)}
	}
	slices.SortStableFunc(blocks, func(a, b block) int { return a.left - b.left })
	out := make([]string, height)
	var b strings.Builder
	for row := range out {
		b.Reset()
		col := 0
		for _, block := range blocks {
			if row < block.top || row >= block.top+block.rows {
				continue
			}
			b.WriteString(theme.Spaces(block.left - col))
			b.WriteString(block.drawn[row-block.top])
			col = block.left + block.width
		}
		b.WriteString(theme.Spaces(width - col))
		out[row] = b.String()
	}
	return out
}
