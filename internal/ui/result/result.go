// Package result is the screens of a run's report, and of its comparison with
// another one.
package result

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// Links are what the screen leads to.
type Links struct {
	Start  func(session.Order) tea.Cmd
	Replay func(path string) tea.Cmd
	// Charts shows the live screen of the run.
	Charts func()
	// Comparison shows a comparison.
	Comparison func(*Comparison)
	// Home leaves the report. HomeKey is its key.
	Home    func() tea.Cmd
	HomeKey func() screen.Key
	// Busy reports whether a run or a replay is in progress.
	Busy func() bool
}

// A Screen shows a report.
type Screen struct {
	host      *screen.Host
	catalogue *session.Catalogue
	config    session.Config
	links     Links
	outcome   session.Outcome
	// live is true if the live screen still shows the run.
	live bool
	widget.Pager
	screen.NoText
}

// New returns the screen without a report.
func New(host *screen.Host, catalogue *session.Catalogue, config session.Config, links Links) *Screen {
	return &Screen{host: host, catalogue: catalogue, config: config, links: links}
}

// Show replaces the report. live is true if the live screen still shows the run.
func (s *Screen) Show(o session.Outcome, live bool) {
	if o.Report == nil { // the run ended before it reported anything
		o.Report = &report.Report{Verdict: report.Broken}
	}
	s.outcome, s.live, s.Pager = o, live, widget.Pager{}
}

// Report is the report on the screen; nil before the first.
func (s *Screen) Report() *report.Report { return s.outcome.Report }

var (
	chartsKey   = screen.Bind("tab", "charts", "tab").Help("Show the charts")
	exportKey   = screen.Bind("x", "export", "x").Help("Export the report to a file")
	baselineKey = screen.Bind("b", "save as baseline", "b").Help("Save the report as baseline")
	rerunKey    = screen.Bind("R", "re-run", "R").Help("Run the same scenarios again")
)

// Actions returns the keys that work now.
func (s *Screen) Actions() []screen.Action {
	height := s.host.BodyHeight()
	out := screen.Scroll(max(height-2, 1), func(by int) { s.Scroll(by, height) })
	if s.live {
		out = append(out, screen.Act(chartsKey, s.links.Charts))
	}
	if !s.links.Busy() {
		out = append(out, s.reportActions()...)
	}
	return append(out, screen.Action{Key: s.links.HomeKey(), Do: s.links.Home})
}

// reportActions are the keys for the report.
func (s *Screen) reportActions() []screen.Action {
	o := s.outcome
	out := []screen.Action{screen.Act(exportKey, s.chooseFormat)}
	if s.config.Store != nil {
		if o.Report.Verdict.Conclusive() {
			out = append(out, screen.Action{Key: baselineKey, Do: s.saveBaseline})
		}
		if s.config.Compare != nil && len(o.Report.Scenarios) > 0 {
			out = append(out, screen.Action{Key: screen.Compare, Do: func() tea.Cmd { return s.Compare(*o.Report, nil) }})
		}
	}
	unknown := func(name string) bool {
		_, ok := s.catalogue.Find(name)
		return !ok
	}
	if len(o.Order.Scenarios) > 0 && !slices.ContainsFunc(o.Order.Scenarios, unknown) {
		out = append(out, screen.Action{Key: rerunKey, Do: func() tea.Cmd { return s.links.Start(o.Order) }})
	}
	if o.Recording != "" {
		out = append(out, screen.Action{Key: screen.Replay, Do: func() tea.Cmd { return s.links.Replay(o.Recording) }})
	}
	return out
}

// Frame draws the screen.
func (s *Screen) Frame() screen.Frame {
	h, r := s.host, s.outcome.Report
	right := ""
	if !r.StartedAt.IsZero() {
		right = h.Theme.Muted.Render(theme.Timestamp(r.StartedAt)) + " "
	}
	height := h.BodyHeight()
	s.Layout(h.Theme, h.Width, height, func() []string { return write(h.Theme, s.outcome, h.Width) })
	return screen.Frame{
		Top:  []string{h.Header(h.Theme.Strong.Render("Report")+h.Theme.Muted.Render("  "+title(r)), right)},
		Body: s.Shown(height), Status: h.MoreRows(s.Below(height)),
	}
}

// Line is the screen on a terminal of one line.
func (s *Screen) Line() string {
	return s.host.Theme.Verdict(strings.ToUpper(string(s.outcome.Report.Verdict)))
}
