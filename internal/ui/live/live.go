// Package live is the screen of a run in progress, and of the replay of a recorded
// run.
package live

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/diagnostic"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
)

// Links are what the screen leads to.
type Links struct {
	// Report shows the report of the run that has ended.
	Report func()
	// Recorded shows the report of the replayed run.
	Recorded func(session.Outcome)
	// LeaveReplay goes back to where the replay was started.
	LeaveReplay func() tea.Cmd
}

// A Screen shows a run.
type Screen struct {
	host   *screen.Host
	config session.Config
	links  Links
	// run is the newest run; nil before the first.
	run     *session.Run
	running bool
	view
}

// A view is the state of the screen for one run.
type view struct {
	// latest is the newest snapshot, and shown the one on the screen: the same,
	// unless the screen is frozen.
	latest, shown *fold.Snapshot
	frozen        bool
	tab           tab
	// chart is the chart of each tab that was in focus last. list is the list in
	// focus; noPanel while the focus is on the chart.
	chart    [tabCount]int
	list     [tabCount]panel
	expanded bool
	zoom     chart.Zoom
	// linear turns logarithmic scales off.
	linear      bool
	bookmarks   []bookmark
	diagnostics diagnostic.History
	// steerable is true if the run takes commands, and blind if it refuses
	// inspections. asked is the inspection that was requested last.
	steerable bool
	blind     bool
	asked     stream.Inspect
	// paused is true while the load is paused. rate is the factor of its rates.
	paused bool
	rate   float64

	agents        agentTable
	subscriptions subscriptionTable
	verdicts      verdictTable
	log           logTable
	// areas are where the panels were drawn last, and hits where the tabs were.
	areas []area
	hits  []hit
}

// New returns the screen without a run.
func New(host *screen.Host, config session.Config, links Links) *Screen {
	return &Screen{host: host, config: config, links: links, view: newView()}
}

func newView() view {
	v := view{latest: &fold.Snapshot{}, shown: &fold.Snapshot{}, rate: 1, agents: agentTable{by: stream.ByMailbox}}
	for t := range tabCount {
		v.list[t] = tabList[t]
		if len(tabCharts[t]) > 0 {
			v.chart[t] = tabCharts[t][0]
		}
	}
	return v
}

// Follow shows a run from its start on.
func (s *Screen) Follow(r *session.Run) {
	s.run, s.running, s.view = r, true, newView()
}

// Update takes the newest state of the run. It reports whether there is anything
// new to draw.
func (s *Screen) Update() (changed bool) {
	// Ended comes first: then the snapshot contains everything before the end.
	ended := s.run.Ended()
	if s.replaying() && s.run.Replay.Playback().Seeking {
		return true // the state is not of any moment of the run
	}
	latest, steerable := s.latest, s.steerable
	s.steerable = s.run.Replay == nil && s.run.Steerable()
	if snapshot := s.run.Timeline.Snapshot(); snapshot.Events != s.latest.Events {
		s.setSnapshot(snapshot)
	}
	s.running = !ended
	return ended || s.replaying() || s.latest != latest || s.steerable != steerable
}

// Running reports whether the run or the replay is in progress.
func (s *Screen) Running() bool { return s.running }

// replaying reports whether a replay is in progress.
func (s *Screen) replaying() bool { return s.running && s.run.Replay != nil }

// Loading reports whether a load runs that was not asked to stop.
func (s *Screen) Loading() bool { return s.running && s.run.Replay == nil && !s.run.Stopped() }

// Stopping reports whether a load was asked to stop and still runs.
func (s *Screen) Stopping() bool { return s.running && s.run.Replay == nil && s.run.Stopped() }

// Outcome is the result of the run that has ended.
func (s *Screen) Outcome() session.Outcome { return s.run.Outcome() }

// Frozen reports whether the screen is frozen.
func (s *Screen) Frozen() bool { return s.frozen }

// Stop asks the run to end.
func (s *Screen) Stop() { s.run.Stop() }

// AskToStop asks before the load is stopped.
func (s *Screen) AskToStop(question string, stopping func()) {
	d := s.host.Ask(question, "stop? y/n", func() tea.Cmd {
		stopping()
		s.Stop()
		return nil
	})
	d.OfRun = true
}

// setSnapshot takes a newer state of the run.
func (s *Screen) setSnapshot(latest *fold.Snapshot) {
	if latest.T < s.latest.T {
		s.diagnostics = diagnostic.History{} // a replay went back
	}
	s.latest = latest
	s.diagnostics.Add(diagnostic.Find(latest), latest.T)
	if !s.frozen {
		s.show(latest)
	}
}

func (s *Screen) show(snapshot *fold.Snapshot) {
	s.shown = snapshot
	s.verdicts.all = check.Rows(snapshot)
}

// tally counts the checks so far, also while the screen is frozen.
func (s *Screen) tally() check.Tally {
	if !s.frozen {
		return check.Count(s.verdicts.all)
	}
	return check.Count(check.Rows(s.latest))
}

func (s *Screen) toggleFreeze() {
	s.frozen = !s.frozen
	if !s.frozen {
		s.show(s.latest)
	}
}

// span is the part of the run that the charts show.
func (s *Screen) span() chart.Span { return s.zoom.Span(s.shown.T) }

// following reports whether the right end of the charts is now.
func (s *Screen) following() bool { return !s.zoom.Fixed && !s.frozen }

// inspected is the newest inspection before the right end of the charts, so that
// everything on the screen is of one time; nil if there is none.
func (s *Screen) inspected() *stream.Inspection {
	in, _ := s.shown.InspectedAt(s.span().To)
	return in.Inspection
}

// hitSeconds is how long a fault is shown beside its targets.
const hitSeconds = 3

// hitByFault are the names that a fault hit shortly before the right end of the
// charts.
func (s *Screen) hitByFault() map[string]bool {
	to := s.span().To
	names := map[string]bool{}
	for _, m := range slices.Backward(s.shown.Marks) {
		switch {
		case m.T > to:
		case m.T < to-hitSeconds:
			return names
		default:
			for _, name := range m.Targets {
				names[name] = true
			}
		}
	}
	return names
}
