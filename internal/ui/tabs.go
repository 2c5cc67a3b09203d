package ui

import (
	"strconv"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A tab is one of the pages of the live screen.
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

// A panel is what has a frame of its own on the live screen: a chart, under
// its number, or one of the lists.
type panel int

const (
	agentsPanel panel = chartCount + iota
	// detailPanel is of one agent.
	detailPanel
	busPanel
	verdictPanel
	logPanel
	// figuresPanel has no frame, and never the focus.
	figuresPanel
	noPanel panel = -1
)

// tabCharts are the charts of each tab, and tabList is its list; noPanel if
// that is not on it alone.
var (
	tabCharts = [tabCount][]int{
		overviewTab: {throughputChart, latencyChart, memoryChart, populationChart, eventsChart, backlogChart},
		agentsTab:   {backlogChart, populationChart},
		busTab:      {eventsChart, latencyChart},
		runtimeTab:  {schedulerChart, processorChart, goroutinesChart, machineChart, allocationChart, collectorChart},
	}
	tabList = [tabCount]panel{overviewTab: noPanel, agentsTab: agentsPanel, busTab: busPanel, runtimeTab: noPanel, verdictsTab: verdictPanel, logTab: logPanel}
)

// tabOf is the tab that shows all of a list.
func tabOf(list panel) tab {
	for t, p := range tabList {
		if p == list || p == agentsPanel && list == detailPanel {
			return tab(t)
		}
	}
	return overviewTab
}

// A hit is where on the tab bar a tab can be clicked: the columns from from to
// before to.
type hit struct {
	from, to int
	tab      tab
}

// drawTabs draws the names of the tabs in a width, as far as there is room: all
// names, or the others' numbers alone. What is shown stands at the right.
func drawTabs(s *theme.Theme, active tab, right string, width int) (string, []hit) {
	for _, short := range []bool{false, true} {
		var b strings.Builder
		var hits []hit
		at := 0
		for t, name := range tabNames {
			number := strconv.Itoa(t + 1)
			text := " " + number + " " + name + " "
			if short && tab(t) != active {
				text = " " + number + " "
			}
			hits = append(hits, hit{at, at + len(text), tab(t)})
			at += len(text)
			if tab(t) == active {
				b.WriteString(s.Tab.Render(text))
			} else {
				b.WriteString(" " + s.Accent.Render(number) + s.Muted.Render(text[1+len(number):]))
			}
		}
		if at <= width {
			if room := width - at - 2; theme.Width(right) > room {
				right = ""
			}
			return s.Justify(b.String(), right+" ", width), hits
		}
	}
	return s.Tab.Render(s.Pad(" "+tabNames[active]+" ", width)), nil
}
