package probes

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// cgroupUnlimited is the smallest value that means "no limit" in version 1: the largest
// int64, rounded down to a page of up to 64 KiB.
const cgroupUnlimited = math.MaxInt64 - 1<<16

// A ControlGroup is a control group of this process that accounts for memory.
type ControlGroup struct {
	// Version is 1 or 2.
	Version int
	// Path is the directory of the group, and Mount the topmost visible directory of its
	// tree. Path is Mount or below it: a group above the mount counts as the mount.
	Path, Mount string
}

// ControlGroups returns the control groups of this process that account for memory:
// none, one, or one of each version. root is the root of the file system.
func ControlGroups(root fs.FS) ([]ControlGroup, error) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without control groups
	}
	if err != nil {
		return nil, err
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []ControlGroup
	for _, m := range cgroupMounts(mounts) {
		group, ok := cgroupPath(groups, m.version)
		if !ok {
			continue
		}
		found = append(found, ControlGroup{Version: m.version, Path: path.Join(m.point, m.below(group)), Mount: path.Clean(m.point)})
	}
	return found, nil
}

// directories returns the directories of the group and its parents, up to the mount. It
// ends at the root of the file system at the latest, whatever the paths are.
func (g ControlGroup) directories() []string {
	var all []string
	for dir := g.Path; ; dir = path.Dir(dir) {
		all = append(all, dir)
		if dir == g.Mount || dir == path.Dir(dir) {
			return all
		}
	}
}

// cgroupMemoryLimit returns the smallest memory limit in bytes of the control groups of
// this process and their parents, of both versions, or math.MaxUint64 if there is none.
// root is the root of the file system.
func cgroupMemoryLimit(root fs.FS) (uint64, error) {
	groups, err := ControlGroups(root)
	if err != nil {
		return 0, err
	}
	limit := uint64(math.MaxUint64)
	for _, g := range groups {
		file := "memory.max"
		if g.Version == 1 {
			file = "memory.limit_in_bytes"
		}
		for _, dir := range g.directories() {
			l, err := readLimit(root, path.Join(dir, file))
			if err != nil {
				return 0, err
			}
			limit = min(limit, l)
		}
	}
	return limit, nil
}

// readLimit reads one limit. A missing file, as in the root group, sets none.
func readLimit(root fs.FS, name string) (uint64, error) {
	text, err := fs.ReadFile(root, strings.TrimPrefix(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return math.MaxUint64, nil
	}
	if err != nil {
		return 0, err
	}
	value := strings.TrimSpace(string(text))
	if value == "max" {
		return math.MaxUint64, nil
	}
	limit, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	if limit >= cgroupUnlimited {
		return math.MaxUint64, nil
	}
	return limit, nil
}

// A cgroupMount is a mounted tree of control groups that can limit memory.
type cgroupMount struct {
	version int
	// root is the group that is mounted at point.
	root, point string
}

// below returns the path of a group relative to the mount. It returns "/", the mount
// itself, for a group outside of the mount: in a container, the kernel may report the
// path of the group on the host, while the mount shows only the tree below its root; in
// a control group namespace, it reports a group outside of the namespace as a path that
// begins with "/..".
func (m cgroupMount) below(group string) string {
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	outside := !ok || rest != "" && rest[0] != '/' && group[0] == '/'
	if outside || slices.Contains(strings.Split(rest, "/"), "..") {
		return "/"
	}
	return rest
}

// cgroupMounts parses the mounts from /proc/self/mountinfo, whose lines are
// "ID PARENT DEVICE ROOT POINT OPTIONS [TAG ...] - TYPE SOURCE SUPEROPTIONS".
func cgroupMounts(mountinfo []byte) []cgroupMount {
	var mounts []cgroupMount
	for line := range strings.Lines(string(mountinfo)) {
		before, after, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 {
			continue
		}
		m := cgroupMount{root: place[3], point: place[4]}
		switch {
		case kind[0] == "cgroup2":
			m.version = 2
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "memory"):
			m.version = 1
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// cgroupPath parses the group of the process from /proc/self/cgroup, whose lines are
// "ID:CONTROLLERS:PATH", for version 2 "0::PATH".
func cgroupPath(text []byte, version int) (group string, ok bool) {
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		controllers := strings.Split(fields[1], ",")
		if (version == 2 && fields[0] == "0" && fields[1] == "") || (version == 1 && slices.Contains(controllers, "memory")) {
			return fields[2], true
		}
	}
	return "", false
}
