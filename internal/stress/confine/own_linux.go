package confine

import (
	"fmt"
	"syscall"

	"mabeam-top/internal/probes"
)

// arena is how much memory the Go runtime maps at once: far more than it needs
// at the moment, and all of it counts.
const arena = 64 << 20

// KeepOwn limits the memory of this process to about that many bytes, and
// returns at how many bytes of mapped data it will be ended. What is mapped is
// limited, and the Go runtime maps more than it holds: what it has mapped now
// for nothing comes on top, and the rest of its next arena.
func KeepOwn(hard int64) (limit int64, err error) {
	mapped, err := probes.StatusBytes("VmData")
	if err != nil {
		return 0, fmt.Errorf("limit on the process: %w", err)
	}
	held, err := probes.StatusBytes("RssAnon")
	if err != nil {
		return 0, fmt.Errorf("limit on the process: %w", err)
	}
	limit = mapped + (max(hard-held, 0)+arena-1)/arena*arena
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &now); err != nil {
		return 0, fmt.Errorf("limit on the process: %w", err)
	}
	now.Cur = min(uint64(limit), now.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &now); err != nil {
		return 0, fmt.Errorf("limit on the process: %w", err)
	}
	return int64(now.Cur), nil
}
