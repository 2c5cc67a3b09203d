//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/shirou/gopsutil/v3/process"
)

const (
	// paneTimeout is the time in which the terminal must show what a test waits for. It
	// only ends tests that hang: a machine that builds other programs is slow.
	paneTimeout = 30 * time.Second
	// paneInterval is the interval at which a waiting test reads the terminal.
	paneInterval = 30 * time.Millisecond
	// prompt is the prompt of the shell.
	prompt = "shell>"
)

// A pane is a terminal with a shell, in which a test uses the program as a person does:
// with keys, and by what it sees. It is a pane of a tmux server of its own.
type pane struct {
	t            *testing.T
	tmux, socket string
	// folder is the working directory of the shell, with the scenarios of the tests and
	// the past runs of the program.
	folder string
	// ran is the number of command lines so far.
	ran int
}

// newPane starts a shell in a terminal of that size. Without env, the environment is that
// of a terminal with all features. It inherits nothing from the tests, where for example
// CI=true would disable colors.
func newPane(t *testing.T, width, height int, env ...string) *pane {
	t.Helper()
	if testing.Short() {
		t.Skip("uses the program at the speed of a person")
	}
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("needs tmux")
	}
	p := &pane{t: t, tmux: tmux, folder: t.TempDir()}
	if err := os.WriteFile(filepath.Join(p.folder, "hand.yaml"), []byte(handRuns), 0o666); err != nil {
		t.Fatal(err)
	}
	// The path of a socket must be short, and t.TempDir may be long.
	folder, err := os.MkdirTemp("", "pane")
	if err != nil {
		t.Fatal(err)
	}
	p.socket = filepath.Join(folder, "s")
	t.Cleanup(func() {
		p.close()
		os.RemoveAll(folder)
	})
	shell := slices.Concat([]string{
		"env", "-i", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LC_ALL=C.UTF-8", "TERM=xterm-256color",
		"PS1=" + prompt + " ", "HOME=" + p.folder, "XDG_STATE_HOME=" + p.folder, "GORACE=atexit_sleep_ms=0",
	}, env, []string{"sh", "-i"})
	p.do(append([]string{"-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "-c", p.folder, "--"}, shell...)...)
	// Otherwise the status line takes a row of the terminal after a resize.
	p.do("set", "-g", "status", "off")
	p.until(prompt)
	return p
}

// do runs a tmux command and returns its output.
func (p *pane) do(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.tmux, append([]string{"-u", "-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// state returns a property of the pane.
func (p *pane) state(format string) string {
	p.t.Helper()
	return p.do("display", "-p", format)
}

// keys presses keys by their tmux names.
func (p *pane) keys(names ...string) {
	p.t.Helper()
	p.do(append([]string{"send-keys"}, names...)...)
}

// write types a text.
func (p *pane) write(text string) {
	p.t.Helper()
	p.do("send-keys", "-l", "--", text)
}

func (p *pane) resize(width, height int) {
	p.t.Helper()
	p.do("resize-window", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
}

// A sight is the content of a terminal.
type sight []string

func (s sight) String() string { return strings.Join(s, "\n") }

// has reports whether a regular expression matches.
func (s sight) has(expression string) bool { return s.match(expression) != nil }

// match returns the first match of a regular expression and of its groups.
func (s sight) match(expression string) []string {
	return regexp.MustCompile(expression).FindStringSubmatch(s.String())
}

// top returns the first row, with the name of the screen.
func (s sight) top() string { return s[0] }

func (p *pane) look() sight {
	p.t.Helper()
	return strings.Split(p.do("capture-pane", "-p"), "\n")
}

// await waits until the terminal shows what ok accepts.
func (p *pane) await(what string, ok func(sight) bool) sight {
	p.t.Helper()
	for late := time.Now().Add(paneTimeout); ; time.Sleep(paneInterval) {
		s := p.look()
		if ok(s) {
			return s
		}
		if time.Now().After(late) {
			p.t.Fatalf("the terminal does not show %s, but\n%s", what, s)
		}
	}
}

// until waits for a match of a regular expression.
func (p *pane) until(expression string) sight {
	p.t.Helper()
	return p.await(expression, func(s sight) bool { return s.has(expression) })
}

// untilTop waits for a match in the first row.
func (p *pane) untilTop(expression string) sight {
	p.t.Helper()
	return p.await(expression+" at its top", func(s sight) bool { return sight{s.top()}.has(expression) })
}

// run types a command line, after which the shell prints the exit code.
func (p *pane) run(line string) {
	p.t.Helper()
	p.ran++
	p.write(fmt.Sprintf(`%s; echo "end %d: $?"`, line, p.ran))
	p.keys("Enter")
}

// end waits for the exit code of the command line.
func (p *pane) end() (code int) {
	p.t.Helper()
	// The typed line has no number there.
	code, err := strconv.Atoi(p.until(fmt.Sprintf(`(?m)^end %d: (\d+) *$`, p.ran)).match(fmt.Sprintf(`(?m)^end %d: (\d+)`, p.ran))[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// ends waits for the end of the command line and checks its exit code. The terminal must
// be restored then.
func (p *pane) ends(code int) {
	p.t.Helper()
	if got := p.end(); got != code {
		p.t.Errorf("exit code %d, want %d; the terminal shows\n%s", got, code, p.look())
	}
	p.restored()
}

// restored checks that the program has restored the terminal for the shell.
func (p *pane) restored() {
	p.t.Helper()
	const want = "screen 0, cursor 1, mouse 0, keypad 0"
	if got := p.state("screen #{alternate_on}, cursor #{cursor_flag}, mouse #{mouse_any_flag}, keypad #{keypad_flag}"); got != want {
		p.t.Errorf("the terminal is left with %s, want %s", got, want)
	}
	// A shell may change the modes while it waits for input, but a command gets the modes
	// of the previous one.
	p.run("stty -a >modes")
	p.end()
	modes, err := os.ReadFile(filepath.Join(p.folder, "modes"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, mode := range []string{"icanon", "echo", "isig", "icrnl", "opost"} {
		if !slices.Contains(strings.FieldsFunc(string(modes), func(r rune) bool { return r == ';' || unicode.IsSpace(r) }), mode) {
			p.t.Errorf("the terminal is left without %s:\n%s", mode, modes)
		}
	}
}

// clear clears the terminal.
func (p *pane) clear() {
	p.t.Helper()
	p.run(`printf '\033[H\033[2J'`)
	p.end()
}

// program returns the process that the shell runs.
func (p *pane) program() *process.Process {
	p.t.Helper()
	shell, err := strconv.Atoi(p.state("#{pane_pid}"))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.child(int32(shell))
}

// child returns the only child of a process.
func (p *pane) child(of int32) *process.Process {
	p.t.Helper()
	started := descendants(of, 1)
	if len(started) != 1 {
		p.t.Fatalf("the process %d has started %v, want one", of, started)
	}
	return started[0]
}

// descendants returns the children of a process, their children, and so on.
func descendants(of int32, generations int) []*process.Process {
	if generations == 0 {
		return nil
	}
	var found []*process.Process
	all, _ := process.Processes() // the caller notices a missing one
	for _, one := range all {
		if parent, err := one.Ppid(); err == nil && parent == of && alive(one) {
			found = append(append(found, one), descendants(one.Pid, generations-1)...)
		}
	}
	return found
}

// alive reports whether a process has not ended. A zombie has ended.
func alive(one *process.Process) bool {
	status, err := one.Status()
	return err == nil && !slices.Contains(status, process.Zombie)
}

// close closes the terminal, which must end all of its processes.
func (p *pane) close() {
	p.t.Helper()
	shell, err := exec.Command(p.tmux, "-S", p.socket, "display", "-p", "#{pane_pid}").Output()
	if err != nil {
		return // it did not start, or is closed
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(shell)))
	if err != nil {
		p.t.Error(err)
	}
	running := descendants(int32(pid), 3)
	p.do("kill-server")
	for late := time.Now().Add(paneTimeout); slices.ContainsFunc(running, alive); time.Sleep(paneInterval) {
		if time.Now().Before(late) {
			continue
		}
		for _, one := range running {
			if alive(one) {
				p.t.Errorf("the process %v is still running after its terminal has closed", one)
				one.Kill()
			}
		}
		return
	}
}
