// Package history is the screen of past runs, with the trend of a metric over
// them.
package history

import (
	"fmt"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// Links are what the screen leads to.
type Links struct {
	// Open shows the report of a past run.
	Open func(session.Past) tea.Cmd
	// Replay plays a recording.
	Replay func(path string) tea.Cmd
	// Compare compares two reports; nil if that is not possible. Without an earlier
	// one it asks for it.
	Compare func(now report.Report, earlier *session.Earlier) tea.Cmd
	Menu    func()
}

// A Screen is the list of past runs.
type Screen struct {
	host  *screen.Host
	store report.Store
	links Links
	all   []session.Past
	// shown are the indices of the runs that match the filter.
	shown  []int
	cursor int
	// marked are the IDs of at most two runs, in the order in which they were
	// marked.
	marked []string
	filter widget.Filter
	// metric is the one whose trend is drawn.
	metric session.MetricKey
	loaded bool
	// seek is the scenario whose newest run the cursor goes to once the list is
	// loaded.
	seek string
}

// New returns an empty screen, which Load fills.
func New(host *screen.Host, store report.Store, links Links) *Screen {
	return &Screen{host: host, store: store, links: links}
}

// Seek moves the cursor to the newest run of a scenario with the next Load.
func (s *Screen) Seek(scenario string) { s.seek = scenario }

// Load reads the stored runs.
func (s *Screen) Load() tea.Cmd {
	return screen.Work(func() screen.Result {
		all, warnings, err := session.ReadPast(s.store)
		if err != nil {
			return s.host.Failed(err)
		}
		return func() tea.Cmd {
			s.setRuns(all)
			if len(warnings) > 0 {
				s.host.Fail(fmt.Errorf("%d past runs cannot be read, such as: %w", len(warnings), warnings[0]))
			}
			return nil
		}
	})
}

// setRuns replaces the list and keeps the cursor on its run.
func (s *Screen) setRuns(all []session.Past) {
	id := s.selectedID()
	s.all, s.loaded = all, true
	s.applyFilter(id)
	s.marked = slices.DeleteFunc(s.marked, func(id string) bool {
		return !slices.ContainsFunc(all, func(p session.Past) bool { return p.ID() == id })
	})
	if s.seek != "" {
		i := slices.IndexFunc(s.shown, func(index int) bool {
			return slices.ContainsFunc(all[index].Scenarios, func(sc report.RunScenario) bool { return sc.Name == s.seek })
		})
		if i >= 0 {
			s.cursor = i
		}
		s.seek = ""
	}
	s.chooseMetric(0)
}

// applyFilter shows the runs that match the filter. The cursor goes to the run of
// an ID, or to its neighbour if that is gone.
func (s *Screen) applyFilter(id string) {
	old := s.cursor
	s.shown, s.cursor = nil, 0
	for i, p := range s.all {
		if s.filter.Matches(p.Words()...) {
			if p.ID() == id {
				s.cursor = len(s.shown)
			}
			s.shown = append(s.shown, i)
		}
	}
	if s.cursor == 0 && id != "" && len(s.shown) > 0 && s.all[s.shown[0]].ID() != id {
		s.cursor = min(old, len(s.shown)-1)
	}
}

func (s *Screen) refilter() {
	s.applyFilter(s.selectedID())
	s.chooseMetric(0)
}

// selected is the run under the cursor. There must be one.
func (s *Screen) selected() session.Past { return s.all[s.shown[s.cursor]] }

func (s *Screen) selectedID() string {
	if len(s.shown) == 0 {
		return ""
	}
	return s.selected().ID()
}

func (s *Screen) move(by int) {
	s.cursor = min(max(s.cursor+by, 0), max(len(s.shown)-1, 0))
	s.chooseMetric(0)
}

// mark marks or unmarks the selected run. A third mark replaces the oldest.
func (s *Screen) mark() {
	id := s.selected().ID()
	if i := slices.Index(s.marked, id); i >= 0 {
		s.marked = slices.Delete(s.marked, i, i+1)
		return
	}
	s.marked = append(s.marked, id)
	s.marked = s.marked[max(len(s.marked)-2, 0):]
}

// pair returns the two marked runs.
func (s *Screen) pair() (before, now session.Past, ok bool) {
	var found []session.Past
	for _, p := range s.all { // newest first
		if slices.Contains(s.marked, p.ID()) && !p.Unfinished() {
			found = append(found, p)
		}
	}
	if len(found) != 2 {
		return session.Past{}, session.Past{}, false
	}
	return found[1], found[0], true
}

var (
	openKey        = screen.Bind("enter", "report", "enter").Help("Open the report")
	deleteKey      = screen.Bind("d", "delete", "d").Help("Delete the run (asks first)")
	nextMetric     = screen.Bind("tab", "next metric", "tab").Help("Show the trend of the next metric")
	previousMetric = screen.Also("shift+tab")
)

// Actions returns the keys that work now.
func (s *Screen) Actions() []screen.Action {
	if s.filter.Typing {
		return screen.TypeFilter(&s.filter, s.refilter)
	}
	out := screen.Scroll(max(s.host.BodyHeight()/2, 1), s.move)
	if len(s.shown) > 0 {
		out = append(out, s.runActions()...)
	}
	out = append(out, screen.Act(screen.FilterKey, func() { s.filter.Typing = true }))
	switch {
	case !s.filter.Empty():
		return append(out, screen.Act(screen.ClearFilter, func() {
			s.filter = widget.Filter{}
			s.refilter()
		}))
	case len(s.marked) > 0:
		return append(out, screen.Act(screen.Unmark, func() { s.marked = nil }))
	}
	return append(out, screen.Act(screen.Menu, s.links.Menu))
}

// runActions are the keys for the selected run.
func (s *Screen) runActions() []screen.Action {
	p := s.selected()
	var out []screen.Action
	if !p.Unfinished() {
		out = append(out, screen.Action{Key: openKey, Do: func() tea.Cmd { return s.links.Open(p) }})
	}
	if p.Recording != "" {
		out = append(out, screen.Action{Key: screen.Replay, Do: func() tea.Cmd { return s.links.Replay(p.Recording) }})
	}
	out = append(out, screen.Act(screen.Mark, s.mark))
	if s.links.Compare != nil && !p.Unfinished() {
		out = append(out, screen.Action{Key: screen.Compare, Do: s.compare})
	}
	if len(s.metrics()) > 1 {
		out = append(out, screen.Act(nextMetric, func() { s.chooseMetric(1) }), screen.Act(previousMetric, func() { s.chooseMetric(-1) }))
	}
	return append(out, screen.Act(deleteKey, s.askToDelete))
}

// Typing reports whether letters are text.
func (s *Screen) Typing() bool { return s.filter.Typing }

// Type handles a key as text.
func (s *Screen) Type(msg tea.KeyMsg) {
	s.filter.Text.Press(msg)
	s.refilter()
}

// compare compares the two marked runs, or the selected one with a choice.
func (s *Screen) compare() tea.Cmd {
	before, now, ok := s.pair()
	if !ok {
		now = s.selected()
	}
	return screen.Work(func() screen.Result {
		r, err := report.Load(now.Path)
		if err != nil {
			return s.host.Failed(err)
		}
		return func() tea.Cmd {
			if !ok {
				return s.links.Compare(r, nil)
			}
			earlier := session.EarlierRun(before.Run)
			return s.links.Compare(r, &earlier)
		}
	})
}

func (s *Screen) askToDelete() {
	p := s.selected()
	what := p.Recorded()
	s.host.Ask(fmt.Sprintf("Delete %s of %s, %s?", what, p.Names, theme.Timestamp(p.StartedAt)), "delete? y/n", func() tea.Cmd {
		return screen.Work(func() screen.Result {
			if err := s.store.Delete(p.Path, p.Recording); err != nil {
				return s.host.Failed(err)
			}
			return func() tea.Cmd {
				s.host.Notify("deleted %s of %s", what, theme.Timestamp(p.StartedAt))
				return s.Load()
			}
		})
	})
}

// summary counts the runs.
func (s *Screen) summary() string {
	text := fmt.Sprintf("%d past runs", len(s.all))
	if !s.filter.Empty() {
		text = fmt.Sprintf("%d of %d past runs", len(s.shown), len(s.all))
	}
	switch n := len(s.marked); {
	case n == 1:
		text += "   1 marked"
	case n > 1:
		text += fmt.Sprintf("   %d marked: press c to compare", n)
	}
	return text
}
