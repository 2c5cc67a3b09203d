//go:build !unix

package stress

import (
	"os"
	"os/exec"
)

// setProcessGroup does nothing where there are no process groups.
func setProcessGroup(*exec.Cmd) {}

// killGroup kills a process that was started. It does nothing if it has ended.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// peakMemory returns 0: it is not known what a process used that has exited.
func peakMemory(*os.ProcessState) int64 { return 0 }
