package live

import (
	"strings"
	"testing"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/uitest"
)

// A stage is a screen whose run is fed by hand.
type stage struct {
	t testing.TB
	*Screen
	feed *uitest.Feed
	// commands are those that the run took; nil if it takes none.
	commands *uitest.Commands
	at       float64
	// reported counts the times that the report was asked for.
	reported int
}

// newStage shows a run that takes commands, unless they are nil.
func newStage(t testing.TB, commands *uitest.Commands) *stage {
	st := &stage{t: t, commands: commands, at: -1}
	host := &screen.Host{Theme: theme.Plain(false), Width: 120, Height: 40}
	st.Screen = New(host, session.Config{
		Faults: []session.FaultKind{
			{Name: "kill_agents", Doc: "Kills agents.", Example: "kill_agents: 10"},
			{Name: "stall_subscribers", Doc: "Stalls subscribers.", Example: "stall_subscribers: 3, for: 200ms"},
		},
		CheckFault: func(text string) error {
			if !strings.Contains(text, ": ") {
				return errNoNumber
			}
			return nil
		},
	}, Links{Report: func() { st.reported++ }})
	source := uitest.NewFeedSource()
	runner := uitest.Runner{Source: source}
	if commands != nil {
		runner.Source = uitest.Steered{Source: source, Commands: commands}
	}
	r := session.New(session.Order{Scenarios: []string{"event-storm"}}, runner)
	st.feed = uitest.Start(r, source)
	st.Follow(r)
	st.draw()
	return st
}

// running is a run after 20 s.
func running(t testing.TB) *stage { return newStage(t, nil).until(20) }

// steered is a run that takes commands after 20 s.
func steered(t testing.TB) *stage { return newStage(t, &uitest.Commands{}).until(20) }

// until feeds the script up to a time.
func (st *stage) until(t float64) *stage {
	st.feed.Script(st.at, t)
	st.at = t
	return st.tick()
}

func (st *stage) tick() *stage {
	st.Update()
	st.draw()
	return st
}

func (st *stage) end() {
	st.feed.End(nil)
	st.host.EndOfRun()
	st.tick()
}

func (st *stage) size(width, height int) *stage {
	st.host.Width, st.host.Height = width, height
	st.draw()
	return st
}

// draw draws the screen, and requests its inspection.
func (st *stage) draw() {
	if st.host.Size() != screen.Line {
		st.Frame()
	}
	st.Inspect(true)
}

// view is the screen as text, without the footer.
func (st *stage) view() string {
	f := st.Frame()
	rows := append(append([]string{}, f.Top...), f.Body...)
	status := f.Status
	if st.host.Notice.Text != "" {
		status = " " + st.host.NoticeText()
	}
	if d := st.host.Dialog; d != nil {
		rows = append(rows, d.View(st.host.Theme, st.host.Width, st.bodyHeight())...)
	}
	return strings.Join(append(rows, status), "\n")
}

func (st *stage) press(keys ...string) {
	for _, k := range keys {
		st.host.Notice = screen.Notice{}
		st.handle(keyMsg(k))
		st.draw()
	}
}

func (st *stage) handle(msg tea.KeyMsg) {
	actions := st.Actions()
	if st.host.Dialog != nil {
		actions = st.host.DialogActions()
	}
	for _, a := range actions {
		if key.Matches(msg, a.Key.Binding) {
			a.Do()
			return
		}
	}
	switch {
	case st.host.Dialog != nil && st.host.Dialog.Typing():
		st.host.Dialog.Type(msg)
	case st.Typing():
		st.Type(msg)
	}
}

func keyMsg(k string) tea.KeyMsg {
	named := map[string]tea.KeyType{
		"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp, "down": tea.KeyDown,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd, "left": tea.KeyLeft, "right": tea.KeyRight,
	}
	if kind, ok := named[k]; ok {
		return tea.KeyMsg{Type: kind}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

// shows fails the test unless all of the texts are on the screen.
func (st *stage) shows(texts ...string) {
	st.t.Helper()
	for _, text := range texts {
		if !strings.Contains(st.view(), text) {
			st.t.Errorf("%q is not shown:\n%s", text, st.view())
		}
	}
}

// find returns where a text is on the screen.
func (st *stage) find(text string) (x, y int) {
	st.t.Helper()
	for y, line := range strings.Split(ansi.Strip(st.view()), "\n") {
		if before, _, ok := strings.Cut(line, text); ok {
			return ansi.StringWidth(before), y
		}
	}
	st.t.Fatalf("%q is not on the screen:\n%s", text, st.view())
	return 0, 0
}

func (st *stage) click(x, y int) {
	st.Mouse(tea.MouseEvent{X: x, Y: y, Button: tea.MouseButtonLeft, Action: tea.MouseActionPress}, 0)
	st.draw()
}

func (st *stage) wheel(x, y, wheel int) {
	st.Mouse(tea.MouseEvent{X: x, Y: y}, wheel)
	st.draw()
}
