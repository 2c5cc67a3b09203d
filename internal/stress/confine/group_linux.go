package confine

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

// groupPrefix begins the name of each control group that is made here. The id
// of the process that made it and a number follow.
const groupPrefix = "mabeam-top-"

// removeWithin is how long the kernel may take to let go of a control group
// whose last process has ended.
const removeWithin = time.Second

// groups counts those that this process has made.
var groups atomic.Int64

// A group is a control group that limits memory.
type group struct {
	version int
	folder  string
}

// newGroup makes a control group with that limit, in the first place where it
// can.
func newGroup(hard int64) (*group, error) {
	own, err := probes.ControlGroups(os.DirFS("/"))
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	var faults []string
	for _, place := range places(own) {
		g, err := place.make(hard)
		if err == nil {
			return g, nil
		}
		faults = append(faults, err.Error())
	}
	if len(faults) == 0 {
		return nil, errors.New("control group: there is none that counts memory")
	}
	return nil, errors.New("control group: " + strings.Join(faults, "; "))
}

// A place is a folder in which a control group may be made.
type place struct {
	version int
	folder  string
}

// places are where control groups may be made: below those that this process
// is in, and with version 2, where a group with processes has no groups that
// are limited below it, beside it.
func places(own []probes.ControlGroup) []place {
	var all []place
	for _, g := range own {
		all = append(all, place{g.Version, g.Path})
		if g.Version == 2 && g.Path != g.Mount {
			all = append(all, place{2, filepath.Dir(g.Path)})
		}
	}
	return all
}

// make makes a control group with that limit. Nothing is left of one that cannot
// have it.
func (p place) make(hard int64) (*group, error) {
	if p.version == 2 {
		controllers, err := os.ReadFile(filepath.Join(p.folder, "cgroup.subtree_control"))
		if err != nil {
			return nil, err
		}
		if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " memory ") {
			return nil, fmt.Errorf("%s does not limit the memory of those below it", p.folder)
		}
	}
	p.sweep()
	g := &group{p.version, filepath.Join(p.folder, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), groups.Add(1)))}
	if err := os.Mkdir(g.folder, 0o755); err != nil {
		return nil, err
	}
	if err := g.limit(hard); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// sweep removes what programs left that were killed.
func (p place) sweep() {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return // there is nothing that could be removed
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), groupPrefix)
		maker, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(maker)
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.Remove(filepath.Join(p.folder, e.Name())) // it fails while a process is in it
		}
	}
}

// limit sets the limit, on memory and not on what was moved to a disk instead.
func (g *group) limit(hard int64) error {
	if g.version == 2 {
		return errors.Join(
			g.write("memory.max", hard),
			ifThere(g.write("memory.swap.max", 0)),
			ifThere(g.write("memory.oom.group", 1)),
		)
	}
	return errors.Join(
		g.write("memory.limit_in_bytes", hard),
		ifThere(g.write("memory.memsw.limit_in_bytes", hard)),
	)
}

// ifThere forgives that a kernel does not have a file.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func (g *group) write(file string, value int64) error {
	// A control group's files are there already; none can be made.
	f, err := os.OpenFile(filepath.Join(g.folder, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(value, 10))
	return errors.Join(err, f.Close())
}

func (g *group) enter(pid int) error { return g.write("cgroup.procs", int64(pid)) }

// usage is what the processes of the group have held.
func (g *group) usage() (u Usage) {
	peak, kills := "memory.max_usage_in_bytes", "memory.oom_control"
	if g.version == 2 {
		peak, kills = "memory.peak", "memory.events"
	}
	if text, err := os.ReadFile(filepath.Join(g.folder, peak)); err == nil {
		u.PeakBytes, _ = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // 0 if it is no number
	}
	if text, err := os.ReadFile(filepath.Join(g.folder, kills)); err == nil {
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			u.OutOfMemory = u.OutOfMemory || name == "oom_kill" && value != "0"
		}
	}
	return u
}

// remove removes the group.
func (g *group) remove() error {
	for deadline := time.Now().Add(removeWithin); ; time.Sleep(time.Millisecond) {
		err := os.Remove(g.folder)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}
