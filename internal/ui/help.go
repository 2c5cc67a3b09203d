package ui

import (
	"slices"

	"github.com/charmbracelet/bubbles/key"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// longer says more of keys than the footer has room for, by what the footer
// says of them.
var longer = map[key.Help]string{
	keyFreeze.Help():       "freeze the view; the load goes on",
	keyPause.Help():        "pause the load, until the same key lets it go on",
	keySlower.Help():       "load: 10 % less, or more, of what the scenario asks for",
	keyFault.Help():        "choose a fault and inject it now",
	keyFaultInList.Help():  "choose a fault and inject it now",
	keyTabs[0].Help():      "the tabs: overview, agents, bus, runtime, verdicts, log",
	keyNext.Help():         "the next chart or list gets the keys",
	keyPrevious.Help():     "the one before",
	keyOldest.Help():       "back to the start of the run",
	keyNewest.Help():       "follow the run again",
	keyExpand.Help():       "a chart on the whole screen, with its figures",
	keyZoomIn.Help():       "a shorter or a longer part of the run",
	keyEarlier.Help():      "earlier and later; figures are those at the right end",
	keyMoment.Help():       "mark this moment in the charts and in the log",
	keyScale.Help():        "logarithmic or linear scale",
	keyFilter.Help():       "show only rows with these words",
	keyDetail.Help():       "look at the agent under the cursor",
	keyTrouble.Help():      "only trouble, or everything",
	keyStop.Help():         "stop the load and show the report so far; asks first",
	keyAbort.Help():        "stop the load and report; again: end",
	keyUp.Help():           "one row up",
	keyDown.Help():         "one row down",
	keySort.Help():         "the next order",
	keyWhole.Help():        "all of this list, on its tab",
	keyTheme.Help():        "the next colours",
	keyReplaySlower.Help(): "speed: slower, or faster",
	keySeekBack.Help():     "5 s back, or on",
}

// helpPage tells every key that works on the screen, and what its signs mean.
func (m *model) helpPage() []string {
	const keyWidth, gap = 10, 3
	s := m.styles
	m.help = false
	defer func() { m.help = true }()
	var keys []key.Help
	for _, a := range m.actions() {
		// A key that means two things at once does the first.
		if h := a.key.Help(); h.Key != "" && !slices.ContainsFunc(keys, func(k key.Help) bool { return k.Key == h.Key }) {
			keys = append(keys, h)
		}
	}
	var signs [][2]string
	if m.screen == liveScreen {
		signs = chartSigns(s)
	}
	inner, height := m.width-4, max(m.bodyHeight()-2, 1)
	// As few columns as the height allows: what is wide has room for more words.
	rows := max(height-len(signs)-2, 1)
	columns := min((len(keys)+rows-1)/rows, max(inner/24, 1))
	columns = max(columns, min(inner/60, 2))
	rows = max((len(keys)+columns-1)/columns, 1)
	width := (inner+gap)/columns - gap
	out := []string{""}
	for r := range rows {
		line := "  "
		for i := r; i < len(keys); i += rows {
			does := keys[i].Desc
			if text, ok := longer[keys[i]]; ok && theme.Width(text) <= width-keyWidth {
				does = text
			}
			cell := s.Accent.Render(s.Pad(keys[i].Key, keyWidth)) + s.Muted.Render(does)
			if i >= rows {
				line += theme.Spaces(gap)
			}
			line += s.Pad(cell, width)
		}
		out = append(out, line)
	}
	if len(signs) > 0 {
		out = append(out, "")
	}
	for _, sign := range signs {
		out = append(out, "  "+s.Pad(sign[0], keyWidth)+s.Muted.Render(sign[1]))
	}
	return widget.Panel{Title: s.Strong.Render("Help"), Rows: out, Focused: true}.Draw(s, m.width, m.bodyHeight())
}

// chartSigns are what is drawn in charts besides the lines that the legends name.
func chartSigns(s *theme.Theme) [][2]string {
	dash := string(s.LimitDash)
	mark := func(kind chart.MarkKind) string {
		r, p := kind.Glyph(s)
		return p.Render(string(r))
	}
	return [][2]string{
		{s.Limit.Render(dash + dash + dash), "a threshold or baseline, with its name on it"},
		{mark(chart.FaultMark), "a fault was injected"},
		{mark(chart.ManualMark), "something was done by hand: a fault, a changed rate, a pause"},
		{mark(chart.Bookmark), "marked with m"},
		{s.Faint.Render(string(s.TimeDash)), "a step or a repetition began"},
		{s.Muted.Render(string(s.TopTick)), "the garbage collector ran"},
	}
}
