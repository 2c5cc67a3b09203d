//go:build unix

package stress

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"mabeam-top/internal/probes"
)

// ownGroup keeps a signal that the terminal sends to everybody, such as
// ctrl+c, away from the process: its parent tells it what to do.
func setProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a process that was started, and all that it has started. It
// does nothing if they have ended.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// peakOf is the most physical memory that a process held which has ended, in
// bytes; 0 if that is not known.
func peakMemory(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	peak := int64(usage.Maxrss) //nolint:unconvert // on some platforms it is an int32
	if runtime.GOOS != "darwin" {
		peak <<= 10
	}
	// A process begins as a copy of this one, and on Linux what this one held
	// counts as the other's.
	if own, err := probes.PeakMemory(); err != nil || peak <= own {
		return 0
	}
	return peak
}
