package live

import (
	"strconv"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A tab is one of the pages of the screen.
type tab int

const (
	overviewTab tab = iota
	agentsTab
	busTab
	runtimeTab
	verdictsTab
	logTab
	tabCount
)

var tabNames = [tabCount]string{"Overview", "Agents", "Bus", "Runtime", "Verdicts", "Log"}

// A panel is a part of the screen with a frame: a chart, by its number, or a list.
type panel int

const (
	agentsPanel panel = chartCount + iota
	detailPanel       // of one agent
	busPanel
	verdictPanel
	logPanel
	figuresPanel       // has no frame and never the focus
	noPanel      panel = -1
)

// tabCharts are the charts of each tab. tabList is its list; noPanel if the tab
// has several.
var (
	tabCharts = [tabCount][]int{
		overviewTab: {throughputChart, latencyChart, memoryChart, populationChart, eventsChart, backlogChart},
		agentsTab:   {backlogChart, populationChart},
		busTab:      {eventsChart, latencyChart},
		runtimeTab:  {schedulerChart, processorChart, goroutinesChart, machineChart, allocationChart, collectorChart},
	}
	tabList = [tabCount]panel{overviewTab: noPanel, agentsTab: agentsPanel, busTab: busPanel, runtimeTab: noPanel, verdictsTab: verdictPanel, logTab: logPanel}
)

// tabOf is the tab of a list.
func tabOf(list panel) tab {
	for t, p := range tabList {
		if p == list || p == agentsPanel && list == detailPanel {
			return tab(t)
		}
	}
	return overviewTab
}

// A hit is the columns of the tab bar in which a click opens a tab: from from up
// to, but not including, to.
type hit struct {
	from, to int
	tab      tab
}

// tabBar draws the names of the tabs with a text at the right. In a narrow
// terminal, the tabs in the background have only their numbers.
func tabBar(t *theme.Theme, active tab, right string, width int) (string, []hit) {
	for _, short := range []bool{false, true} {
		var b strings.Builder
		var hits []hit
		at := 0
		for i, name := range tabNames {
			number := strconv.Itoa(i + 1)
			text := " " + number + " " + name + " "
			if short && tab(i) != active {
				text = " " + number + " "
			}
			hits = append(hits, hit{at, at + len(text), tab(i)})
			at += len(text)
			if tab(i) == active {
				b.WriteString(t.Tab.Render(text))
			} else {
				b.WriteString(" " + t.Accent.Render(number) + t.Muted.Render(text[1+len(number):]))
			}
		}
		if at <= width {
			if room := width - at - 2; theme.Width(right) > room {
				right = ""
			}
			return t.Justify(b.String(), right+" ", width), hits
		}
	}
	return t.Tab.Render(t.Pad(" "+tabNames[active]+" ", width)), nil
}
