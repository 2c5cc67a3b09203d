package ui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// reportView is the screen of a run's result.
type reportView struct {
	result *report.Report
	// course is how the run went; the zero value for a stored report, whose
	// recording may know.
	course report.Course
	// err is why the run broke off; nil if it did not.
	err error
	// order is what was run; without scenarios if it is not known.
	order Order
	// charts says that the live screen still shows this run.
	charts bool
	// recording is the file of a past run's recording; empty if there is none,
	// or none is known.
	recording string
	widget.Pager
}

// courseFor is how the run went, for a format that tells more with it.
func (r reportView) courseFor(f report.Format) (report.Course, error) {
	if len(r.course.Times) > 0 || r.recording == "" || !f.NeedsCourse() {
		return r.course, nil
	}
	recording, err := stream.LoadRecording(r.recording)
	if err != nil {
		return report.Course{}, err
	}
	return fold.CourseOf(recording), nil
}

// setData takes the result of a run that ended.
func (r *reportView) setData(data reportView) {
	*r = data
	if r.result == nil { // it told nothing
		r.result = &report.Report{Verdict: report.Broken}
	}
}

func (r reportView) write(s *theme.Theme, width int) []string {
	if r.result == nil {
		return nil
	}
	w := reportWriter{Theme: s, view: r, width: width}
	w.summary()
	for _, sc := range r.result.Scenarios {
		for _, step := range sc.Steps {
			w.step(sc, step)
		}
	}
	return w.rows
}

// showReport goes to the report screen.
func (m *model) showReport(data reportView) {
	m.report.setData(data)
	m.screen = reportScreen
}

func (m *model) reportActions() []action {
	out := scrolls(func() int { return max(m.bodyHeight()-2, 1) }, func(by int) { m.report.Scroll(by, m.bodyHeight()) })
	if m.report.charts {
		out = append(out, act(keyCharts, func() { m.screen = liveScreen }))
	}
	if !m.running {
		out = append(out, m.reportDeeds()...)
	}
	back := keyMenu
	if m.home == runsScreen {
		back = keyRuns
	}
	return append(out, action{back, m.goHome})
}

// reportDeeds are what can be done with a report.
func (m *model) reportDeeds() []action {
	r := m.report
	out := []action{{keyExport, m.chooseFormat}}
	if m.cfg.Store != nil {
		if r.result.Verdict.Whole() {
			out = append(out, action{keyBaseline, m.nameBaseline})
		}
		if m.cfg.Compare != nil && len(r.result.Scenarios) > 0 {
			out = append(out, action{keyCompare, func() tea.Cmd { return m.chooseEarlier(*m.report.result) }})
		}
	}
	if len(r.order.Scenarios) > 0 && !slices.ContainsFunc(r.order.Scenarios, func(name string) bool { return !m.menu.has(name) }) {
		out = append(out, action{keyAgain, func() tea.Cmd { return m.begin(m.report.order) }})
	}
	if r.recording != "" {
		out = append(out, action{keyReplay, func() tea.Cmd { return m.loadReplay(m.report.recording) }})
	}
	return out
}

// goHome leaves a report or a replay to where one came from.
func (m *model) goHome() tea.Cmd {
	m.screen = m.home
	if m.home == runsScreen {
		return m.openRuns()
	}
	return nil
}
