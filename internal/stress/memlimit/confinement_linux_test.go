package memlimit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mabeam-top/internal/probes"
)

// hogMode makes the test binary a process that allocates memory until it ends. Its value
// is the limit that the process sets for itself, in bytes.
const hogMode = "MABEAM_TOP_TEST_HOG"

const (
	mib = 1 << 20
	// step is the memory that the hog allocates between two reports.
	step = 4 * mib
)

func TestMain(m *testing.M) {
	own := os.Getenv(hogMode)
	if own == "" {
		os.Exit(m.Run())
	}
	limit, err := strconv.ParseInt(own, 10, 64)
	if err == nil && limit > 0 {
		_, err = LimitProcess(limit)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Scanln() // wait for the start
	var held [][]byte
	for len(held) < 1<<10 {
		piece := make([]byte, step)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		held = append(held, piece)
		fmt.Println(len(held) * step)
	}
}

// hog runs the hog in a confinement and returns how it ended, and the most memory that
// it reported.
func hog(t *testing.T, c *Confinement, own int64) (end *exec.ExitError, held int64, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), c.Env()...), fmt.Sprintf("%s=%d", hogMode, own))
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.Add(cmd.Process.Pid)
	in.Close()
	if err := cmd.Wait(); !errors.As(err, &end) {
		t.Fatalf("it ended with %v after\n%s", err, out.String())
	}
	for line := range strings.Lines(out.String()) {
		if held, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return end, held, errOut.String()
}

// A control group kills a process at its limit, and knows its peak memory.
func TestGroup(t *testing.T) {
	const hard = 96 * mib
	c := New(Limits{Hard: hard})
	if limit, err := c.SelfLimit(); limit > 0 {
		t.Skip(err)
	}
	dir := c.group.dir
	end, held, _ := hog(t, c, 0)
	if status := end.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", end)
	}
	if limit, _ := c.SelfLimit(); limit > 0 {
		t.Error("it was not in the group")
	}
	// Memory that it allocated before it was in the group does not count; that of the
	// race detector does.
	if held > hard || held < hard-32*mib && !raceDetector {
		t.Errorf("it held %d MiB, with a limit of %d", held/mib, hard/mib)
	}
	if u := c.Usage(); !u.OutOfMemory || u.PeakBytes > hard+mib || u.PeakBytes < hard-mib {
		t.Errorf("%+v", u)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is still there: %v", err)
	}
	if err := c.Close(); err != nil || c.Usage() != (Usage{}) {
		t.Errorf("closed again: %v", err)
	}
}

// A limit on the process itself ends it at the limit or a little above.
func TestLimitProcess(t *testing.T) {
	const hard = 128 * mib
	end, held, stderr := hog(t, New(Limits{}), hard)
	if !end.Exited() || !IsOutOfMemory(stderr) {
		t.Errorf("it ended with %v and the output %.200s", end, stderr)
	}
	// The memory of the race detector counts too.
	if held < hard-16*mib && !raceDetector || held > hard+3*arena {
		t.Errorf("it held %d MiB, with a limit of %d", held/mib, hard/mib)
	}
}

func TestSoftLimit(t *testing.T) {
	if got := New(Limits{Soft: 5}).Env(); !slices.Equal(got, []string{"GOMEMLIMIT=5"}) {
		t.Errorf("%q", got)
	}
	c := New(Limits{})
	if limit, _ := c.SelfLimit(); c.Env() != nil || limit != 0 || c.group != nil {
		t.Errorf("no limits are %+v", c)
	}
}

func TestParents(t *testing.T) {
	got := parents([]probes.ControlGroup{
		{Version: 1, Path: "/cg/memory/box", Mount: "/cg/memory"},
		{Version: 2, Path: "/cg/unified/user/app", Mount: "/cg/unified"},
		{Version: 2, Path: "/top", Mount: "/top"},
	})
	want := []parent{{1, "/cg/memory/box"}, {2, "/cg/unified/user/app"}, {2, "/cg/unified/user"}, {2, "/top"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A group that cannot be created leaves nothing behind, and the error says why.
func TestCreateFails(t *testing.T) {
	without, empty, plain := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, controllers := range map[string]string{without: "cpu memory_like\n", empty: "cpu memory io\n"} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(controllers), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		parent parent
		want   string
	}{
		"v2 without the controller": {parent{2, without}, "cannot limit the memory of groups below it"},
		"v2 without files":          {parent{2, plain}, "cgroup.subtree_control: no such file"},
		"v2 without a limit":        {parent{2, empty}, "memory.max: no such file"},
		"v1 without files":          {parent{1, plain}, "memory.limit_in_bytes: no such file"},
		"nowhere":                   {parent{1, filepath.Join(plain, "none")}, "none"},
	} {
		before := list(t, filepath.Dir(c.parent.dir))
		if g, err := c.parent.create(mib); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, g, err)
		}
		if after := list(t, filepath.Dir(c.parent.dir)); !slices.Equal(after, before) {
			t.Errorf("%s: there is %v", name, after)
		}
	}
	for _, dir := range []string{without, empty} {
		if got := list(t, dir); !slices.Equal(got, []string{"cgroup.subtree_control"}) {
			t.Errorf("there is %v", got)
		}
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// sweep removes the groups of programs that have ended, and no others.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	gone, own := fmt.Sprintf("%s%d-1", groupPrefix, ended.Process.Pid), fmt.Sprintf("%s%d-1", groupPrefix, os.Getpid())
	for _, name := range []string{gone, own, groupPrefix + "x-1", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	parent{1, dir}.sweep()
	if got := list(t, dir); slices.Contains(got, gone) || len(got) != 3 {
		t.Errorf("there is %v", got)
	}
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		version int
		files   map[string]string
		want    Usage
	}{
		"v1":                     {1, map[string]string{"memory.max_usage_in_bytes": "4096\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}, Usage{4096, true}},
		"v1 without a kill":      {1, map[string]string{"memory.max_usage_in_bytes": "4096\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"}, Usage{4096, false}},
		"v2":                     {2, map[string]string{"memory.peak": "8192\n", "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n"}, Usage{8192, true}},
		"v2 without memory.peak": {2, map[string]string{"memory.events": "oom 1\noom_kill 0\n"}, Usage{0, false}},
		"nothing":                {2, nil, Usage{}},
	} {
		g := &group{c.version, t.TempDir()}
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got := g.usage(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
