package live

import (
	"cmp"
	"slices"
	"strconv"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
)

// A bookmark is a moment that the user marked.
type bookmark struct {
	t      float64
	number int
}

func (b bookmark) text() string { return strconv.Itoa(b.number) }

// maxBookmarks is the number of bookmarks that are kept.
const maxBookmarks = 99

// bookmark marks the moment at the right end of the charts.
func (s *Screen) bookmark() {
	number := 1
	if n := len(s.bookmarks); n > 0 {
		number = s.bookmarks[n-1].number + 1
	}
	s.bookmarks = append(s.bookmarks[max(len(s.bookmarks)-maxBookmarks+1, 0):], bookmark{s.span().To, number})
}

// marks returns the marks on a time axis, in the order of time.
func (s *Screen) marks(at chart.Span) []chart.Mark {
	var out []chart.Mark
	for _, m := range s.shown.Marks {
		if m.T < at.From || m.T > at.To {
			continue
		}
		mark := chart.Mark{T: m.T, Kind: chart.RepetitionMark}
		switch {
		case m.ByHand:
			mark.Kind, mark.Text = chart.ManualMark, theme.Clean(m.Text)
		case m.Type == stream.FaultInjected:
			mark.Kind, mark.Text = chart.FaultMark, theme.Clean(m.Text)
		}
		out = append(out, mark)
	}
	for _, b := range s.bookmarks {
		if b.t >= at.From && b.t <= at.To {
			out = append(out, chart.Mark{T: b.t, Kind: chart.Bookmark, Text: b.text()})
		}
	}
	slices.SortStableFunc(out, func(a, b chart.Mark) int { return cmp.Compare(a.T, b.T) })
	return out
}

// verticals returns the vertical lines of charts: the start of each step and
// repetition, and the bookmarks.
func (s *Screen) verticals(at chart.Span) []chart.Vertical {
	t := s.host.Theme
	var out []chart.Vertical
	for _, m := range s.shown.Marks {
		if m.T >= at.From && m.Type != stream.FaultInjected && !m.ByHand {
			out = append(out, chart.Vertical{T: m.T, Style: t.Faint})
		}
	}
	for _, b := range s.bookmarks {
		out = append(out, chart.Vertical{T: b.t, Style: t.Accent})
	}
	return out
}
