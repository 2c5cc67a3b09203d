package load

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A kernelTimer is a timer of the kernel (timerfd) among the files that the Go
// scheduler watches. When it expires, a thread of the scheduler that waits for
// files or timers wakes up and checks for timers that are due. Nobody reads it. A
// nil kernelTimer does nothing.
type kernelTimer struct {
	fd   uintptr
	file *os.File // registers the descriptor with the scheduler, and closes it
}

// newKernelTimer returns nil if the system refuses another descriptor; waits are
// less exact then.
func newKernelTimer() *kernelTimer {
	const clockMonotonic = 1 // timerfd_create(2)
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil
	}
	return &kernelTimer{fd: fd, file: os.NewFile(fd, "timerfd")}
}

// set makes the timer expire once, after wait, which must be positive. It replaces
// an earlier setting.
func (k *kernelTimer) set(wait time.Duration) {
	if k == nil {
		return
	}
	setting := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(wait))}
	// It fails only with invalid arguments.
	_, _, _ = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, k.fd, 0, uintptr(unsafe.Pointer(&setting)), 0, 0, 0)
}

func (k *kernelTimer) close() {
	if k != nil {
		_ = k.file.Close() // it was only read
	}
}
