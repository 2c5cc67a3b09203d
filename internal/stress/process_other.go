//go:build !unix

package stress

import (
	"os"
	"os/exec"
)

// ownGroup does nothing where there are no process groups.
func ownGroup(*exec.Cmd) {}

// killGroup ends a process that was started. It does nothing if it has ended.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// peakOf says that it is not known what a process held that has ended.
func peakOf(*os.ProcessState) int64 { return 0 }
