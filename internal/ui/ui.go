// Package ui is the terminal UI: a menu of scenarios, a live screen of the run
// and the report it ends in. It knows a run only as a stream of events, so
// that a run in this process, a child process and a recording look the same.
package ui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
)

// Config says what the UI shows and how it looks.
type Config struct {
	// Scenarios fill the menu.
	Scenarios []Scenario
	Runner    Runner
	// Start names scenarios that run at once; none: the menu is shown.
	Start []string
	// FPS is how often a second the live screen is drawn anew; 0 means 4.
	FPS int
	// ASCII draws with nothing but ASCII, for terminals without UTF-8.
	ASCII bool
	// Color is auto, always or never; empty means auto, which honours NO_COLOR.
	Color string
	// Theme is auto, dark or light; empty means auto.
	Theme string
	// Input and Output are the terminal's; nil means standard input and output.
	Input  io.Reader
	Output io.Writer
}

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
	var last *run
	start := func(names []string) *run {
		last = startRun(ctx, cfg.Runner, names)
		return last
	}
	styles := newStyles(cfg.Output, cfg.Color, cfg.Theme, cfg.ASCII)
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithAltScreen(),
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
	m, _ := newModel(cfg, &styles, start).Update(size)
	_, err := tea.NewProgram(m, options...).Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if err != nil {
		err = fmt.Errorf("show the terminal UI: %w", err)
	}
	if last == nil {
		return nil, err
	}
	result, runErr := last.wait()
	return result, errors.Join(err, runErr)
}

// screen is one of the screens.
type screen int

const (
	menuScreen screen = iota
	liveScreen
	reportScreen
)

// question is what the user is asked before a load is stopped.
type question int

const (
	noQuestion question = iota
	askQuit
	askStop
)

func (q question) text() string {
	if q == askQuit {
		return "A load is running. Stop it and quit?"
	}
	return "A load is running. Stop it and show the report so far?"
}

// tickMsg asks to look at the run. Its tag tells the ticks of one run from
// those of the one before.
type tickMsg struct{ tag int }

// model is the whole state of the UI.
type model struct {
	styles        *styles
	start         func(names []string) *run
	interval      time.Duration
	width, height int
	screen        screen
	menu          menu
	live          live
	report        reportView
	// run is the latest; nil before the first.
	run      *run
	running  bool
	tag      int
	question question
	help     bool
	// quitting says that the program ends as soon as the run has.
	quitting bool
	// frame is what View returns; Update draws it.
	frame string
}

func newModel(cfg Config, s *styles, start func([]string) *run) model {
	m := model{
		styles: s, start: start,
		interval: time.Second / time.Duration(max(cmp.Or(cfg.FPS, 4), 1)),
		menu:     newMenu(cfg.Scenarios), live: newLive(),
	}
	if len(cfg.Start) > 0 {
		m, _ = m.begin(cfg.Start)
	}
	return m
}

// begin starts a run and goes to the live screen.
func (m model) begin(names []string) (model, tea.Cmd) {
	if len(names) == 0 {
		return m, nil
	}
	m.run, m.running = m.start(names), true
	m.live, m.screen = newLive(), liveScreen
	m.tag++
	return m, m.tick()
}

func (m model) tick() tea.Cmd {
	tag := m.tag
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return tickMsg{tag} })
}

// Init implements tea.Model.
func (m model) Init() tea.Cmd {
	if m.running {
		return m.tick()
	}
	return nil
}

// View implements tea.Model. All work was done by Update, because Bubble Tea
// asks for the view after every message.
func (m model) View() string { return m.frame }

// Update implements tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		if msg.tag != m.tag || !m.running {
			return m, nil
		}
		m, cmd = m.look()
	case tea.KeyMsg:
		m, cmd = m.press(msg)
	default:
		return m, nil
	}
	m.draw()
	return m, cmd
}

// look takes the newest state of the run.
func (m model) look() (model, tea.Cmd) {
	// The end comes first: what was told before it is then in the snapshot.
	ended, err := m.run.ended()
	s := m.run.timeline.Snapshot()
	if s.Events != m.live.latest.Events {
		m.live.setData(s)
	}
	if !ended {
		return m, m.tick()
	}
	m.running, m.question = false, noQuestion
	m.report.setData(m.run.report, err)
	if m.run.report != nil {
		m.menu.setVerdicts(m.run.report)
	}
	if m.quitting {
		return m, tea.Quit
	}
	// Whoever froze the screen looks at something: it is not taken away.
	if !m.live.frozen {
		m.screen = reportScreen
	}
	return m, nil
}

// press does what a key does now. Keys that are hit faster than they are read
// (key repeat, a slow line, a paste) arrive as one: they are taken one by one.
func (m model) press(msg tea.KeyMsg) (model, tea.Cmd) {
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
		m, cmd = m.pressOne(one)
		cmds = append(cmds, cmd)
	}
	return m, tea.Batch(cmds...)
}

func (m model) pressOne(msg tea.KeyMsg) (model, tea.Cmd) {
	for _, a := range m.actions() {
		if key.Matches(msg, a.key) {
			return a.do(m)
		}
	}
	if m.menu.typing {
		m.menu.typeKey(msg)
	}
	return m, nil
}

// actions are the keys that work now.
func (m model) actions() []action {
	abort := action{keyEnd, func(m model) (model, tea.Cmd) { return m, tea.Quit }}
	if m.running && !m.run.stopped {
		abort = act(keyAbort, func(m *model) {
			m.question, m.help = noQuestion, false
			m.run.stop()
		})
	}
	switch {
	case m.question != noQuestion:
		return []action{act(keyYes, (*model).answerYes), act(keyNo, func(m *model) { m.question = noQuestion }), abort}
	case m.help:
		return []action{act(keyClose, func(m *model) { m.help = false }), abort}
	case m.screen == menuScreen && m.menu.typing:
		return append(m.filterActions(), abort)
	}
	var out []action
	switch m.screen {
	case menuScreen:
		out = m.menuActions()
	case liveScreen:
		out = m.liveActions()
	case reportScreen:
		out = m.reportActions()
	}
	return append(out, act(keyHelp, func(m *model) { m.help = true }), m.quit(), abort)
}

func (m *model) answerYes() {
	m.quitting = m.question == askQuit
	m.question = noQuestion
	m.run.stop()
}

// quit asks first while a load runs. Once the load is being stopped, there is
// nothing left to ask.
func (m model) quit() action {
	return action{keyQuit, func(m model) (model, tea.Cmd) {
		switch {
		case !m.running:
			return m, tea.Quit
		case m.run.stopped:
			m.quitting = true
		default:
			m.question = askQuit
		}
		return m, nil
	}}
}

func (m model) menuActions() []action {
	out := scrolls(func(m model) int { return max(m.bodyHeight()-4, 1) }, func(m *model, by int) { m.menu.move(by) })
	if len(m.menu.chosen()) > 0 {
		out = append(out, action{keyStart, func(m model) (model, tea.Cmd) { return m.begin(m.menu.chosen()) }})
	}
	if len(m.menu.shown) > 0 {
		out = append(out, act(keyMark, func(m *model) { m.menu.mark() }))
	}
	out = append(out, act(keyFilter, func(m *model) { m.menu.typing = true }))
	switch {
	case m.menu.filter != "":
		out = append(out, act(keyClear, func(m *model) { m.menu.setFilter("") }))
	case len(m.menu.marked) > 0:
		out = append(out, act(keyUnmark, func(m *model) { m.menu.marked = map[string]bool{} }))
	}
	return out
}

func (m model) filterActions() []action {
	return []action{
		act(keyAccept, func(m *model) { m.menu.typing = false }),
		act(keyClear, func(m *model) {
			m.menu.typing = false
			m.menu.setFilter("")
		}),
	}
}

func (m model) liveActions() []action {
	var out []action
	freeze := keyFreeze
	if m.live.frozen {
		freeze = keyThaw
	}
	out = append(out, act(freeze, func(m *model) { m.live.freeze(!m.live.frozen) }))
	if m.size() == fullSize {
		out = append(out, act(keyNext, func(m *model) { m.live.moveFocus(1) }), act(keyPrevious, func(m *model) { m.live.moveFocus(-1) }))
		if m.live.focus == verdictPanel {
			out = append(out, scrolls(func(m model) int { return max(m.bodyHeight()/3, 1) }, func(m *model, by int) { m.live.scroll(by) })...)
		}
		if !m.live.expanded {
			out = append(out, act(keyExpand, func(m *model) { m.live.expanded = true }))
		}
	}
	switch {
	case m.live.expanded && m.size() == fullSize:
		out = append(out, act(keyShrink, func(m *model) { m.live.expanded = false }))
	case !m.running:
		out = append(out, act(keyToReport, func(m *model) { m.screen = reportScreen }))
	case !m.run.stopped:
		out = append(out, act(keyStop, func(m *model) { m.question = askStop }))
	}
	return out
}

func (m model) reportActions() []action {
	out := scrolls(func(m model) int { return max(m.bodyHeight()-2, 1) }, func(m *model, by int) { m.report.scroll(by, m.bodyHeight()) })
	return append(out,
		act(keyCharts, func(m *model) { m.screen = liveScreen }),
		act(keyMenu, func(m *model) { m.screen = menuScreen }))
}
