package ui

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"

	tea "github.com/charmbracelet/bubbletea"
)

// A faulty model panics in Update, or returns a command that does.
type faulty struct{ cmd tea.Cmd }

func (faulty) Init() tea.Cmd  { return nil }
func (f faulty) View() string { return "" }
func (f faulty) Update(_ tea.Msg) (tea.Model, tea.Cmd) {
	if f.cmd == nil {
		panic("in Update")
	}
	return f, f.cmd
}

func TestGuard(t *testing.T) {
	boom := func() tea.Msg { panic("in a command") }
	for name, c := range map[string]struct {
		cmd  tea.Cmd
		want string
	}{
		"Update":           {nil, "panic: in Update"},
		"a command":        {boom, "panic: in a command"},
		"one of a batch":   {tea.Batch(func() tea.Msg { return nil }, boom), "panic: in a command"},
		"a batch of those": {func() tea.Msg { return tea.BatchMsg{tea.Batch(boom, boom), boom} }, "panic: in a command"},
	} {
		var died error
		var m tea.Model = guard{faulty{c.cmd}, &died}
		m, cmd := m.Update(nil)
		var run func(cmd tea.Cmd) (quit bool)
		run = func(cmd tea.Cmd) bool {
			if cmd == nil {
				return false
			}
			switch msg := cmd().(type) {
			case tea.QuitMsg:
				return true
			case tea.BatchMsg:
				quit := false
				for _, one := range msg {
					quit = run(one) || quit
				}
				return quit
			case panicMsg:
				_, cmd := m.Update(msg)
				return run(cmd)
			}
			return false
		}
		if !run(cmd) || died == nil || !strings.Contains(died.Error(), c.want) || !strings.Contains(died.Error(), "guard_test.go") {
			t.Errorf("%s: quit, and died of %.300v", name, died)
		}
	}
}

// A panickyRunner panics in every check.
type panickyRunner struct{ uitest.Runner }

func (panickyRunner) Check(string, session.Settings) map[string]error { panic("of the test") }

// After a panic of the screen, the terminal is restored and the panic reported.
func TestPanicOfTheScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, out, err := play(ctx, t, Config{Runner: panickyRunner{}}, map[time.Duration]string{time.Second: "e"})
		if err == nil || !strings.HasPrefix(err.Error(), "the terminal UI: panic: of the test\n") || !strings.Contains(err.Error(), "guard_test.go") {
			t.Errorf("err = %.300v", err)
		}
		if shown, hidden := strings.LastIndex(out, "\x1b[?1049h"), strings.LastIndex(out, "\x1b[?1049l"); shown < 0 || hidden < shown {
			t.Error("the terminal was not restored")
		}
		cancel()
		time.Sleep(time.Second)
	})
}
