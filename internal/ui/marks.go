package ui

import (
	"slices"
	"strconv"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
)

// A bookmark is a moment that the reader marked.
type bookmark struct {
	t      float64
	number int
}

func (m bookmark) text() string { return strconv.Itoa(m.number) }

// maxBookmarks bounds them; the oldest is forgotten.
const maxBookmarks = 99

// axisMarks returns the marks of a span, in the order of time.
func (l *live) axisMarks(at chart.Span) []chart.Mark {
	var out []chart.Mark
	for _, m := range l.shown.Marks {
		if m.T < at.From || m.T > at.To {
			continue
		}
		switch {
		case m.ByHand:
			out = append(out, chart.Mark{T: m.T, Kind: chart.ManualMark, Text: theme.Clean(m.Text)})
		case m.Type == stream.FaultInjected:
			out = append(out, chart.Mark{T: m.T, Kind: chart.FaultMark, Text: theme.Clean(m.Text)})
		default:
			out = append(out, chart.Mark{T: m.T, Kind: chart.RepetitionMark, Text: ""})
		}
	}
	for _, m := range l.marks {
		if m.t >= at.From && m.t <= at.To {
			out = append(out, chart.Mark{T: m.t, Kind: chart.Bookmark, Text: m.text()})
		}
	}
	slices.SortStableFunc(out, func(a, b chart.Mark) int {
		switch {
		case a.T < b.T:
			return -1
		case a.T > b.T:
			return 1
		}
		return 0
	})
	return out
}

// uprights returns the vertical lines of a span: where a step or a repetition
// began, and what the reader marked.
func (l *live) uprights(s *theme.Theme, at chart.Span) []chart.Vertical {
	var out []chart.Vertical
	for _, m := range l.shown.Marks {
		if m.T >= at.From && m.Type != stream.FaultInjected && !m.ByHand {
			out = append(out, chart.Vertical{T: m.T, Paint: s.Faint})
		}
	}
	for _, m := range l.marks {
		out = append(out, chart.Vertical{T: m.t, Paint: s.Accent})
	}
	return out
}
