package memlimit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"mabeam-top/internal/probes"
)

// groupPrefix begins the name of each control group that this package creates. The id
// of the creating process and a number follow.
const groupPrefix = "mabeam-top-"

// removeTimeout is the time that the kernel may take to release a control group whose
// last process has ended.
const removeTimeout = time.Second

// groups counts the control groups that this process has created.
var groups atomic.Int64

// A group is a control group that limits memory.
type group struct {
	version int
	dir     string
}

// newGroup creates a control group with that limit in the first possible parent.
func newGroup(hard int64) (*group, error) {
	own, err := probes.ControlGroups(os.DirFS("/"))
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	var reasons []string
	for _, p := range parents(own) {
		g, err := p.create(hard)
		if err == nil {
			return g, nil
		}
		reasons = append(reasons, err.Error())
	}
	if len(reasons) == 0 {
		return nil, errors.New("control group: none accounts for memory")
	}
	return nil, errors.New("control group: " + strings.Join(reasons, "; "))
}

// A parent is a directory in which a control group can be created.
type parent struct {
	version int
	dir     string
}

// parents returns the possible parents of a control group: the groups of this process,
// and with version 2 also their parents, because a group with processes cannot limit
// groups below it.
func parents(own []probes.ControlGroup) []parent {
	var all []parent
	for _, g := range own {
		all = append(all, parent{g.Version, g.Path})
		if g.Version == 2 && g.Path != g.Mount {
			all = append(all, parent{2, filepath.Dir(g.Path)})
		}
	}
	return all
}

// create creates a control group with that limit. It removes the group again if the
// limit cannot be set.
func (p parent) create(hard int64) (*group, error) {
	if p.version == 2 {
		controllers, err := os.ReadFile(filepath.Join(p.dir, "cgroup.subtree_control"))
		if err != nil {
			return nil, err
		}
		if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " memory ") {
			return nil, fmt.Errorf("%s cannot limit the memory of groups below it", p.dir)
		}
	}
	p.sweep()
	g := &group{p.version, filepath.Join(p.dir, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), groups.Add(1)))}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	if err := g.limit(hard); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// sweep removes the groups of programs that were killed.
func (p parent) sweep() {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return // nothing to remove
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), groupPrefix)
		maker, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(maker)
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.Remove(filepath.Join(p.dir, e.Name())) // fails while the group has a process
		}
	}
}

// limit sets the limit. Swap space does not extend it.
func (g *group) limit(hard int64) error {
	if g.version == 2 {
		return errors.Join(
			g.write("memory.max", hard),
			ignoreMissing(g.write("memory.swap.max", 0)),
			ignoreMissing(g.write("memory.oom.group", 1)),
		)
	}
	return errors.Join(
		g.write("memory.limit_in_bytes", hard),
		ignoreMissing(g.write("memory.memsw.limit_in_bytes", hard)),
	)
}

// ignoreMissing ignores the error that a kernel does not have a file.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func (g *group) write(file string, value int64) error {
	// The files of a control group exist already and cannot be created.
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(value, 10))
	return errors.Join(err, f.Close())
}

func (g *group) add(pid int) error { return g.write("cgroup.procs", int64(pid)) }

// usage returns the memory usage of the processes in the group.
func (g *group) usage() (u Usage) {
	peak, kills := "memory.max_usage_in_bytes", "memory.oom_control"
	if g.version == 2 {
		peak, kills = "memory.peak", "memory.events"
	}
	if text, err := os.ReadFile(filepath.Join(g.dir, peak)); err == nil {
		u.PeakBytes, _ = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // 0 if it is not a number
	}
	if text, err := os.ReadFile(filepath.Join(g.dir, kills)); err == nil {
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			u.OutOfMemory = u.OutOfMemory || name == "oom_kill" && value != "0"
		}
	}
	return u
}

// remove removes the group after its last process has ended.
func (g *group) remove() error {
	for deadline := time.Now().Add(removeTimeout); ; time.Sleep(time.Millisecond) {
		err := os.Remove(g.dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}
