package probes

import (
	"math"
	"slices"
	"testing"
	"testing/fstest"
)

func TestCgroupMemoryLimit(t *testing.T) {
	const (
		v1      = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
		v1other = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
		v2      = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
		none    = math.MaxUint64
	)
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64 // 0: an error
	}{
		"no control groups at all": {nil, none},
		"v2, own limit": {map[string]string{
			"proc/self/cgroup":                        "0::/user.slice/app\n",
			"proc/self/mountinfo":                     v2,
			"sys/fs/cgroup/user.slice/app/memory.max": "268435456\n",
		}, 256 * mib},
		"v2, unlimited": {map[string]string{
			"proc/self/cgroup":                        "0::/user.slice/app\n",
			"proc/self/mountinfo":                     v2,
			"sys/fs/cgroup/user.slice/app/memory.max": "max\n",
			"sys/fs/cgroup/user.slice/memory.max":     "max\n",
		}, none},
		"v2, the limit of a parent": {map[string]string{
			"proc/self/cgroup":                        "0::/user.slice/app\n",
			"proc/self/mountinfo":                     v2,
			"sys/fs/cgroup/user.slice/app/memory.max": "max\n",
			"sys/fs/cgroup/user.slice/memory.max":     "1000000\n",
		}, 1000000},
		"v2 in a container, its group is the root": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"proc/self/mountinfo":      v2,
			"sys/fs/cgroup/memory.max": "1000000\n",
		}, 1000000},
		"v1, own limit": {map[string]string{
			"proc/self/cgroup":    "5:cpu:/\n4:memory:/box/1\n0::/\n",
			"proc/self/mountinfo": v1other + v1,
			"sys/fs/cgroup/memory/box/1/memory.limit_in_bytes": "1000000\n",
			"sys/fs/cgroup/memory/box/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":       "9223372036854771712\n",
		}, 1000000},
		"v1, unlimited": {map[string]string{
			"proc/self/cgroup":                           "4:cpu,memory:/\n",
			"proc/self/mountinfo":                        v1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, none},
		"v1, unlimited with pages of 64 KiB": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"proc/self/mountinfo":                        v1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854710272\n",
		}, none},
		"v1 in a container that sees the host's path": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"proc/self/mountinfo":                        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
		}, 1000000},
		"a mount of another group": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/elsewhere\n",
			"proc/self/mountinfo":                        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
		}, 1000000},
		"v1, a mount whose root only begins like the group": {map[string]string{
			"proc/self/cgroup":                               "4:memory:/docker/abcdef\n",
			"proc/self/mountinfo":                            "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     "1000000\n",
			"sys/fs/cgroup/memorydef/memory.limit_in_bytes":  "2000\n",
			"sys/fs/cgroup/memory/def/memory.limit_in_bytes": "2000\n",
		}, 1000000},
		"v2, the group above the namespace": {map[string]string{
			"proc/self/cgroup":         "0::/..\n",
			"proc/self/mountinfo":      v2,
			"sys/fs/cgroup/memory.max": "1000000\n",
			"sys/fs/memory.max":        "2000\n",
		}, 1000000},
		"v2, a sibling of the namespace": {map[string]string{
			"proc/self/cgroup":                      "0::/../user.slice/x\n",
			"proc/self/mountinfo":                   v2,
			"sys/fs/cgroup/memory.max":              "1000000\n",
			"sys/fs/user.slice/x/memory.max":        "2000\n",
			"sys/fs/cgroup/user.slice/x/memory.max": "2000\n",
		}, 1000000},
		"v2, a group that leaves the mount further down": {map[string]string{
			"proc/self/cgroup":         "0::/a/../../..\n",
			"proc/self/mountinfo":      v2,
			"sys/fs/cgroup/memory.max": "1000000\n",
		}, 1000000},
		"v2, a mount of the group above the namespace": {map[string]string{
			"proc/self/cgroup":           "0::/../x\n",
			"proc/self/mountinfo":        "30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/x/memory.max": "1000000\n",
		}, 1000000},
		"v2, an empty group": {map[string]string{
			"proc/self/cgroup":         "0::\n",
			"proc/self/mountinfo":      v2,
			"sys/fs/cgroup/memory.max": "1000000\n",
		}, 1000000},
		"v2, a relative group": {map[string]string{
			"proc/self/cgroup":           "0::x\n",
			"proc/self/mountinfo":        v2,
			"sys/fs/cgroup/x/memory.max": "1000000\n",
		}, 1000000},
		"v2, a relative mount": {map[string]string{
			"proc/self/cgroup":    "0::/../x\n",
			"proc/self/mountinfo": "30 23 0:26 / . rw - cgroup2 cgroup2 rw\n",
			"memory.max":          "1000000\n",
		}, 1000000},
		"both versions, the smaller one counts": {map[string]string{
			"proc/self/cgroup":                             "4:memory:/a\n0::/b\n",
			"proc/self/mountinfo":                          v1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "3000000\n",
			"sys/fs/cgroup/unified/b/memory.max":           "2000000\n",
		}, 2000000},
		"a limit that is not a number": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"proc/self/mountinfo":      v2,
			"sys/fs/cgroup/memory.max": "plenty\n",
		}, 0},
		"groups but no mounts": {map[string]string{"proc/self/cgroup": "0::/\n"}, 0},
		"invalid lines": {map[string]string{
			"proc/self/cgroup":    "hello\n\n0::/\n",
			"proc/self/mountinfo": "hello\n1 2 3 - cgroup2\n",
		}, none},
	} {
		t.Run(name, func(t *testing.T) {
			root := make(fstest.MapFS)
			for file, text := range c.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := cgroupMemoryLimit(root)
			if got != c.want || (err != nil) != (c.want == 0) {
				t.Errorf("limit %d, error %v; want %d", got, err, c.want)
			}
		})
	}
}

// directories ends, whatever the paths are.
func TestControlGroupFolders(t *testing.T) {
	for _, c := range []struct {
		path, mount string
		want        []string
	}{
		{"/m/a/b", "/m", []string{"/m/a/b", "/m/a", "/m"}},
		{"/m", "/m", []string{"/m"}},
		{"/a", "/m", []string{"/a", "/"}},
		{"/", "/m", []string{"/"}},
		{"a/b", "/m", []string{"a/b", "a", "."}},
		{"", "/m", []string{"", "."}},
	} {
		if got := (ControlGroup{Path: c.path, Mount: c.mount}).directories(); !slices.Equal(got, c.want) {
			t.Errorf("from %q up to %q: %q, want %q", c.path, c.mount, got, c.want)
		}
	}
}
