package memlimit

import (
	"fmt"
	"syscall"

	"mabeam-top/internal/probes"
)

// arena is the size in which the Go runtime maps memory. All of it counts, even if the
// program does not need it yet.
const arena = 64 << 20

// LimitProcess limits the memory of this process to about hard bytes, and returns the
// size of mapped data at which the kernel will refuse more. The kernel limits mapped
// data, and the Go runtime maps more than it uses: LimitProcess adds the data that is
// mapped but unused now, and the rest of the next arena.
func LimitProcess(hard int64) (limit int64, err error) {
	mapped, err := probes.StatusBytes("VmData")
	if err != nil {
		return 0, fmt.Errorf("limit the memory of the process: %w", err)
	}
	held, err := probes.StatusBytes("RssAnon")
	if err != nil {
		return 0, fmt.Errorf("limit the memory of the process: %w", err)
	}
	limit = mapped + (max(hard-held, 0)+arena-1)/arena*arena
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &now); err != nil {
		return 0, fmt.Errorf("limit the memory of the process: %w", err)
	}
	now.Cur = min(uint64(limit), now.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &now); err != nil {
		return 0, fmt.Errorf("limit the memory of the process: %w", err)
	}
	return int64(now.Cur), nil
}
