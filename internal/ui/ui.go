// Package ui is the terminal UI: a menu of scenarios, a live screen of the run,
// the report it ends in, and past runs. It knows a run only as a stream of
// events, so that a run in this process, a child process and a recording look
// the same.
package ui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// Config says what the UI shows and how it looks.
type Config struct {
	// Scenarios fill the menu.
	Scenarios []Scenario
	Runner    Runner
	// Faults are those that can be injected by hand, and CheckFault tells what
	// is wrong with one in the notation of scenario files; nil for nothing.
	Faults     []FaultKind
	CheckFault func(text string) error
	// Store keeps past runs; nil if there is no place for them.
	Store *report.Store
	// Compare returns a report with its comparison to an earlier one, which it
	// calls by the name. Runs that did not measure the same it compares only if
	// it is forced to; else its error wraps ErrDifferent.
	Compare func(now, before report.Report, name string, force bool) (report.Report, error)
	// Start names scenarios that run at once; none: the menu is shown.
	Start []string
	// Replay is a recording that is shown at once; nil for none. ReplayName is
	// what it is called.
	Replay     *stream.Recording
	ReplayName string
	// JobControl says that ctrl+z suspends the program, as it does others that a
	// shell runs.
	JobControl bool
	// FPS is how often a second the live screen is drawn anew; 0 means 4.
	FPS int
	// ASCII draws with nothing but ASCII, for terminals without UTF-8.
	ASCII bool
	// Color is auto, always or never; empty means auto, which honours NO_COLOR.
	Color string
	// Theme is one of Themes; empty means the first.
	Theme string
	// ScreenReader has no screen: commands are typed as lines, and what is new
	// is told in lines of words and figures.
	ScreenReader bool
	// Input and Output are the terminal's; nil means standard input and output.
	Input  io.Reader
	Output io.Writer
}

// ErrDifferent says that two runs did not measure the same.
var ErrDifferent = errors.New("these are not the same measurements")

// Run shows the UI until its user quits or ctx ends. It returns the report of
// the last run, which for one that broke off is what had been told of it; nil if
// there was none. The error says why it broke off, why the screen could not be
// shown, or, when ctx ended, its cause. A load that still runs is stopped and waited for; the
// terminal is as before when Run returns.
func Run(ctx context.Context, cfg Config) (*report.Report, error) {
	return show(ctx, cfg, tea.WindowSizeMsg{})
}

// show is Run with the size that the terminal is taken to have until it tells
// its own.
func show(ctx context.Context, cfg Config, size tea.WindowSizeMsg) (*report.Report, error) {
	var last, lastLoad *run
	start := func(r *run) {
		if last != nil {
			_, _ = last.wait() // it has ended, or is a replay, which does so at once
		}
		last = r
		if r.replay == nil {
			lastLoad = r
		}
		r.start(ctx)
	}
	var err error
	if cfg.ScreenReader {
		err = converse(ctx, cfg, start)
	} else {
		err = draw(ctx, cfg, size, start)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if last != nil && last != lastLoad {
		_, _ = last.wait() // a replay: its screen has told all there is
	}
	if lastLoad == nil {
		return nil, err
	}
	result, runErr := lastLoad.wait()
	return result, errors.Join(err, runErr)
}

// draw is the UI on a screen. It returns when its user leaves or ctx ends.
func draw(ctx context.Context, cfg Config, size tea.WindowSizeMsg, start func(*run)) error {
	options := []tea.ProgramOption{
		tea.WithAltScreen(), tea.WithMouseCellMotion(),
		// Signals end ctx: that is the caller's business.
		tea.WithoutSignalHandler(),
		// How often is looked for something to write, and so how soon a key
		// is answered.
		tea.WithFPS(30),
	}
	if cfg.Input != nil {
		options = append(options, tea.WithInput(cfg.Input))
	}
	if cfg.Output != nil {
		options = append(options, tea.WithOutput(cfg.Output))
	}
	first := newModel(cfg, theme.All(cfg.Output, cfg.Color, cfg.ASCII), start)
	if cfg.JobControl {
		first.stops = newStops()
	}
	sized, _ := first.Update(size)
	var died error
	program := tea.NewProgram(guard{sized, &died}, options...)
	// Not by tea.WithContext, with which the program would close its input while
	// it is still being read.
	defer context.AfterFunc(ctx, program.Quit)()
	if first.stops != nil {
		end := first.stops.watch(func() { program.Send(suspendMsg{}) })
		defer end()
	}
	_, err := program.Run()
	switch {
	case died != nil:
		return died
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("show the terminal UI: %w", err)
	}
	return nil
}

// screen is one of the screens.
type screen int

const (
	menuScreen screen = iota
	liveScreen
	reportScreen
	formScreen
	compareScreen
	runsScreen
)

// tickMsg asks to look at the run. Its tag tells the ticks of one run from
// those of the one before.
type tickMsg struct{ tag int }

// A notice is told in the status line until the next key.
type notice struct {
	text string
	// bad says that something could not be done.
	bad bool
}

// model is the whole state of the UI.
type model struct {
	cfg    Config
	styles *theme.Theme
	// looks are the styles of all themes, of which look is the one in use.
	looks []theme.Theme
	look  int
	start func(*run)
	// stops suspends the program; nil where that is not possible.
	stops         *stops
	interval      time.Duration
	width, height int
	screen        screen
	// home is where one comes back to from a report or a replay.
	home       screen
	menu       menu
	form       form
	live       live
	report     reportView
	comparison comparison
	runs       runs
	// run is the latest; nil before the first.
	run     *run
	running bool
	tag     int
	dialog  *dialog
	notice  notice
	help    bool
	// quitting says that the program ends as soon as the run has.
	quitting bool
	// frame is what View returns; Update draws it.
	frame string
}

func newModel(cfg Config, looks []theme.Theme, start func(*run)) *model {
	m := &model{
		cfg: cfg, looks: looks, start: start,
		interval: time.Second / time.Duration(max(cmp.Or(cfg.FPS, 4), 1)),
		menu:     newMenu(cfg.Scenarios), live: newLive(),
	}
	m.look = max(slices.Index(theme.Names(), cfg.Theme), 0)
	m.styles = &m.looks[m.look]
	switch {
	case cfg.Replay != nil:
		_ = m.play(replayed(cfg.Replay, cfg.ReplayName))
	case len(cfg.Start) > 0:
		_ = m.begin(Order{Scenarios: cfg.Start})
	}
	return m
}

// begin starts a run and goes to the live screen.
func (m *model) begin(o Order) tea.Cmd {
	if len(o.Scenarios) == 0 {
		return nil
	}
	m.home = menuScreen
	return m.follow(measured(o, m.cfg.Runner))
}

// follow shows a run in the live screen from its start on.
func (m *model) follow(r *run) tea.Cmd {
	m.start(r)
	m.run, m.running = r, true
	m.live, m.screen = newLive(), liveScreen
	m.tag++
	return m.tick()
}

func (m *model) tick() tea.Cmd {
	tag := m.tag
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return tickMsg{tag} })
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	if m.running {
		return m.tick()
	}
	return nil
}

// View implements tea.Model. All work was done by Update, because Bubble Tea
// asks for the view after every message.
func (m *model) View() string { return m.frame }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		if msg.tag != m.tag || !m.running {
			return m, nil
		}
		latest, steerable := m.live.latest, m.live.steerable
		cmd = m.lookAtRun()
		if m.running && m.run.replay == nil && m.live.latest == latest && m.live.steerable == steerable {
			return m, cmd // nothing to draw
		}
	case tea.KeyMsg:
		m.notice = notice{}
		cmd = m.press(msg)
	case tea.MouseMsg:
		cmd = m.mouse(tea.MouseEvent(msg))
	case suspendMsg:
		cmd = m.suspend(msg.whole)
	case result:
		cmd = msg()
	default:
		return m, nil
	}
	m.draw()
	m.inspect()
	return m, cmd
}

// lookAtRun takes the newest state of the run.
func (m *model) lookAtRun() tea.Cmd {
	// The end comes first: what was told before it is then in the snapshot.
	ended, err := m.run.ended()
	if m.run.replay != nil && m.run.replay.Playback().Seeking {
		return m.tick() // what is known is of no moment of the run
	}
	m.live.steerable = m.run.replay == nil && m.run.steer.Load() != nil
	s := m.run.timeline.Snapshot()
	if s.Events != m.live.latest.Events {
		m.live.setData(s)
	}
	if !ended {
		return m.tick()
	}
	m.running = false
	if m.dialog != nil && m.dialog.ofRun {
		m.dialog = nil
	}
	m.report.setData(reportView{result: m.run.report, course: m.run.course, err: err, order: m.run.order, charts: true})
	if m.run.report != nil {
		m.menu.setVerdicts(m.run.report)
	}
	if m.quitting {
		return tea.Quit
	}
	// Whoever froze the screen looks at something: it is not taken away.
	if m.screen == liveScreen && !m.live.frozen {
		m.screen = reportScreen
	}
	return nil
}

// press does what a key does now. Keys that are hit faster than they are read
// (key repeat, a slow line, a paste) arrive as one: they are taken one by one.
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
		var cmd tea.Cmd
		cmd = m.pressOne(one)
		cmds = append(cmds, cmd)
	}
	return tea.Batch(cmds...)
}

func (m *model) pressOne(msg tea.KeyMsg) tea.Cmd {
	for _, a := range m.actions() {
		if key.Matches(msg, a.key) {
			return a.do()
		}
	}
	switch {
	case m.dialog != nil && m.dialog.field != nil:
		m.typeInDialog(msg)
	case m.screen == menuScreen && m.menu.filter.Typing:
		m.menu.typeKey(msg)
	case m.screen == liveScreen && m.live.typing() != nil:
		m.typeInLiveFilter(msg)
	case m.screen == runsScreen && m.runs.filter.Typing:
		m.typeInRunsFilter(msg)
	case m.screen == formScreen:
		m.typeInForm(msg)
	}
	return nil
}

// actions are the keys that work now.
func (m *model) actions() []action {
	out := m.screenActions()
	if m.stops != nil {
		out = append(out, action{keySuspend, func() tea.Cmd { return m.suspend(true) }})
	}
	if !m.loading() {
		return append(out, action{keyEnd, func() tea.Cmd { return tea.Quit }})
	}
	return append(out, act(keyAbort, func() {
		m.help = false
		if m.dialog != nil && m.dialog.ofRun {
			m.dialog = nil
		}
		m.run.stop()
	}))
}

// screenActions are those of the keys that do not work everywhere.
func (m *model) screenActions() []action {
	switch {
	case m.dialog != nil:
		return m.dialogActions()
	case m.help:
		return []action{act(keyClose, func() { m.help = false })}
	case m.screen == menuScreen && m.menu.filter.Typing:
		return m.filterActions()
	case m.screen == liveScreen && m.live.typing() != nil:
		return m.liveFilterActions()
	case m.screen == runsScreen && m.runs.filter.Typing:
		return m.runsActions()
	case m.screen == formScreen:
		// All letters go to its fields.
		return m.formActions()
	}
	var out []action
	switch m.screen {
	case menuScreen:
		out = m.menuActions()
	case liveScreen:
		out = m.liveActions()
		if m.running && m.run.replay != nil {
			out = m.replayActions()
		}
	case reportScreen:
		out = m.reportActions()
	case compareScreen:
		out = m.compareActions()
	case runsScreen:
		out = m.runsActions()
	}
	return append(out, act(keyTheme, m.nextTheme), act(keyHelp, func() { m.help = true }), m.quit())
}

// nextTheme changes the colours, and says what they are called.
func (m *model) nextTheme() {
	m.look = (m.look + 1) % len(m.looks)
	m.styles = &m.looks[m.look]
	m.report.Reset()
	m.comparison.Reset()
	m.notice = notice{text: "theme " + m.styles.Name}
	if m.styles.Colorless {
		m.notice.text += ", but there are no colours here"
	}
}

// loading says that a load runs that nobody has asked to stop.
func (m *model) loading() bool { return m.running && m.run.replay == nil && !m.run.stopped }

// quit asks first while a load runs. Once the load is being stopped, there is
// nothing left to ask.
func (m *model) quit() action {
	return action{keyQuit, func() tea.Cmd {
		switch {
		case m.loading():
			m.dialog = m.askToStop("A load is running. Stop it and quit?", true)
		case m.running && m.run.replay == nil:
			m.quitting = true
		default:
			return tea.Quit
		}
		return nil
	}}
}

// askToStop asks before a load is stopped.
func (m *model) askToStop(text string, quit bool) *dialog {
	d := ask(text, "stop? y/n", func() tea.Cmd {
		m.quitting = quit
		m.run.stop()
		return nil
	})
	d.ofRun = true
	return d
}
