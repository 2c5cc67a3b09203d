package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/report"
)

// Signals within a quarter of a second of the first one count as repeats; a later one
// ends the program at once.
func TestRepeatedSignals(t *testing.T) {
	type sent struct {
		after time.Duration
		sig   os.Signal
	}
	for name, c := range map[string]struct {
		sent  []sent
		code  int // of the immediate exit; 0 for none
		first os.Signal
	}{
		"once":                 {[]sent{{0, syscall.SIGINT}}, 0, syscall.SIGINT},
		"process and group":    {[]sent{{0, syscall.SIGTERM}, {0, syscall.SIGTERM}}, 0, syscall.SIGTERM},
		"a little later":       {[]sent{{0, syscall.SIGINT}, {200 * time.Millisecond, syscall.SIGINT}}, 0, syscall.SIGINT},
		"two kinds at once":    {[]sent{{0, syscall.SIGINT}, {time.Millisecond, syscall.SIGTERM}}, 0, syscall.SIGINT},
		"three times at once":  {[]sent{{0, syscall.SIGINT}, {time.Millisecond, syscall.SIGINT}, {time.Millisecond, syscall.SIGINT}}, 0, syscall.SIGINT},
		"a second one":         {[]sent{{0, syscall.SIGINT}, {260 * time.Millisecond, syscall.SIGTERM}}, 143, syscall.SIGINT},
		"at once and again":    {[]sent{{0, syscall.SIGTERM}, {0, syscall.SIGTERM}, {time.Second, syscall.SIGINT}}, 130, syscall.SIGTERM},
		"many, over some time": {[]sent{{0, syscall.SIGINT}, {150 * time.Millisecond, syscall.SIGINT}, {150 * time.Millisecond, syscall.SIGINT}}, 130, syscall.SIGINT},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code, restored := 0, false
				s := newSignals(func(c int) { code = c })
				ctx := s.watch(t.Context(), func() { restored = true })
				synctest.Wait()
				if ctx.Err() != nil || s.interruption() != nil {
					t.Error("interrupted before any signal")
				}
				for _, one := range c.sent {
					time.Sleep(one.after)
					s.received <- one.sig
					synctest.Wait()
				}
				if ctx.Err() == nil || s.interruption() != c.first {
					t.Errorf("interrupted by %v, %v; want %v", s.interruption(), ctx.Err(), c.first)
				}
				s.stop()
				if code != c.code || restored != (c.code != 0) {
					t.Errorf("exit code %d, terminal restored: %v; want %d", code, restored, c.code)
				}
			})
		})
	}
}

// GNU timeout signals the process and then its group, and a service manager all
// processes of a service. The program still writes a complete report, and leaves no other
// file.
func TestWrapperSignalsTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signal syscall.Signal
		code   int
		args   []string
		child  bool // whether it gets the signal as well
	}{
		"interrupted":               {syscall.SIGINT, 130, nil, false},
		"terminated":                {syscall.SIGTERM, 143, nil, false},
		"with a child, interrupted": {syscall.SIGINT, 130, []string{"--isolate", "always"}, true},
		"with a child, terminated":  {syscall.SIGTERM, 143, []string{"--isolate", "always"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout bytes.Buffer
			recording := filepath.Join(t.TempDir(), "run.jsonl")
			p := start(t, &stdout, append([]string{"--json", "--record", recording}, c.args...)...)
			p.until(t, inAges)
			if c.child {
				for _, child := range childrenOf(t, p.Process.Pid) {
					if err := child.Signal(c.signal); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.signal(t, c.signal)
			p.signal(t, c.signal)
			p.ends(t, c.code)
			r, err := report.Read(&stdout)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != report.Interrupted || len(r.Scenarios) != 2 {
				t.Fatalf("report: %s, %+v", r.Verdict, r.Scenarios)
			}
			ages := r.Scenarios[1].Steps[0]
			if ages.Verdict != report.Interrupted || ages.Operations.Succeeded == 0 {
				t.Errorf("the step that ran: %s, %+v, %+v", ages.Verdict, ages.Operations, ages.Errors)
			}
			for _, e := range ages.Errors {
				if strings.Contains(e.Message, "died") {
					t.Errorf("the child ended before its parent had the results: %s", e.Message)
				}
			}
			for folder, want := range map[string]int{filepath.Join(p.folder, "mabeam-top", "runs"): 1, filepath.Dir(recording): 1} {
				entries, err := os.ReadDir(folder)
				if err != nil || len(entries) != want || strings.HasSuffix(entries[0].Name(), ".partial") || strings.HasSuffix(entries[0].Name(), ".tmp") {
					t.Errorf("%s has %v, %v", folder, entries, err)
				}
			}
		})
	}
}

// A program that a second signal ends leaves no empty file.
func TestSecondSignalLeavesNoEmptyFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	endAtOnce(t, syscall.SIGTERM, "-o", filepath.Join(folder, "report.html"), "--record", filepath.Join(folder, "run.jsonl"))
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() == 0 || strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s is left, %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// childrenOf returns the child processes of a process. It skips the test where the
// system does not list them.
func childrenOf(t *testing.T, pid int) []*os.Process {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		t.Skip(err)
	}
	var children []*os.Process
	for _, field := range strings.Fields(string(text)) {
		number, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		child, err := os.FindProcess(number)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	return children
}
