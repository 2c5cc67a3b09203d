//go:build unix

package stress

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"mabeam-top/internal/probes"
)

// setProcessGroup keeps signals that the terminal sends to its processes, such as
// ctrl+c, away from the process: its parent stops it.
func setProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a process that was started, and everything that it has started. It
// does nothing if they have ended.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// peakMemory returns the most physical memory that a process used that has exited, in
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
	// A process begins as a copy of this one, and Linux counts what this one used as
	// the child's.
	if own, err := probes.PeakMemory(); err != nil || peak <= own {
		return 0
	}
	return peak
}
