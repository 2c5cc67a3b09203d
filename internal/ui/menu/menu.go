// Package menu is the screen on which scenarios are chosen, and the form for
// their parameters.
package menu

import (
	"fmt"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/widget"
)

// Links are what the menu leads to.
type Links struct {
	// Start runs scenarios.
	Start func(session.Order) tea.Cmd
	// PastRuns opens the stored runs, at the newest one of a scenario; nil if there
	// is no place for stored runs.
	PastRuns func(scenario string) tea.Cmd
	// Check returns what is wrong with settings, as session.Runner does.
	Check func(scenario string, s session.Settings) map[string]error
}

// A Screen is the menu, or the form over it.
type Screen struct {
	host      *screen.Host
	catalogue *session.Catalogue
	links     Links
	// shown are the indices of the scenarios that match the filter.
	shown  []int
	cursor int
	marked map[string]bool
	filter widget.Filter
	// form is nil while the menu is shown.
	form *form
}

// New returns the menu of a catalogue.
func New(host *screen.Host, catalogue *session.Catalogue, links Links) *Screen {
	s := &Screen{host: host, catalogue: catalogue, links: links, marked: map[string]bool{}}
	s.applyFilter()
	return s
}

var (
	editKey = screen.Bind("e", "parameters", "e").Help("Edit the parameters")
	pastKey = screen.Bind("r", "past runs", "r").Help("Show past runs")
)

// Actions returns the keys that work now.
func (s *Screen) Actions() []screen.Action {
	if s.form != nil {
		return s.formActions()
	}
	if s.filter.Typing {
		return screen.TypeFilter(&s.filter, s.applyFilter)
	}
	out := screen.Scroll(max(s.host.BodyHeight()-4, 1), s.move)
	if names := s.chosen(); len(names) > 0 {
		out = append(out, screen.Action{Key: screen.Start, Do: func() tea.Cmd { return s.links.Start(s.catalogue.Order(names...)) }})
	}
	if len(s.shown) > 0 {
		out = append(out, screen.Act(screen.Mark, s.mark))
		if len(s.selected().Fields) > 0 {
			out = append(out, screen.Act(editKey, s.openForm))
		}
	}
	if s.links.PastRuns != nil {
		out = append(out, screen.Action{Key: pastKey, Do: s.openPastRuns})
	}
	out = append(out, screen.Act(screen.FilterKey, func() { s.filter.Typing = true }))
	switch {
	case !s.filter.Empty():
		out = append(out, screen.Act(screen.ClearFilter, s.clearFilter))
	case len(s.marked) > 0:
		out = append(out, screen.Act(screen.Unmark, func() { clear(s.marked) }))
	}
	return out
}

// Typing reports whether letters are text.
func (s *Screen) Typing() bool { return s.form != nil || s.filter.Typing }

// Type handles a key as text.
func (s *Screen) Type(msg tea.KeyMsg) {
	switch {
	case s.form != nil:
		s.form.fields[s.form.cursor].Press(msg)
		s.checkForm()
	case s.filter.Typing:
		s.filter.Text.Press(msg)
		s.applyFilter()
	}
}

func (s *Screen) openPastRuns() tea.Cmd {
	name := ""
	if len(s.shown) > 0 {
		name = s.selected().Name
	}
	return s.links.PastRuns(name)
}

// selected is the scenario under the cursor. There must be one.
func (s *Screen) selected() session.Scenario { return s.catalogue.Scenarios[s.shown[s.cursor]] }

// applyFilter shows the scenarios that match the filter. The cursor stays on its
// scenario if that still matches.
func (s *Screen) applyFilter() {
	name := ""
	if len(s.shown) > 0 {
		name = s.selected().Name
	}
	s.shown, s.cursor = nil, 0
	for i, sc := range s.catalogue.Scenarios {
		if s.filter.Matches(words(sc)...) {
			if sc.Name == name {
				s.cursor = len(s.shown)
			}
			s.shown = append(s.shown, i)
		}
	}
}

// words are the texts that a filter searches.
func words(sc session.Scenario) []string {
	return append(append([]string{sc.Name, sc.Title}, sc.Tags...), sc.Measurements...)
}

func (s *Screen) clearFilter() {
	s.filter = widget.Filter{}
	s.applyFilter()
}

func (s *Screen) move(by int) { s.cursor = min(max(s.cursor+by, 0), max(len(s.shown)-1, 0)) }

// mark marks or unmarks the selected scenario, and moves to the next.
func (s *Screen) mark() {
	name := s.selected().Name
	if s.marked[name] {
		delete(s.marked, name)
	} else {
		s.marked[name] = true
	}
	s.move(1)
}

// chosen returns the scenarios to start: the marked ones in the order of the
// menu, or else the selected one. There is none while no scenario matches the
// filter.
func (s *Screen) chosen() []string {
	if len(s.shown) == 0 {
		return nil
	}
	var out []string
	for _, sc := range s.catalogue.Scenarios {
		if s.marked[sc.Name] {
			out = append(out, sc.Name)
		}
	}
	if len(out) == 0 {
		out = []string{s.selected().Name}
	}
	return out
}

// summary counts the scenarios, and estimates how long the marked ones take.
func (s *Screen) summary() string {
	n, total := 0, time.Duration(0)
	for _, sc := range s.catalogue.Scenarios {
		if s.marked[sc.Name] {
			n++
			total += sc.Estimate
		}
	}
	text := fmt.Sprintf("%d scenarios", len(s.catalogue.Scenarios))
	if !s.filter.Empty() {
		text = fmt.Sprintf("%d of %d scenarios", len(s.shown), len(s.catalogue.Scenarios))
	}
	if n > 0 {
		text += fmt.Sprintf("   %d marked, about %s", n, quantity.Clock(total.Seconds()))
	}
	return text
}
