package ui

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/history"
	"mabeam-top/internal/ui/live"
	"mabeam-top/internal/ui/menu"
	"mabeam-top/internal/ui/result"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// A view is one of the screens.
type view interface {
	// Actions are the keys that work now. While Typing, all other keys are text,
	// which Type handles.
	Actions() []screen.Action
	Typing() bool
	Type(tea.KeyMsg)
	Frame() screen.Frame
	// Line replaces Frame on a terminal of one line.
	Line() string
}

// model is the state of the UI. It routes messages to the screens.
type model struct {
	host   *screen.Host
	themes []theme.Theme
	theme  int
	runner session.Runner
	start  func(*session.Run)
	// jobs suspends the program; nil where that is not possible.
	jobs     *jobControl
	interval time.Duration

	catalogue *session.Catalogue
	menu      *menu.Screen
	live      *live.Screen
	report    *result.Screen
	history   *history.Screen
	// current is the screen that is shown. home is the one that a report or a
	// replay goes back to.
	current, home view
	// tag is that of the ticks of the newest run.
	tag  int
	help bool
	// quitting ends the program as soon as the run has ended.
	quitting bool
	// frame is what View returns.
	frame string
}

func newModel(cfg Config, themes []theme.Theme, start func(*session.Run)) *model {
	m := &model{
		host: &screen.Host{}, themes: themes, runner: cfg.Runner, start: start, catalogue: session.NewCatalogue(cfg.Scenarios),
		interval: time.Second / time.Duration(max(cmp.Or(cfg.FPS, 4), 1)),
	}
	m.setTheme(max(slices.Index(theme.Names(), cfg.Theme), 0))
	m.addScreens(cfg)
	m.current, m.home = m.menu, m.menu
	switch {
	case cfg.Replay != nil:
		m.play(session.NewReplay(cfg.Replay, cfg.ReplayName))
	case len(cfg.Start) > 0:
		m.begin(session.Order{Scenarios: cfg.Start})
	}
	return m
}

// addScreens makes the screens and links them.
func (m *model) addScreens(cfg Config) {
	m.live = live.New(m.host, cfg, live.Links{
		Report:      func() { m.current = m.report },
		Recorded:    func(o session.Outcome) { m.showReport(o, true) },
		LeaveReplay: m.leaveReplay,
	})
	m.report = result.New(m.host, m.catalogue, cfg, result.Links{
		Start:      m.begin,
		Replay:     m.replay,
		Charts:     func() { m.current = m.live },
		Comparison: m.showComparison,
		Home:       m.goHome,
		HomeKey:    m.homeKey,
		Busy:       m.live.Running,
	})
	links := menu.Links{Start: m.begin, Check: cfg.Runner.Check}
	if cfg.Store != nil {
		links.PastRuns = m.openHistory
		historyLinks := history.Links{Open: m.openReport, Replay: m.replayPast, Menu: func() { m.current = m.menu }}
		if cfg.Compare != nil {
			historyLinks.Compare = m.report.Compare
		}
		m.history = history.New(m.host, *cfg.Store, historyLinks)
	}
	m.menu = menu.New(m.host, m.catalogue, links)
}

// begin starts a run and shows it.
func (m *model) begin(o session.Order) tea.Cmd {
	if len(o.Scenarios) == 0 {
		return nil
	}
	m.home = m.menu
	return m.follow(session.New(o, m.runner))
}

// follow shows a run from its start on.
func (m *model) follow(r *session.Run) tea.Cmd {
	m.start(r)
	m.live.Follow(r)
	m.current = m.live
	m.tag++
	return m.tick()
}

// replay reads a recording and plays it.
func (m *model) replay(path string) tea.Cmd {
	m.host.Notify("reading %s", path)
	return screen.Work(func() screen.Result {
		recording, err := stream.LoadRecording(path)
		if err != nil {
			return m.host.Failed(err)
		}
		r := session.NewReplay(recording, filepath.Base(path))
		return func() tea.Cmd { return m.play(r) }
	})
}

// replayPast replays a past run.
func (m *model) replayPast(path string) tea.Cmd {
	m.home = m.history
	return m.replay(path)
}

// play shows a replay.
func (m *model) play(r *session.Run) tea.Cmd {
	cmd := m.follow(r)
	m.host.Notice = screen.Notice{}
	switch recording := r.Recording; {
	case recording.Broken != nil:
		m.host.Fail(fmt.Errorf("the recording is incomplete: %w", recording.Broken))
	case recording.Thinned > 0:
		m.host.Notify("long recording: %s samples are left out, evenly", quantity.Format(float64(recording.Thinned), theme.Count))
	}
	return cmd
}

// leaveReplay ends a replay.
func (m *model) leaveReplay() tea.Cmd {
	m.live.LeaveReplay()
	m.tag++ // its ticks are not needed any more
	return m.goHome()
}

func (m *model) showReport(o session.Outcome, live bool) {
	m.report.Show(o, live)
	m.current = m.report
}

// showComparison shows a comparison, which goes back to the screen before.
func (m *model) showComparison(c *result.Comparison) {
	from := m.current
	c.Back = func() { m.current = from }
	m.current = c
}

// goHome leaves a report or a replay.
func (m *model) goHome() tea.Cmd {
	m.current = m.home
	if m.history != nil && m.home == m.history {
		return m.history.Load()
	}
	return nil
}

// homeKey is the key that goes home.
func (m *model) homeKey() screen.Key {
	if m.history != nil && m.home == m.history {
		return backToHistory
	}
	return screen.Menu
}

// openHistory shows the past runs, at the newest one of a scenario.
func (m *model) openHistory(scenario string) tea.Cmd {
	m.history.Seek(scenario)
	m.current = m.history
	return m.history.Load()
}

// openReport reads the report of a past run and shows it.
func (m *model) openReport(p session.Past) tea.Cmd {
	return screen.Work(func() screen.Result {
		r, err := report.Load(p.Path)
		if err != nil {
			return m.host.Failed(err)
		}
		return func() tea.Cmd {
			m.home = m.history
			m.showReport(session.Outcome{Report: &r, Order: m.catalogue.OrderOf(r), Recording: p.Recording}, false)
			return nil
		}
	})
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	if m.live.Running() {
		return m.tick()
	}
	return nil
}

// View implements tea.Model. Bubble Tea asks for the view after each message, so
// Update has done all the work.
func (m *model) View() string { return m.frame }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.host.Width, m.host.Height = msg.Width, msg.Height
	case tickMsg:
		var changed bool
		if cmd, changed = m.poll(msg); !changed {
			return m, cmd
		}
	case tea.KeyMsg:
		m.host.Notice = screen.Notice{}
		cmd = m.press(msg)
	case tea.MouseMsg:
		cmd = m.mouse(tea.MouseEvent(msg))
	case suspendMsg:
		cmd = m.suspend(msg.whole)
	case screen.Result:
		cmd = msg()
	default:
		return m, nil
	}
	m.draw()
	m.live.Inspect(m.current == m.live)
	return m, cmd
}

// tickMsg asks for the newest state of a run, which its tag identifies.
type tickMsg struct{ tag int }

func (m *model) tick() tea.Cmd {
	tag := m.tag
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return tickMsg{tag} })
}

// poll takes the newest state of the run. It reports whether there is anything to
// draw.
func (m *model) poll(msg tickMsg) (cmd tea.Cmd, changed bool) {
	if msg.tag != m.tag || !m.live.Running() {
		return nil, false
	}
	changed = m.live.Update()
	if m.live.Running() {
		return m.tick(), changed
	}
	return m.ended(), true
}

// ended shows the report of the run that has ended. It does not take a frozen
// screen away.
func (m *model) ended() tea.Cmd {
	m.host.EndOfRun()
	outcome := m.live.Outcome()
	m.report.Show(outcome, true)
	if outcome.Report != nil {
		m.catalogue.Record(outcome.Report)
	}
	if m.quitting {
		return tea.Quit
	}
	if m.current == m.live && !m.live.Frozen() {
		m.current = m.report
	}
	return nil
}

// press handles a key. Keys that are typed faster than they are read arrive
// together, and are handled one by one.
func (m *model) press(msg tea.KeyMsg) tea.Cmd {
	if msg.Type != tea.KeyRunes || len(msg.Runes) < 2 {
		return m.pressOne(msg)
	}
	var cmds []tea.Cmd
	for _, r := range msg.Runes {
		one := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: msg.Alt}
		if r == ' ' {
			one.Type = tea.KeySpace
		}
		cmds = append(cmds, m.pressOne(one))
	}
	return tea.Batch(cmds...)
}

func (m *model) pressOne(msg tea.KeyMsg) tea.Cmd {
	for _, a := range m.actions() {
		if key.Matches(msg, a.Key.Binding) {
			return a.Do()
		}
	}
	switch {
	case m.host.Dialog != nil:
		if m.host.Dialog.Typing() {
			m.host.Dialog.Type(msg)
		}
	case !m.help && m.current.Typing():
		m.current.Type(msg)
	}
	return nil
}

// mouse handles a click or the wheel. On screens but the live one, the wheel moves
// like the arrow keys.
func (m *model) mouse(e tea.MouseEvent) tea.Cmd {
	wheel := 0
	switch {
	case e.Button == tea.MouseButtonWheelUp:
		wheel = -1
	case e.Button == tea.MouseButtonWheelDown:
		wheel = 1
	case e.Button != tea.MouseButtonLeft || e.Action != tea.MouseActionPress:
		return nil
	}
	switch {
	case m.help || m.host.Size() == screen.Line:
	case m.current == m.live && m.host.Dialog == nil:
		m.live.Mouse(e, wheel)
	case wheel < 0:
		return m.pressOne(tea.KeyMsg{Type: tea.KeyUp})
	case wheel > 0:
		return m.pressOne(tea.KeyMsg{Type: tea.KeyDown})
	}
	return nil
}
