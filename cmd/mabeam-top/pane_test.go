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
	// paneWithin is how long anything may take that a terminal is to show. It
	// only ends what hangs: a machine that builds other things meanwhile is slow.
	paneWithin = 30 * time.Second
	// paneLook is how often is looked whether it does.
	paneLook = 30 * time.Millisecond
	// prompt is what the shell asks with.
	prompt = "shell>"
)

// A pane is a terminal with a shell in it, in which the program is used as a
// person would: by keys, and by what can be seen. It is one of tmux, whose server
// it has for itself.
type pane struct {
	t            *testing.T
	tmux, socket string
	// folder is where the shell is, with the scenarios of the tests in it, and
	// where the program keeps past runs.
	folder string
	// ran counts the command lines.
	ran int
}

// newPane starts a shell in a terminal of that size. The environment is that of a
// terminal that can show all there is, but for what is given; nothing of that of the
// tests is in it, where CI=true, say, would take the colours.
func newPane(t *testing.T, width, height int, env ...string) *pane {
	t.Helper()
	if testing.Short() {
		t.Skip("it uses the program at the speed of a person")
	}
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("there is no tmux here to use the program in")
	}
	p := &pane{t: t, tmux: tmux, folder: t.TempDir()}
	if err := os.WriteFile(filepath.Join(p.folder, "hand.yaml"), []byte(handRuns), 0o666); err != nil {
		t.Fatal(err)
	}
	// The name of a socket must be short, which that of the test's own folder
	// need not be.
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
	// Else it would take a row of the terminal as soon as the size is changed.
	p.do("set", "-g", "status", "off")
	p.until(prompt)
	return p
}

// do is a command of tmux; it returns what that says.
func (p *pane) do(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.tmux, append([]string{"-u", "-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// tells returns what tmux knows of the pane.
func (p *pane) tells(format string) string {
	p.t.Helper()
	return p.do("display", "-p", format)
}

// keys presses keys, by tmux's names of them.
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

// A sight is what a terminal shows.
type sight []string

func (s sight) String() string { return strings.Join(s, "\n") }

// has says whether there is a match of a regular expression.
func (s sight) has(expression string) bool { return s.match(expression) != nil }

// match returns the first match of a regular expression, and of its groups.
func (s sight) match(expression string) []string {
	return regexp.MustCompile(expression).FindStringSubmatch(s.String())
}

// top is the first row, in which the program says where one is.
func (s sight) top() string { return s[0] }

func (p *pane) look() sight {
	p.t.Helper()
	return strings.Split(p.do("capture-pane", "-p"), "\n")
}

// await waits until the terminal is as it should be.
func (p *pane) await(what string, ok func(sight) bool) sight {
	p.t.Helper()
	for late := time.Now().Add(paneWithin); ; time.Sleep(paneLook) {
		s := p.look()
		if ok(s) {
			return s
		}
		if time.Now().After(late) {
			p.t.Fatalf("the terminal never showed %s, but\n%s", what, s)
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

// run gives the shell a command line. What it ends with is told after it.
func (p *pane) run(line string) {
	p.t.Helper()
	p.ran++
	p.write(fmt.Sprintf(`%s; echo "end %d: $?"`, line, p.ran))
	p.keys("Enter")
}

// end waits for the shell to tell what the command line ended with.
func (p *pane) end() (code int) {
	p.t.Helper()
	// The line as it was typed has no number there.
	code, err := strconv.Atoi(p.until(fmt.Sprintf(`(?m)^end %d: (\d+) *$`, p.ran)).match(fmt.Sprintf(`(?m)^end %d: (\d+)`, p.ran))[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// ends waits for that, and for it to be an exit code. The terminal has then to be
// the shell's again.
func (p *pane) ends(code int) {
	p.t.Helper()
	if got := p.end(); got != code {
		p.t.Errorf("exit code %d, want %d; the terminal shows\n%s", got, code, p.look())
	}
	p.givenBack()
}

// givenBack checks that nothing of the terminal is as the program needs it, and
// that the shell is there.
func (p *pane) givenBack() {
	p.t.Helper()
	const want = "screen 0, cursor 1, mouse 0, keypad 0"
	if got := p.tells("screen #{alternate_on}, cursor #{cursor_flag}, mouse #{mouse_any_flag}, keypad #{keypad_flag}"); got != want {
		p.t.Errorf("the terminal is left with %s, want %s", got, want)
	}
	// A shell may set modes of its own while it is asking, but a command gets
	// what the last one left.
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

// clear empties the terminal, so that what is found there later is new.
func (p *pane) clear() {
	p.t.Helper()
	p.run(`printf '\033[H\033[2J'`)
	p.end()
}

// program is the process that the shell runs.
func (p *pane) program() *process.Process {
	p.t.Helper()
	shell, err := strconv.Atoi(p.tells("#{pane_pid}"))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.child(int32(shell))
}

// child is the only process that another has started.
func (p *pane) child(of int32) *process.Process {
	p.t.Helper()
	started := descendants(of, 1)
	if len(started) != 1 {
		p.t.Fatalf("the process %d has started %v, want one", of, started)
	}
	return started[0]
}

// descendants are the processes that a process has started, and those that these
// have, so many generations of them.
func descendants(of int32, generations int) []*process.Process {
	if generations == 0 {
		return nil
	}
	var found []*process.Process
	all, _ := process.Processes() // whoever looks for one misses it
	for _, one := range all {
		if parent, err := one.Ppid(); err == nil && parent == of && alive(one) {
			found = append(append(found, one), descendants(one.Pid, generations-1)...)
		}
	}
	return found
}

// alive says whether a process has not ended. One that nobody asks for how it
// ended has all the same.
func alive(one *process.Process) bool {
	status, err := one.Status()
	return err == nil && !slices.Contains(status, process.Zombie)
}

// close takes the terminal away, as when its window is closed, which has to end
// all that runs in it.
func (p *pane) close() {
	p.t.Helper()
	shell, err := exec.Command(p.tmux, "-S", p.socket, "display", "-p", "#{pane_pid}").Output()
	if err != nil {
		return // it never began, or is closed
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(shell)))
	if err != nil {
		p.t.Error(err)
	}
	running := descendants(int32(pid), 3)
	p.do("kill-server")
	for late := time.Now().Add(paneWithin); slices.ContainsFunc(running, alive); time.Sleep(paneLook) {
		if time.Now().Before(late) {
			continue
		}
		for _, one := range running {
			if alive(one) {
				p.t.Errorf("the process %v outlived its terminal", one)
				one.Kill()
			}
		}
		return
	}
}
